/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/input.h"

#include "dataplane/mqtt/handlers.h"
#include "dataplane/mqtt/output.h"
#include "dataplane/mqtt/partial.h"
#include "dataplane/mqtt/shortage.h"

/* What one call takes at most, so that a turn stays short: packets, of which those with filters
 * weigh more. The rest waits for the next turn. */
enum { INPUT_BUDGET = 256, FILTERS_WEIGHT = 16 };

/* Type and order; the type is known with the first byte. COUNTERS: nothing is wrong. */
static enum counter order_fault(const struct connection *connection, uint8_t type) {
    if (connection->state == STATE_AWAIT_CONNECT && type != PACKET_CONNECT)
        return COUNTER_MQTT_NOT_CONNECT; /* MQTT-3.1.0-1 */
    if (connection->state == STATE_CONNECTED && type == PACKET_CONNECT)
        return COUNTER_MQTT_SECOND_CONNECT; /* MQTT-3.1.0-2 */
    return COUNTERS;
}

static enum counter header_fault(const struct mqtt *mqtt, const struct connection *connection,
                                 const struct fixed_header *header) {
    enum counter fault = order_fault(connection, header->type);

    if (fault == COUNTERS &&
        (uint64_t)header->len + header->remaining > mqtt->config.limits.packet_size)
        fault = COUNTER_MQTT_LIMIT_PACKET_SIZE;
    return fault;
}

static enum handled dispatch(struct mqtt *mqtt, struct connection *connection,
                             const struct packet *packet) {
    switch (packet->header.type) {
    case PACKET_CONNECT:
        return handle_connect(mqtt, connection, packet);
    case PACKET_PUBLISH:
        return handle_publish(mqtt, connection, packet);
    case PACKET_PUBACK:
    case PACKET_PUBREC:
    case PACKET_PUBCOMP:
        return handle_acks(mqtt, connection, packet);
    case PACKET_PUBREL:
        return handle_pubrel(mqtt, connection, packet);
    case PACKET_SUBSCRIBE:
        return handle_subscribe(mqtt, connection, packet);
    case PACKET_UNSUBSCRIBE:
        return handle_unsubscribe(mqtt, connection, packet);
    case PACKET_PINGREQ:
        return handle_ping(mqtt, connection, packet);
    case PACKET_DISCONNECT:
        return handle_disconnect(mqtt, connection, packet);
    default:
        return handle_malformed(mqtt, connection, CODEC_BAD_TYPE);
    }
}

static void wait_for_memory(struct mqtt *mqtt, struct connection *connection) {
    count(mqtt->counters, COUNTER_MQTT_WAITED);
    connection_wait(mqtt, connection, CONNECTION_WAIT_INPUT);
}

static enum handled handle_packet(struct mqtt *mqtt, struct connection *connection,
                                  const struct packet *packet) {
    enum handled handled = dispatch(mqtt, connection, packet);

    if (handled == HANDLED_TRY_AGAIN) {
        wait_for_memory(mqtt, connection);
        return handled;
    }
    count(mqtt->counters, COUNTER_MQTT_PACKETS_IN);
    bool filters =
        packet->header.type == PACKET_SUBSCRIBE || packet->header.type == PACKET_UNSUBSCRIBE;
    mqtt->input_spent += filters ? FILTERS_WEIGHT : 1;
    const struct send_queue *queue = output_queue(mqtt, connection);
    if (handled == HANDLED_DONE && queue != NULL && queue->own_bytes >= OUTPUT_HOLD_BYTES) {
        if (shortage(mqtt)) { /* held, it would pile up a window more */
            connection_end(mqtt, connection, CLOSE_RESOURCES, ENDING_ABORT);
            return HANDLED_CLOSED;
        }
        count(mqtt->counters, COUNTER_MQTT_HELD);
        connection->flags |= CONNECTION_HELD;
    }
    return handled;
}

/* The whole packet is in the partial. */
static void handle_partial(struct mqtt *mqtt, struct connection *connection,
                           struct partial *partial) {
    struct packet packet = {
        .header = partial->header,
        .body = partial->area.bytes,
        .message = partial->area.message != NULL ? &partial->area.message : NULL,
        .packet_id = load_be16(partial->packet_id),
    };

    if (handle_packet(mqtt, connection, &packet) == HANDLED_DONE)
        partial_free(mqtt, connection);
}

static void packet_timer(struct mqtt *mqtt, struct connection *connection,
                         const struct partial *partial) {
    if (connection->state == STATE_CONNECTED) /* before that connect_timeout is running */
        connection_timer(mqtt, connection,
                         partial->started + mqtt->config.limits.packet_timeout_ms);
}

