/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/output.h"

#include "dataplane/mqtt/delivery.h"
#include "dataplane/mqtt/shortage.h"

static uint64_t memory(const struct send_queue *queue) {
    return sizeof *queue + (uint64_t)queue->chunks * sizeof(struct send_chunk);
}

static struct send_queue *queue_made(struct mqtt *mqtt, struct connection *connection) {
    struct send_queue *queue = output_queue(mqtt, connection);

    if (queue != NULL)
        return queue;
    queue = pool_alloc(mqtt->pool, sizeof *queue);
    if (queue == NULL)
        return NULL;
    *queue = (struct send_queue){0};
    connection->queue = arena_ref(mqtt->pool->base, queue);
    mqtt->stats.send_queue_bytes += memory(queue);
    return queue;
}

void output_free(struct mqtt *mqtt, struct connection *connection) {
    struct send_queue *queue = output_queue(mqtt, connection);

    if (queue == NULL)
        return;
    mqtt->stats.send_queue_bytes -= memory(queue);
    send_queue_clear(queue, mqtt->parcels);
    pool_free(mqtt->pool, queue, sizeof *queue);
    connection->queue = 0;
}

bool output_has_room(const struct mqtt *mqtt, const struct connection *connection, unsigned times) {
    uint64_t queued = output_bytes_queued(mqtt, connection);

    if (queued == 0)
        return true;
    return queued < (uint64_t)times * mqtt->config.limits.send_queue_bytes &&
           (queued < SHORT_SEND_QUEUE || !shortage(mqtt));
}

bool output_reserve(struct mqtt *mqtt, struct connection *connection) {
    struct send_queue *queue = queue_made(mqtt, connection);

    if (queue == NULL)
        return false;
    uint64_t held = memory(queue);
    bool reserved = send_queue_reserve(queue, mqtt->pool);
    mqtt->stats.send_queue_bytes += memory(queue) - held;
    return reserved;
}

static void announce(struct mqtt *mqtt, struct connection *connection, uint32_t len) {
    count(mqtt->counters, COUNTER_MQTT_PACKETS_OUT);
    connection_count_out(mqtt, connection, len);
    count_add(mqtt->counters, COUNTER_MQTT_BYTES_OUT, len);
    tcp_send(mqtt->tcp, connection_tcp(connection), len);
}

bool output_packet(struct mqtt *mqtt, struct connection *connection, const void *bytes,
                   size_t len) {
    struct send_queue *queue = queue_made(mqtt, connection);

    if (queue == NULL)
        return false;
    uint64_t held = memory(queue);
    bool queued = send_queue_bytes(queue, mqtt->pool, bytes, len);
    mqtt->stats.send_queue_bytes += memory(queue) - held;
    if (queued)
        announce(mqtt, connection, (uint32_t)len);
    return queued;
}

bool output_ack(struct mqtt *mqtt, struct connection *connection, enum packet_type type,
                uint16_t packet_id) {
    uint8_t bytes[4];

    return output_packet(mqtt, connection, bytes, encode_ack(bytes, type, packet_id));
}

bool output_publish(struct mqtt *mqtt, struct connection *connection, struct message *message,
                    uint16_t packet_id, uint8_t qos, bool retain, bool dup) {
    struct traffic *traffic = connection_traffic_made(mqtt, connection);
    struct send_queue *queue = traffic != NULL ? queue_made(mqtt, connection) : NULL;

    if (queue == NULL)
        return false;
    uint64_t held = memory(queue);
    uint32_t len = send_queue_publish(queue, mqtt->pool, message, packet_id, qos, retain, dup);
    mqtt->stats.send_queue_bytes += memory(queue) - held;
    if (len == 0)
        return false;
    traffic->messages_out++;
    count(mqtt->counters, COUNTER_MQTT_PUBLISH_OUT);
    count_add(mqtt->counters, COUNTER_MQTT_PUBLISH_BYTES_OUT, message->payload_len);
    announce(mqtt, connection, len);
    return true;
}

void output_fetch(struct mqtt *mqtt, struct connection *connection, uint32_t offset, uint8_t *to,
                  size_t len) {
    send_queue_fetch(output_queue(mqtt, connection), offset, to, len);
}

void output_acknowledged(struct mqtt *mqtt, struct connection *connection, uint32_t len) {
    struct send_queue *queue = output_queue(mqtt, connection);
    uint64_t held = memory(queue);

    send_queue_acknowledged(queue, mqtt->parcels, len);
    mqtt->stats.send_queue_bytes -= held - memory(queue);
    if ((connection->flags & CONNECTION_HELD) && queue->own_bytes <= OUTPUT_RESUME_BYTES) {
        connection->flags &= (uint8_t)~CONNECTION_HELD;
        tcp_resume(mqtt->tcp, connection_tcp(connection));
    }
    if (queue->bytes == 0)
        output_free(mqtt, connection);
    delivery_drained(mqtt, connection);
}
