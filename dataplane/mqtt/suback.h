/* SPDX-License-Identifier: Apache-2.0 */
/* SUBACK (3.9): answers of this worker's router and of the shards. */
#ifndef LINEMQ_MQTT_SUBACK_H
#define LINEMQ_MQTT_SUBACK_H

#include "dataplane/mqtt/connection.h"

/* The router's callback; `owner` is the struct mqtt. */
void suback_subscribed(void *owner, struct subscriber who, uint16_t packet_id, const uint8_t *codes,
                       unsigned count);

/* MAIL_SUBACK: takes over the parcel. */
void suback_from_shard(struct mqtt *mqtt, const struct mail *mail);

#endif
