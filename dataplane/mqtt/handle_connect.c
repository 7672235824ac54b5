/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CONNECT (3.1) and its answer. What is a matter of form is decided here; whether the client may
 * come in, and what session it has, its control shard decides.
 */
#include "dataplane/mqtt/handlers.h"

#include "dataplane/mqtt/output.h"
#include "dataplane/mqtt/shortage.h"
#include "dataplane/mqtt/will.h"

/* Says why, then closes (3.2.2.3). Without memory for the answer it only closes. */
static enum handled refuse(struct mqtt *mqtt, struct connection *connection, uint8_t code,
                           enum counter why) {
    uint8_t bytes[4];

    count(mqtt->counters, why);
    output_packet(mqtt, connection, bytes, encode_connack(bytes, false, code));
    connection_end(mqtt, connection, CLOSE_REFUSED, ENDING_ORDERLY);
    return HANDLED_CLOSED;
}

/* The shard of a client without identifier is any; connections spread over them. */
static unsigned choose_shard(const struct mqtt *mqtt, struct connection *connection,
                             const struct connect_view *view) {
    const struct mqtt_config *config = &mqtt->config;

    if (view->client_id_len > 0)
        return client_shard(view->client_id, view->client_id_len, config->shard_key,
                            config->shards);
    struct subscriber name = connection_name(mqtt, connection);
    return client_shard((const uint8_t *)&name, sizeof name, config->shard_key, config->shards);
}

static void append(struct connect_request *request, size_t *used, const uint8_t *bytes,
                   uint16_t len) {
    if (len > 0)
        memcpy(request->bytes + *used, bytes, len);
    *used += len;
}

static struct connect_request *request_new(struct mqtt *mqtt, struct connection *connection,
                                           const struct connect_view *view) {
    size_t size = sizeof(struct connect_request) + view->client_id_len + view->username_len +
                  view->password_len;
    struct connect_request *request = parcel_new(mqtt->parcels, size);
    struct tcp_tuple tuple;
    size_t used = 0;

    if (request == NULL)
        return NULL;
    tcp_conn_tuple(mqtt->tcp, connection_tcp(connection), &tuple);
    memcpy(request->remote, tuple.remote, sizeof request->remote);
    request->remote_port = tuple.remote_port;
    request->local_port = tuple.local_port;
    request->keep_alive = view->keep_alive;
    request->level = view->level;
    request->connect_flags = view->flags;
    request->client_id_len = view->client_id_len;
    request->username_len = view->username_len;
    request->password_len = view->password_len;
    append(request, &used, view->client_id, view->client_id_len);
    append(request, &used, view->username, view->username_len);
    append(request, &used, view->password, view->password_len);
    return request;
}

static bool keep_will(struct mqtt *mqtt, struct connection *connection,
                      const struct connect_view *view) {
    if (!(view->flags & CONNECT_WILL))
        return true;
    struct attachment *attachment = connection_attach(mqtt, connection);
    if (attachment == NULL)
        return false;
    if (attachment->will == NULL)
        attachment->will = will_new(mqtt, view);
    return attachment->will != NULL;
}

/* Asks the shard. */
static enum handled ask(struct mqtt *mqtt, struct connection *connection,
                        const struct connect_view *view) {
    unsigned shard = choose_shard(mqtt, connection, view);
    unsigned thread = mqtt->config.first_shard + shard;

    if (mail_pressure(mqtt->mailroom, UINT32_C(1) << thread) || !keep_will(mqtt, connection, view))
        return HANDLED_TRY_AGAIN;
    struct connect_request *request = request_new(mqtt, connection, view);
    if (request == NULL)
        return HANDLED_TRY_AGAIN;
    if (mqtt->config.connecting != NULL)
        mqtt->config.connecting(mqtt->config.connecting_argument, request);
    struct mail mail = handler_mail(mqtt, connection, MAIL_CONNECT);
    mail.connect.request = &request->parcel;
    if (!mail_send(mqtt->mailroom, thread, &mail)) {
        parcel_release(mqtt->parcels, request);
        return HANDLED_TRY_AGAIN;
    }
    connection->shard = shard & 15;
    connection->level = view->level & 7;
    if (view->client_id_len > 0)
        connection->client_name =
            client_name(view->client_id, view->client_id_len, mqtt->config.shard_key);
    if (view->flags & CONNECT_CLEAN_SESSION)
        connection->flags |= CONNECTION_CLEAN;
    connection->state = STATE_AUTHENTICATING;
    return HANDLED_DONE;
}