/* Goes on with a packet that has come in part. Returns how many bytes belong to it. */
static size_t take_part(struct mqtt *mqtt, struct connection *connection, const uint8_t *data,
                        size_t len) {
    struct partial *partial = partial_of(mqtt, connection);
    size_t taken = 0, n;

    if (partial->header.len == 0) {
        enum codec_result result = partial_header(partial, data, len, connection->level, &taken);
        if (result != CODEC_OK && result != CODEC_MORE) {
            handle_malformed(mqtt, connection, result);
            return taken;
        }
        enum counter fault = result == CODEC_OK
                                 ? header_fault(mqtt, connection, &partial->header)
                                 : order_fault(connection, partial->header_bytes[0] >> 4);
        if (fault != COUNTERS) {
            handle_violation(mqtt, connection, fault);
            return taken;
        }
        if (result == CODEC_MORE) {
            packet_timer(mqtt, connection, partial);
            return taken;
        }
    }
    switch (partial_body(mqtt, partial, data + taken, len - taken, &n)) {
    case PARTIAL_NO_MEMORY:
        wait_for_memory(mqtt, connection);
        return taken;
    case PARTIAL_TRUNCATED:
        handle_malformed(mqtt, connection, CODEC_TRUNCATED);
        return taken;
    case PARTIAL_TAKEN:
        break;
    }
    taken += n;
    if (partial_whole(partial))
        handle_partial(mqtt, connection, partial);
    else
        packet_timer(mqtt, connection, partial);
    return taken;
}

static size_t begin_part(struct mqtt *mqtt, struct connection *connection, const uint8_t *data,
                         size_t len) {
    if (partial_new(mqtt, connection) == NULL) {
        wait_for_memory(mqtt, connection);
        return 0;
    }
    return take_part(mqtt, connection, data, len);
}

/* One packet, or the beginning of one. */
static size_t take_packet(struct mqtt *mqtt, struct connection *connection, const uint8_t *data,
                          size_t len) {
    struct fixed_header header;
    enum codec_result result = decode_fixed_header(data, len, connection->level, &header);

    if (result == CODEC_MORE)
        return begin_part(mqtt, connection, data, len);
    if (result != CODEC_OK) {
        handle_malformed(mqtt, connection, result);
        return 0;
    }
    enum counter fault = header_fault(mqtt, connection, &header);
    if (fault != COUNTERS) {
        handle_violation(mqtt, connection, fault);
        return 0;
    }
    if (header.remaining > len - header.len)
        return begin_part(mqtt, connection, data, len);
    struct packet packet = {.header = header, .body = data + header.len};
    if (handle_packet(mqtt, connection, &packet) != HANDLED_DONE)
        return 0;
    return header.len + header.remaining;
}

size_t input_received(struct mqtt *mqtt, struct connection *connection, const uint8_t *data,
                      size_t len) {
    size_t taken = 0;

    connection->heard = mqtt->now_ms;
    /* The end of the connection may be told from within. */
    connection_count_in(mqtt, connection, (int64_t)len);
    mqtt->input_spent = 0;
    while (taken < len && connection->state != STATE_CLOSING && !connection_waits(connection)) {
        if (mqtt->input_spent >= INPUT_BUDGET) {
            connection_wait(mqtt, connection, CONNECTION_WAIT_INPUT);
            break;
        }
        if (connection->partial)
            taken += take_part(mqtt, connection, data + taken, len - taken);
        else
            taken += take_packet(mqtt, connection, data + taken, len - taken);
    }
    if (connection->state == STATE_CLOSING)
        taken = len;
    connection_count_in(mqtt, connection, (int64_t)taken - (int64_t)len);
    count_add(mqtt->counters, COUNTER_MQTT_BYTES_IN, taken);
    return taken;
}

void input_again(struct mqtt *mqtt, struct connection *connection) {
    struct partial *partial = partial_of(mqtt, connection);

    connection->flags &= (uint8_t)~CONNECTION_WAIT_INPUT;
    if (partial != NULL) {
        partial->started = mqtt->now_ms; /* the time waited was ours */
        if (partial_whole(partial))
            handle_partial(mqtt, connection, partial);
    }
    if (connection->state == STATE_CLOSING || connection_waits(connection))
        return;
    if (connection->finished)
        connection_end(mqtt, connection, CLOSE_PEER, ENDING_ORDERLY);
    else
        tcp_resume(mqtt->tcp, connection_tcp(connection));
}
