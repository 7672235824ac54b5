/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PUBACK, PUBREC, PUBCOMP (3.4, 3.5, 3.7): of the worker's window for a clean session, of the
 * shard's for a persistent one. PUBREL (3.6) lets go of the identifier of an incoming QoS 2
 * message.
 */
#include "dataplane/mqtt/delivery.h"
#include "dataplane/mqtt/handlers.h"
#include "dataplane/mqtt/output.h"

enum handled handle_acks(struct mqtt *mqtt, struct connection *connection,
                         const struct packet *packet) {
    uint16_t packet_id;
    enum codec_result result = decode_packet_id(packet->body, packet->header.remaining, &packet_id);

    if (result != CODEC_OK)
        return handle_malformed(mqtt, connection, result);
    if (!connection_persistent(connection)) {
        if (packet->header.type == PACKET_PUBREC && !output_reserve(mqtt, connection))
            return HANDLED_TRY_AGAIN;
        if (!delivery_acked(mqtt, connection, packet->header.type, packet_id))
            return handle_violation(mqtt, connection, COUNTER_MQTT_WRONG_ACK); /* MQTT-4.8.0-1 */
        return HANDLED_DONE;
    }
    unsigned shard = handler_shard(mqtt, connection);
    struct mail mail = handler_mail(mqtt, connection, MAIL_ACK);
    mail.ack.packet_id = packet_id;
    mail.ack.packet = packet->header.type;
    if (mail_pressure(mqtt->mailroom, UINT32_C(1) << shard) ||
        !mail_send(mqtt->mailroom, shard, &mail))
        return HANDLED_TRY_AGAIN;
    return HANDLED_DONE;
}

/* PUBCOMP is sent whether or not the identifier was held (MQTT-4.3.3-2): the client may not have
 * seen an earlier one. */
enum handled handle_pubrel(struct mqtt *mqtt, struct connection *connection,
                           const struct packet *packet) {
    uint16_t packet_id;
    enum codec_result result = decode_packet_id(packet->body, packet->header.remaining, &packet_id);

    if (result != CODEC_OK)
        return handle_malformed(mqtt, connection, result);
    if (!output_reserve(mqtt, connection))
        return HANDLED_TRY_AGAIN;
    struct attachment *attachment = connection_attachment(mqtt, connection);
    if (attachment != NULL && packet_ids_hold(&attachment->received, packet_id)) {
        unsigned shard = handler_shard(mqtt, connection);

        if (connection_persistent(connection)) {
            struct mail mail = handler_mail(mqtt, connection, MAIL_QOS2_IN);
            mail.qos2_in.packet_id = packet_id;
            if (mail_pressure(mqtt->mailroom, UINT32_C(1) << shard) ||
                !mail_send(mqtt->mailroom, shard, &mail))
                return HANDLED_TRY_AGAIN;
        }
        packet_ids_remove(&attachment->received, mqtt->pool, packet_id);
        connection_detach_idle(mqtt, connection);
    }
    if (!output_ack(mqtt, connection, PACKET_PUBCOMP, packet_id)) {
        connection_end(mqtt, connection, CLOSE_RESOURCES, ENDING_ABORT);
        return HANDLED_CLOSED;
    }
    return HANDLED_DONE;
}
