/* SPDX-License-Identifier: Apache-2.0 */
/* PINGREQ (3.12). */
#include "dataplane/mqtt/handlers.h"
#include "dataplane/mqtt/output.h"

enum handled handle_ping(struct mqtt *mqtt, struct connection *connection,
                         const struct packet *packet) {
    uint8_t bytes[2];

    if (packet->header.remaining != 0)
        return handle_malformed(mqtt, connection, CODEC_TRAILING);
    if (!output_packet(mqtt, connection, bytes, encode_pingresp(bytes))) /* MQTT-3.12.4-1 */
        return HANDLED_TRY_AGAIN;
    return HANDLED_DONE;
}
