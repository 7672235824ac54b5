/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PUBLISH (3.3). Acknowledged only when the router has handed the message on. QoS 2 is method B of
 * 4.3.3: published on arrival, the identifier kept until PUBREL; a PUBLISH with an identifier that
 * is held is acknowledged and not published again.
 */
#include "dataplane/mqtt/handlers.h"

#include "dataplane/mqtt/output.h"
#include "dataplane/mqtt/shortage.h"

static enum codec_result decode(const struct packet *packet, struct publish_view *view) {
    enum codec_result result = decode_publish_flags(packet->header.flags, view);

    if (result != CODEC_OK)
        return result;
    if (packet->message == NULL)
        return decode_publish(packet->body, packet->header.remaining, view);
    const struct message *message = *packet->message;
    view->topic = message_topic(message);
    view->topic_len = message->topic_len;
    view->payload = message_payload(message);
    view->payload_len = message->payload_len;
    view->packet_id = view->qos ? packet->packet_id : 0;
    return view->qos && view->packet_id == 0 ? CODEC_BAD_PACKET_ID : CODEC_OK;
}

static void release(struct mqtt *mqtt, const struct packet *packet) {
    if (packet->message == NULL)
        return;
    parcel_release(mqtt->parcels, *packet->message);
    *packet->message = NULL;
}

static enum publish_result publish(struct mqtt *mqtt, struct connection *connection,
                                   const struct packet *packet, const struct publish_view *view) {
    if (handle_is_sys(view->topic, view->topic_len)) {
        count(mqtt->counters, COUNTER_MQTT_SYS_PUBLISH);
        release(mqtt, packet);
        return PUBLISH_DONE;
    }
    struct publish publish = {
        .topic = view->topic,
        .payload = view->payload,
        .topic_len = view->topic_len,
        .payload_len = view->payload_len,
        .qos = view->qos,
        .retain = view->retain,
        .wall_clock = mqtt->wall_clock,
        .ready = packet->message != NULL ? *packet->message : NULL,
    };
    if (publish.ready != NULL) {
        publish.ready->qos = view->qos;
        publish.ready->flags = view->retain ? MESSAGE_RETAIN : 0;
        publish.ready->published = mqtt->wall_clock;
    }
    struct traffic *traffic = connection_traffic(mqtt, connection);
    enum publish_result result = router_publish(mqtt->router, &publish, &traffic->memo);
    if (result == PUBLISH_DONE && packet->message != NULL)
        *packet->message = NULL;
    return result;
}

static void counted(struct mqtt *mqtt, struct connection *connection,
                    const struct publish_view *view) {
    connection_traffic(mqtt, connection)->messages_in++;
    count(mqtt->counters, COUNTER_MQTT_PUBLISH_IN);
    count_add(mqtt->counters, COUNTER_MQTT_PUBLISH_BYTES_IN, view->payload_len);
}

static enum handled out_of_memory(struct mqtt *mqtt, struct connection *connection) {
    connection_end(mqtt, connection, CLOSE_RESOURCES, ENDING_ABORT);
    return HANDLED_CLOSED;
}

/* The identifier is remembered here and, for a persistent session, with its shard. Room for both
 * was made sure of. */
static bool hold(struct mqtt *mqtt, struct connection *connection, uint16_t packet_id) {
    struct attachment *attachment = connection_attachment(mqtt, connection);

    if (!packet_ids_add(&attachment->received, mqtt->pool, packet_id))
        return false;
    if (!connection_persistent(connection))
        return true;
    struct mail mail = handler_mail(mqtt, connection, MAIL_QOS2_IN);
    mail.qos2_in.packet_id = packet_id;
    mail.qos2_in.held = 1;
    return mail_send(mqtt->mailroom, handler_shard(mqtt, connection), &mail);
}

static enum handled publish_qos2(struct mqtt *mqtt, struct connection *connection,
                                 const struct packet *packet, const struct publish_view *view) {
    struct attachment *attachment = connection_attach(mqtt, connection);

    if (attachment == NULL || !output_reserve(mqtt, connection))
        return HANDLED_TRY_AGAIN;
    if (packet_ids_hold(&attachment->received, view->packet_id)) {
        count(mqtt->counters, COUNTER_MQTT_REPEATED_QOS2);
        release(mqtt, packet);
    } else {
        if (attachment->received.count >= mqtt->config.limits.qos2_received)
            return handle_violation(mqtt, connection, COUNTER_MQTT_LIMIT_QOS2_RECEIVED);
        if (attachment->received.count >= SHORT_PACKET_IDS &&
            attachment->received.count == attachment->received.capacity && shortage(mqtt))
            return out_of_memory(mqtt, connection);
        if (!packet_ids_reserve(&attachment->received, mqtt->pool))
            return HANDLED_TRY_AGAIN;
        if (connection_persistent(connection) &&
            mail_pressure(mqtt->mailroom, UINT32_C(1) << handler_shard(mqtt, connection)))
            return HANDLED_TRY_AGAIN;
        if (publish(mqtt, connection, packet, view) == PUBLISH_TRY_AGAIN)
            return HANDLED_TRY_AGAIN;
        if (!hold(mqtt, connection, view->packet_id))
            return out_of_memory(mqtt, connection);
    }
    counted(mqtt, connection, view);
    if (!output_ack(mqtt, connection, PACKET_PUBREC, view->packet_id)) /* MQTT-4.3.3-2 */
        return out_of_memory(mqtt, connection);
    return HANDLED_DONE;
}

enum handled handle_publish(struct mqtt *mqtt, struct connection *connection,
                            const struct packet *packet) {
    struct publish_view view;
    enum codec_result result = decode(packet, &view);

    if (result != CODEC_OK)
        return handle_malformed(mqtt, connection, result);
    enum counter fault = handle_topic_fault(mqtt, view.topic, view.topic_len);
    if (fault != COUNTERS)
        return handle_violation(mqtt, connection, fault);
    if (connection_traffic_made(mqtt, connection) == NULL)
        return HANDLED_TRY_AGAIN;
    if (view.qos == 2)
        return publish_qos2(mqtt, connection, packet, &view);
    if (view.qos == 1 && !output_reserve(mqtt, connection))
        return HANDLED_TRY_AGAIN;
    if (publish(mqtt, connection, packet, &view) == PUBLISH_TRY_AGAIN)
        return HANDLED_TRY_AGAIN;
    counted(mqtt, connection, &view);
    if (view.qos == 1 && !output_ack(mqtt, connection, PACKET_PUBACK, view.packet_id))
        return out_of_memory(mqtt, connection); /* MQTT-4.3.2-2 */
    return HANDLED_DONE;
}
