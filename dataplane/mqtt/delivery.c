/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/delivery.h"

#include "dataplane/mqtt/output.h"
#include "dataplane/mqtt/shortage.h"

/* What a window's callbacks need. */
struct target {
    struct mqtt *mqtt;
    struct connection *connection;
    bool no_memory;
};

static bool send_publish(void *to, struct message *message, uint16_t packet_id, uint8_t qos,
                         bool retain, bool dup) {
    struct target *target = to;

    if (!output_has_room(target->mqtt, target->connection, 1))
        return false;
    target->no_memory =
        !output_publish(target->mqtt, target->connection, message, packet_id, qos, retain, dup);
    return !target->no_memory;
}

static bool send_pubrel(void *to, uint16_t packet_id, bool dup) {
    struct target *target = to;

    target->no_memory = !output_ack(target->mqtt, target->connection, PACKET_PUBREL, packet_id);
    return !target->no_memory;
}

/* `times` the limits: see RETAINED_ALLOWANCE. */
static struct window_use use_of(struct target *target, unsigned times) {
    const struct mqtt_limits *limits = &target->mqtt->config.limits;
    uint64_t queued = (uint64_t)times * limits->queued;
    uint64_t bytes = (uint64_t)times * limits->queued_bytes;

    return (struct window_use){
        .parcels = target->mqtt->parcels,
        .inflight = target->connection->inflight_max,
        .queued = queued < UINT32_MAX ? (uint32_t)queued : UINT32_MAX,
        .queued_bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
        .replay = false, /* a clean session ends with its connection */
        .publish = send_publish,
        .pubrel = send_pubrel,
        .to = target,
    };
}

static void drop(struct mqtt *mqtt, struct connection *connection, enum counter why) {
    struct traffic *traffic = connection_traffic_made(mqtt, connection);

    if (traffic != NULL) /* else only the counter knows */
        traffic->dropped++;
    count(mqtt->counters, why);
}

static void window_sent(struct target *target, const struct window *window,
                        const struct window_use *use) {
    if (target->no_memory && window_wants(window, use))
        connection_wait(target->mqtt, target->connection, CONNECTION_WAIT_WINDOW);
}

void delivery_send(struct mqtt *mqtt, struct connection *connection) {
    struct attachment *attachment = connection_attachment(mqtt, connection);

    if (attachment == NULL)
        return;
    struct target target = {.mqtt = mqtt, .connection = connection};
    struct window_use use = use_of(&target, 1);
    window_send(&attachment->window, &use);
    window_sent(&target, &attachment->window, &use);
}

static void deliver_qos0(struct mqtt *mqtt, struct connection *connection, struct message *message,
                         bool retain) {
    if (!output_has_room(mqtt, connection, retain ? RETAINED_ALLOWANCE : 1))
        drop(mqtt, connection,
             shortage(mqtt) ? COUNTER_MQTT_NO_MEMORY_DELIVER : COUNTER_MQTT_LIMIT_SEND_QUEUE);
    else if (!output_publish(mqtt, connection, message, 0, 0, retain, false))
        drop(mqtt, connection, COUNTER_MQTT_NO_MEMORY_DELIVER);
}

static void deliver_window(struct mqtt *mqtt, struct connection *connection,
                           struct message *message, uint8_t qos, bool retain) {
    struct attachment *attachment = connection_attach(mqtt, connection);

    if (attachment == NULL) {
        drop(mqtt, connection, COUNTER_MQTT_NO_MEMORY_DELIVER);
        return;
    }
    struct target target = {.mqtt = mqtt, .connection = connection};
    struct window_use use = use_of(&target, retain ? RETAINED_ALLOWANCE : 1);
    bool tight = shortage(mqtt);
    if (tight)
        use.queued = 0; /* what goes out at once still may */
    size_t held = window_bytes(&attachment->window);
    enum window_result result = window_push(&attachment->window, &use, message, qos, retain);
    mqtt->stats.session_bytes += window_bytes(&attachment->window) - held;

    switch (result) {
    case WINDOW_TAKEN:
        window_send(&attachment->window, &use);
        window_sent(&target, &attachment->window, &use);
        break;
    case WINDOW_FULL:
        drop(mqtt, connection, tight ? COUNTER_MQTT_NO_MEMORY_DELIVER : COUNTER_MQTT_LIMIT_QUEUED);
        break;
    case WINDOW_FULL_BYTES:
        drop(mqtt, connection, COUNTER_MQTT_LIMIT_QUEUED_BYTES);
        break;
    case WINDOW_NO_MEMORY:
        drop(mqtt, connection, COUNTER_MQTT_NO_MEMORY_DELIVER);
        connection_detach_idle(mqtt, connection);
        break;
    }
}

