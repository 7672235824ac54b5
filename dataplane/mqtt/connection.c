/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/connection.h"

#include "dataplane/mqtt/partial.h"

struct connection *connection_find(struct mqtt *mqtt, ref_t ref, uint32_t generation) {
    struct tcp_conn *tcp = tcp_conn_at(mqtt->tcp, ref);

    if (tcp == NULL)
        return NULL;
    struct connection *connection = tcp_conn_app(tcp);
    if (connection->generation != generation || connection->state != STATE_CONNECTED ||
        (connection->flags & CONNECTION_DOOMED))
        return NULL;
    return connection;
}

struct subscriber connection_name(const struct mqtt *mqtt, struct connection *connection) {
    return (struct subscriber){tcp_conn_ref(mqtt->tcp, connection_tcp(connection)),
                               connection->generation};
}

struct attachment *connection_attach(struct mqtt *mqtt, struct connection *connection) {
    struct attachment *attachment = connection_attachment(mqtt, connection);

    if (attachment != NULL)
        return attachment;
    attachment = pool_alloc(mqtt->pool, sizeof *attachment);
    if (attachment == NULL)
        return NULL;
    *attachment = (struct attachment){.window = {.next_id = connection->next_id}};
    connection->attachment = arena_ref(mqtt->pool->base, attachment);
    mqtt->stats.session_bytes += sizeof *attachment;
    return attachment;
}

void connection_detach_idle(struct mqtt *mqtt, struct connection *connection) {
    struct attachment *attachment = connection_attachment(mqtt, connection);

    if (attachment == NULL || attachment->will != NULL || attachment->window.count > 0 ||
        attachment->received.count > 0 || attachment->received.capacity > 0 ||
        connection->subscriptions > SUBSCRIPTIONS_WITHOUT_ATTACHMENT)
        return;
    connection->next_id = attachment->window.next_id;
    connection->attachment = 0;
    pool_free(mqtt->pool, attachment, sizeof *attachment);
    mqtt->stats.session_bytes -= sizeof *attachment;
}

struct traffic *connection_traffic_made(struct mqtt *mqtt, struct connection *connection) {
    struct traffic *traffic = connection_traffic(mqtt, connection);

    if (traffic != NULL)
        return traffic;
    traffic = pool_alloc(mqtt->pool, sizeof *traffic);
    if (traffic == NULL)
        return NULL;
    *traffic = (struct traffic){0};
    connection->traffic = arena_ref(mqtt->pool->base, traffic);
    mqtt->stats.session_bytes += sizeof *traffic;
    return traffic;
}

static void traffic_free(struct mqtt *mqtt, struct connection *connection) {
    if (connection->traffic == 0)
        return;
    pool_free(mqtt->pool, connection_traffic(mqtt, connection), sizeof(struct traffic));
    connection->traffic = 0;
    mqtt->stats.session_bytes -= sizeof(struct traffic);
}

void connection_count_in(struct mqtt *mqtt, struct connection *connection, int64_t len) {
    int64_t sum = connection->bytes_in + len;

    connection->bytes_in = (uint32_t)sum;
    if (sum != connection->bytes_in && connection->traffic != 0)
        connection_traffic(mqtt, connection)->bytes_in_high += sum < 0 ? UINT32_MAX : 1;
}

void connection_count_out(struct mqtt *mqtt, struct connection *connection, uint32_t len) {
    connection->bytes_out += len;
    if (connection->bytes_out < len && connection->traffic != 0)
        connection_traffic(mqtt, connection)->bytes_out_high++;
}

uint64_t connection_bytes_in(const struct mqtt *mqtt, const struct connection *connection) {
    const struct traffic *traffic = connection_traffic(mqtt, connection);

    return (traffic != NULL ? (uint64_t)traffic->bytes_in_high << 32 : 0) | connection->bytes_in;
}

uint64_t connection_bytes_out(const struct mqtt *mqtt, const struct connection *connection) {
    const struct traffic *traffic = connection_traffic(mqtt, connection);

    return (traffic != NULL ? (uint64_t)traffic->bytes_out_high << 32 : 0) | connection->bytes_out;
}