enum handled handle_connect(struct mqtt *mqtt, struct connection *connection,
                            const struct packet *packet) {
    struct connect_view view;
    enum codec_result result = decode_connect(packet->body, packet->header.remaining, &view);

    if (result == CODEC_BAD_PROTOCOL_LEVEL) /* MQTT-3.1.2-2 */
        return refuse(mqtt, connection, CONNACK_BAD_LEVEL, COUNTER_MQTT_BAD_PROTOCOL_LEVEL);
    if (result != CODEC_OK) /* MQTT-3.1.4-1 */
        return handle_malformed(mqtt, connection, result);
    if (view.client_id_len > mqtt->config.limits.client_id_length)
        return refuse(mqtt, connection, CONNACK_BAD_CLIENT_ID, COUNTER_MQTT_LIMIT_CLIENT_ID);
    /* MQTT-3.1.3-8; 3.1 knows no empty identifier at all. */
    if (view.client_id_len == 0 &&
        (!(view.flags & CONNECT_CLEAN_SESSION) || view.level == LEVEL_MQTT_3_1))
        return refuse(mqtt, connection, CONNACK_BAD_CLIENT_ID, COUNTER_MQTT_BAD_CLIENT_ID);
    if (view.flags & CONNECT_WILL) {
        enum counter fault = handle_topic_fault(mqtt, view.will_topic, view.will_topic_len);
        if (fault != COUNTERS)
            return handle_violation(mqtt, connection, fault);
        if (view.will_payload_len > SHORT_WILL && shortage(mqtt))
            return refuse(mqtt, connection, CONNACK_UNAVAILABLE, COUNTER_MQTT_NO_MEMORY_WILL);
    }
    return ask(mqtt, connection, &view);
}

/* The connection whose CONNECT is with the shard. */
static struct connection *find_authenticating(struct mqtt *mqtt, const struct mail *mail) {
    struct tcp_conn *tcp = tcp_conn_at(mqtt->tcp, mail->conn);
    struct connection *connection = tcp != NULL ? tcp_conn_app(tcp) : NULL;

    if (connection == NULL || connection->generation != mail->generation ||
        connection->state != STATE_AUTHENTICATING)
        return NULL;
    return connection;
}

/* The shard has a session for a connection that is not there any more, and whose end was told
 * without it. */
static void tell_gone(struct mqtt *mqtt, const struct mail *mail) {
    struct remains work = {
        .who = {mail->conn, mail->generation},
        .session = mail->session,
        .shard = (uint8_t)(mail->from - mqtt->config.first_shard),
        .reason = CLOSE_PEER,
        .tell = true,
    };

    count(mqtt->counters, COUNTER_MQTT_STALE_MAIL);
    remains_take(mqtt, &work, NULL);
}

static bool take_received(struct mqtt *mqtt, struct connection *connection,
                          const struct packet_ids *ids) {
    if (ids == NULL || ids->count == 0)
        return true;
    struct attachment *attachment = connection_attach(mqtt, connection);
    if (attachment == NULL)
        return false;
    for (unsigned i = 0; i < ids->count; i++)
        if (!packet_ids_add(&attachment->received, mqtt->pool, ids->ids[i]))
            return false;
    return true;
}

static void set_keep_alive(struct mqtt *mqtt, struct connection *connection, uint16_t keep_alive) {
    uint16_t max = mqtt->config.limits.keep_alive_max;

    if (max != 0 && (keep_alive == 0 || keep_alive > max))
        keep_alive = max;
    connection->keep_alive = keep_alive;
    connection->heard = mqtt->now_ms;
    tcp_app_timer(mqtt->tcp, connection_tcp(connection), 0);
    if (keep_alive == 0)
        tcp_keepalive(mqtt->tcp, connection_tcp(connection), true);
    else
        connection_timer(mqtt, connection, mqtt->now_ms + 1500u * keep_alive);
}

static void accept(struct mqtt *mqtt, struct connection *connection, const struct mail *mail) {
    const struct mqtt_limits *limits = &mqtt->config.limits;
    uint32_t inflight = mail->verdict.inflight_max ? mail->verdict.inflight_max : limits->inflight;
    uint8_t bytes[4];
    /* 3.1 has no session present flag. */
    bool present = mail->verdict.session_present && connection->level != LEVEL_MQTT_3_1;

    connection->session = mail->session;
    connection->state = STATE_CONNECTED;
    connection->inflight_max =
        (uint16_t)(inflight < UINT16_MAX ? (inflight ? inflight : 1) : UINT16_MAX);
    mqtt->stats.connected++;
    if (!connection_persistent(connection))
        mqtt->stats.clean_sessions++;
    count(mqtt->counters, COUNTER_MQTT_ACCEPTED);
    if (!output_packet(mqtt, connection, bytes, encode_connack(bytes, present, 0)) ||
        !take_received(mqtt, connection, (const struct packet_ids *)mail->verdict.qos2_in)) {
        connection_end(mqtt, connection, CLOSE_RESOURCES, ENDING_ABORT);
        return;
    }
    if (connection->finished) {
        connection_end(mqtt, connection, CLOSE_PEER, ENDING_ORDERLY);
        return;
    }
    set_keep_alive(mqtt, connection, mail->verdict.keep_alive);
    tcp_resume(mqtt->tcp, connection_tcp(connection));
}

void handle_verdict(struct mqtt *mqtt, const struct mail *mail) {
    struct connection *connection = find_authenticating(mqtt, mail);

    if (connection != NULL && mail->code == CONNACK_ACCEPTED)
        accept(mqtt, connection, mail);
    else if (connection != NULL)
        refuse(mqtt, connection, mail->code, COUNTER_MQTT_REFUSED);
    else if (mail->code == CONNACK_ACCEPTED)
        tell_gone(mqtt, mail);
    if (mail->verdict.qos2_in != NULL)
        parcel_release(mqtt->parcels, mail->verdict.qos2_in);
}
