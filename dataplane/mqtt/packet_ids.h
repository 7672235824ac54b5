/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet identifiers of QoS 2 messages that a client has sent and not yet released by PUBREL
 * (OASIS MQTT 3.1.1, 4.3.3): a repeated PUBLISH is recognised by them. A sorted array, bounded by
 * the limit qos2_received; no memory while empty. Zeroed: the empty set.
 *
 * Thread: the owner of the pool.
 */
#ifndef LINEMQ_MQTT_PACKET_IDS_H
#define LINEMQ_MQTT_PACKET_IDS_H

#include "dataplane/message/pool.h"

struct packet_id_set {
    uint16_t *ids;
    uint32_t count, capacity;
};

bool packet_ids_hold(const struct packet_id_set *set, uint16_t id);

/* Makes sure that the next packet_ids_add of a new identifier succeeds. False: no memory. */
bool packet_ids_reserve(struct packet_id_set *set, struct pool *pool);

/* Adding what is there changes nothing. False: no memory. */
bool packet_ids_add(struct packet_id_set *set, struct pool *pool, uint16_t id);

/* False: it was not there. */
bool packet_ids_remove(struct packet_id_set *set, struct pool *pool, uint16_t id);

void packet_ids_clear(struct packet_id_set *set, struct pool *pool);

#endif