static void count_end(struct mqtt *mqtt, enum mail_close_reason reason, bool accepted) {
    static const enum counter of_clients[] = {
        [CLOSE_CLIENT] = COUNTER_MQTT_CLOSED_CLIENT,
        [CLOSE_PEER] = COUNTER_MQTT_CLOSED_PEER,
        [CLOSE_TAKEOVER] = COUNTER_MQTT_CLOSED_TAKEOVER,
        [CLOSE_ADMIN] = COUNTER_MQTT_CLOSED_ADMIN,
    };

    switch (reason) {
    case CLOSE_RESOURCES:
        count(mqtt->counters, COUNTER_MQTT_NO_MEMORY_CLOSE);
        break;
    case CLOSE_SHUTDOWN:
        count(mqtt->counters, COUNTER_MQTT_STOPPING);
        break;
    case CLOSE_CLIENT:
    case CLOSE_PEER:
    case CLOSE_TAKEOVER:
    case CLOSE_ADMIN:
        if (accepted)
            count(mqtt->counters, of_clients[reason]);
        break;
    case CLOSE_KEEP_ALIVE:
    case CLOSE_PROTOCOL:
    case CLOSE_REFUSED:
    case CLOSE_TIMEOUT:
        break; /* counted in detail where it was found */
    }
}

/* Empties the attachment but for the will; what is left of it becomes the remains. */
static struct message *empty_attachment(struct mqtt *mqtt, struct attachment *attachment) {
    struct message *will = attachment->will;

    mqtt->stats.session_bytes -= window_bytes(&attachment->window);
    window_clear(&attachment->window, mqtt->parcels);
    packet_ids_clear(&attachment->received, mqtt->pool);
    attachment->will = NULL;
    return will;
}

static void leave_remains(struct mqtt *mqtt, struct connection *connection,
                          enum mail_close_reason reason, struct attachment *attachment,
                          struct message *will) {
    const struct traffic *traffic = connection_traffic(mqtt, connection);
    struct remains work = {
        .will = will,
        .messages_in = traffic != NULL ? traffic->messages_in : 0,
        .messages_out = traffic != NULL ? traffic->messages_out : 0,
        .bytes_in = connection_bytes_in(mqtt, connection),
        .bytes_out = connection_bytes_out(mqtt, connection),
        .who = connection_name(mqtt, connection),
        .session = connection->session,
        .filters = connection->filters,
        .shard = connection->shard,
        .reason = (uint8_t)reason,
        .tell = true,
        .subscribed = connection->flags & CONNECTION_SUBSCRIBED,
    };
    connection->filters = 0;
    remains_take(mqtt, &work, attachment);
}

void connection_end(struct mqtt *mqtt, struct connection *connection, enum mail_close_reason reason,
                    enum connection_ending ending) {
    if (connection->state == STATE_CLOSING)
        return;
    bool accepted = connection->state == STATE_CONNECTED;
    bool asked = accepted || connection->state == STATE_AUTHENTICATING;
    struct attachment *attachment = connection_attachment(mqtt, connection);
    struct message *will = NULL;

    count_end(mqtt, reason, accepted);
    connection->state = STATE_CLOSING;
    connection->attachment = 0;
    connection_unlist(mqtt, connection);
    partial_free(mqtt, connection);
    if (attachment != NULL)
        will = empty_attachment(mqtt, attachment);
    if (will != NULL && (!accepted || reason == CLOSE_CLIENT || reason == CLOSE_SHUTDOWN)) {
        parcel_release(mqtt->parcels, will);
        will = NULL;
    }
    if (accepted) {
        mqtt->stats.connected--;
        if (!connection_persistent(connection))
            mqtt->stats.clean_sessions--;
    }
    if (asked) { /* what the shard does not know it need not be told */
        leave_remains(mqtt, connection, reason, attachment, will);
    } else if (attachment != NULL) {
        pool_free(mqtt->pool, attachment, sizeof *attachment);
        mqtt->stats.session_bytes -= sizeof *attachment;
    }
    traffic_free(mqtt, connection);
    connection->flags &= CONNECTION_CLEAN;
    if (ending == ENDING_ORDERLY)
        tcp_close(mqtt->tcp, connection_tcp(connection));
    else if (ending == ENDING_ABORT)
        tcp_abort(mqtt->tcp, connection_tcp(connection));
}

void connection_doom(struct mqtt *mqtt, struct connection *connection,
                     enum mail_close_reason reason) {
    if (connection->state == STATE_CLOSING || (connection->flags & CONNECTION_DOOMED))
        return;
    connection->doom = reason;
    connection_wait(mqtt, connection, CONNECTION_DOOMED);
}

