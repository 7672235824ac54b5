/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may have a worker's memory when it runs short. Peers command all of it: half packets, queues
 * that nobody reads, subscriptions, identifiers, wills. None of them shall have so much that there
 * is nothing left for the others, nor for a CONNECT.
 *
 *   13/16   what peers may pile up. Beyond it queues are kept short, clients keep the few
 *           subscriptions that any client needs, and so on (shortage()): those that use little go
 *           on as before, those that use much lose or wait
 *   1/16    half packets at least; at most limits.partial_bytes, while the others leave so much
 *   1/8     what else there is to do: here TCP begins to refuse connections (tcp/pressure.h)
 *
 * As in TCP, memory that only connections can use counts neither as used nor as there.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_MQTT_SHORTAGE_H
#define LINEMQ_MQTT_SHORTAGE_H

#include "dataplane/mqtt/state.h"

/* While memory is short: */
enum {
    SHORT_SEND_QUEUE = 4096, /* bytes that wait for TCP on a connection before QoS 0 is dropped */
    SHORT_SUBSCRIPTIONS = 16,
    SHORT_PACKET_IDS = 64, /* incoming QoS 2 identifiers; who needs room for more is closed */
    SHORT_WILL = 1024,     /* bytes of a will's payload */
};

/* Once a turn, first. */
void shortage_begin(struct mqtt *mqtt);

/* Peers have piled up as much as they may. Cheap. */
bool shortage(const struct mqtt *mqtt);

/* What half packets may take, bytes. */
uint64_t shortage_partials(const struct mqtt *mqtt);

#endif
