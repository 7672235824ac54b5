/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All packets of a worker that have come in part, and the budget they share. When it is used up the
 * one that has waited longest is given up, and its connection closed: a peer that begins packets
 * and goes away holds no more than the budget, and gets nobody into trouble who goes on.
 *
 * They stand in the order in which they have last grown by an eighth: a byte now and then does not
 * keep a packet, and whoever sends at any reasonable speed is never the first.
 *
 * A packet larger than the budget goes when it is alone.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_MQTT_PARTIALS_H
#define LINEMQ_MQTT_PARTIALS_H

#include "dataplane/mqtt/partial.h"

void partials_add(struct mqtt *mqtt, struct partial *partial);
/* It is whole, or gone. More than once is fine. */
void partials_remove(struct mqtt *mqtt, struct partial *partial);

/* `partial` has more bytes than before. */
void partials_grown(struct mqtt *mqtt, struct partial *partial);

/* Makes room for `bytes` more, for `partial` or (NULL) another one; gives up a few others if it
 * must. False: not now. */
bool partials_room(struct mqtt *mqtt, const struct partial *partial, size_t bytes);

/* Gives up a few when others need the memory. True: more are to go. */
bool partials_turn(struct mqtt *mqtt);

#endif
