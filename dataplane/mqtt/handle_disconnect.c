/* SPDX-License-Identifier: Apache-2.0 */
/* DISCONNECT (3.14): the will is dropped (MQTT-3.14.4-3), the connection closed (MQTT-3.14.4-2). */
#include "dataplane/mqtt/handlers.h"

enum handled handle_disconnect(struct mqtt *mqtt, struct connection *connection,
                               const struct packet *packet) {
    if (packet->header.remaining != 0)
        return handle_malformed(mqtt, connection, CODEC_TRAILING);
    connection_end(mqtt, connection, CLOSE_CLIENT, ENDING_ORDERLY);
    return HANDLED_CLOSED;
}