void delivery_deliver(void *owner, struct subscriber to, struct message *message, uint8_t qos,
                      bool retain) {
    struct mqtt *mqtt = owner;
    struct connection *connection = connection_find(mqtt, to.ref, to.generation);

    if (connection == NULL)
        return;
    if (qos == 0)
        deliver_qos0(mqtt, connection, message, retain);
    else
        deliver_window(mqtt, connection, message, qos, retain);
}

void delivery_from_shard(struct mqtt *mqtt, const struct mail *mail) {
    struct connection *connection = connection_find(mqtt, mail->conn, mail->generation);
    struct message *message = mail->deliver.message;

    if (connection == NULL)
        count(mqtt->counters, COUNTER_MQTT_STALE_MAIL);
    else if (mail->deliver.qos == 0)
        deliver_qos0(mqtt, connection, message, mail->deliver.retain);
    else if (!output_publish(mqtt, connection, message, mail->deliver.packet_id, mail->deliver.qos,
                             mail->deliver.retain, mail->deliver.dup))
        connection_end(mqtt, connection, CLOSE_RESOURCES, ENDING_ABORT);
    parcel_release(mqtt->parcels, message);
}

bool delivery_acked(struct mqtt *mqtt, struct connection *connection, enum packet_type type,
                    uint16_t packet_id) {
    struct attachment *attachment = connection_attachment(mqtt, connection);
    struct target target = {.mqtt = mqtt, .connection = connection};
    struct window_use use = use_of(&target, 1);
    enum window_ack ack = WINDOW_ACK_UNKNOWN;

    if (attachment != NULL) {
        struct window *window = &attachment->window;
        size_t held = window_bytes(window);

        if (type == PACKET_PUBACK)
            ack = window_puback(window, &use, packet_id);
        else if (type == PACKET_PUBREC)
            ack = window_pubrec(window, &use, packet_id);
        else
            ack = window_pubcomp(window, &use, packet_id);
        if (ack == WINDOW_ACK_WRONG)
            return false;
        window_send(window, &use);
        window_sent(&target, window, &use);
        mqtt->stats.session_bytes -= held - window_bytes(window);
    }
    if (ack == WINDOW_ACK_UNKNOWN) {
        count(mqtt->counters, COUNTER_MQTT_UNKNOWN_ACK);
        /* Lets a receiver that holds an identifier of ours let go of it. */
        if (type == PACKET_PUBREC)
            send_pubrel(&target, packet_id, false);
    }
    delivery_drained(mqtt, connection);
    connection_detach_idle(mqtt, connection);
    return true;
}

/* Room for a batch of retained messages: half of each limit. */
static bool has_retained_room(const struct mqtt *mqtt, const struct connection *connection) {
    const struct mqtt_limits *limits = &mqtt->config.limits;
    const struct attachment *attachment = connection_attachment(mqtt, connection);

    if (output_bytes_queued(mqtt, connection) > limits->send_queue_bytes / 2 ||
        !output_has_room(mqtt, connection, 1))
        return false;
    return attachment == NULL || (window_queued(&attachment->window) <= limits->queued / 2 &&
                                  attachment->window.queued_bytes <= limits->queued_bytes / 2);
}

bool delivery_retained_ready(void *owner, struct subscriber who) {
    struct mqtt *mqtt = owner;
    struct connection *connection = connection_find(mqtt, who.ref, who.generation);

    if (connection == NULL || has_retained_room(mqtt, connection))
        return true;
    connection->flags |= CONNECTION_RETAINED;
    return false;
}

void delivery_drained(struct mqtt *mqtt, struct connection *connection) {
    if (connection->state != STATE_CONNECTED || (connection->flags & CONNECTION_DOOMED))
        return;
    delivery_send(mqtt, connection);
    if ((connection->flags & CONNECTION_RETAINED) && has_retained_room(mqtt, connection)) {
        connection->flags &= (uint8_t)~CONNECTION_RETAINED;
        router_retained_resume(mqtt->router, connection_name(mqtt, connection));
    }
}
