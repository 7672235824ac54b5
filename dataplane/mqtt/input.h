/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from a client, cut into packets: whole ones are handled where they lie in TCP's segment,
 * the others are gathered in a struct partial.
 */
#ifndef LINEMQ_MQTT_INPUT_H
#define LINEMQ_MQTT_INPUT_H

#include "dataplane/mqtt/connection.h"

/* Takes what can be taken now; the rest stays with TCP. Returns the number of bytes. */
size_t input_received(struct mqtt *mqtt, struct connection *connection, const uint8_t *data,
                      size_t len);

/* What made the input wait may be over. */
void input_again(struct mqtt *mqtt, struct connection *connection);

#endif
