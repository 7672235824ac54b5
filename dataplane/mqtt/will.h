/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The will message of a connection (OASIS MQTT 3.1.1, 3.1.2.5): made at CONNECT, dropped at
 * DISCONNECT (MQTT-3.1.2-10), published at every other end of an accepted connection
 * (MQTT-3.1.2-8), but not when the broker stops: the specification lets a server put it off, and
 * subscribers are being sent away at the same time.
 */
#ifndef LINEMQ_MQTT_WILL_H
#define LINEMQ_MQTT_WILL_H

#include "dataplane/mqtt/codec.h"
#include "dataplane/mqtt/state.h"

/* The will of a CONNECT with the will flag, QoS and RETAIN in it. NULL: no memory. */
struct message *will_new(struct mqtt *mqtt, const struct connect_view *connect);

/* True: done with, the message is handed over. False: try again. */
bool will_publish(struct mqtt *mqtt, struct message *will);

#endif
