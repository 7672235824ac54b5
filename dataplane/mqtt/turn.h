/* SPDX-License-Identifier: Apache-2.0 */
/* What mqtt_turn does, beside the remains of ended connections: connections that waited for memory
 * or mailboxes, and the goodbye to all clients. */
#ifndef LINEMQ_MQTT_TURN_H
#define LINEMQ_MQTT_TURN_H

#include "dataplane/mqtt/state.h"

/* MAIL_STOP: no new connections, and the clients are closed in the turns that follow. */
void turn_stop(struct mqtt *mqtt);

#endif