void connection_wait(struct mqtt *mqtt, struct connection *connection, uint8_t why) {
    void *base = mqtt->pool->base;
    ref_t ref = arena_ref(base, connection);

    connection->flags |= why;
    if (connection->flags & CONNECTION_LISTED)
        return;
    connection->flags |= CONNECTION_LISTED;
    connection->next = 0;
    connection->previous = mqtt->waiting_last;
    if (mqtt->waiting_last)
        ((struct connection *)arena_at(base, mqtt->waiting_last))->next = ref;
    else
        mqtt->waiting_first = ref;
    mqtt->waiting_last = ref;
}

void connection_unlist(struct mqtt *mqtt, struct connection *connection) {
    void *base = mqtt->pool->base;

    if (!(connection->flags & CONNECTION_LISTED))
        return;
    if (connection->previous)
        ((struct connection *)arena_at(base, connection->previous))->next = connection->next;
    else
        mqtt->waiting_first = connection->next;
    if (connection->next)
        ((struct connection *)arena_at(base, connection->next))->previous = connection->previous;
    else
        mqtt->waiting_last = connection->previous;
    connection->flags &= (uint8_t)~CONNECTION_LISTED;
}

/* Milliseconds wrap after 49 days; the difference of two times that are closer is right. */
static bool before(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) < 0;
}

void connection_timer(struct mqtt *mqtt, struct connection *connection, uint32_t deadline) {
    uint64_t wait_ms = before(mqtt->now_ms, deadline) ? deadline - mqtt->now_ms : 0;

    tcp_app_timer_hasten(mqtt->tcp, connection_tcp(connection), mqtt->now + 1000 * wait_ms + 1);
}

/* While we do not take its input a client cannot be heard; then TCP's signs of life count. */
static uint32_t silent_ms(struct mqtt *mqtt, struct connection *connection) {
    uint32_t silent = mqtt->now_ms - connection->heard;

    if (connection_waits(connection)) {
        uint64_t last = tcp_last_received(mqtt->tcp, connection_tcp(connection), mqtt->now);
        uint64_t tcp_silent = last < mqtt->now ? (mqtt->now - last) / 1000 : 0;
        if (tcp_silent < silent)
            silent = (uint32_t)tcp_silent;
    }
    return silent;
}

/* A peer that does not acknowledge data will not acknowledge a FIN. */
static void end_silent(struct mqtt *mqtt, struct connection *connection,
                       enum mail_close_reason reason) {
    bool unanswered = tcp_unacknowledged(connection_tcp(connection)) > 0;

    connection_end(mqtt, connection, reason, unanswered ? ENDING_ABORT : ENDING_ORDERLY);
}

static uint32_t keep_alive_ms(const struct connection *connection) {
    return 1500u * connection->keep_alive; /* MQTT-3.1.2-24 */
}

void connection_timer_fired(struct mqtt *mqtt, struct connection *connection) {
    if (connection->state == STATE_AWAIT_CONNECT) {
        count(mqtt->counters, COUNTER_MQTT_CONNECT_TIMEOUT);
        end_silent(mqtt, connection, CLOSE_TIMEOUT);
        return;
    }
    if (connection->state != STATE_CONNECTED)
        return;

    if (connection->keep_alive) {
        uint32_t silent = silent_ms(mqtt, connection);
        if (silent >= keep_alive_ms(connection)) {
            count(mqtt->counters, COUNTER_MQTT_KEEP_ALIVE_TIMEOUT);
            end_silent(mqtt, connection, CLOSE_KEEP_ALIVE);
            return;
        }
        connection_timer(mqtt, connection, mqtt->now_ms - silent + keep_alive_ms(connection));
    }
    const struct partial *partial = partial_of(mqtt, connection);
    if (partial != NULL && !partial_whole(partial) && !connection_waits(connection)) {
        if (mqtt->now_ms - partial->started >= mqtt->config.limits.packet_timeout_ms) {
            count(mqtt->counters, COUNTER_MQTT_PACKET_TIMEOUT);
            end_silent(mqtt, connection, CLOSE_TIMEOUT);
            return;
        }
        connection_timer(mqtt, connection,
                         partial->started + mqtt->config.limits.packet_timeout_ms);
    }
}
