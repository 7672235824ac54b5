/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to persistent sessions. QoS 1 and 2 go into the session's window and from there to the
 * worker; QoS 0 goes straight there, or behind those that wait, or nowhere when the client is away.
 *
 * Live messages come only while the workers take what they are sent (shard_full), and so they are
 * sent whatever the backlog of the worker: what sessions send by themselves waits when the backlog
 * is long.
 *
 * What is sent to a worker is a copy: a parcel has one holder, and the session keeps its own until
 * the client acknowledges.
 */
#include "control/sessions/session.h"
#include "control/sessions/state.h"

struct message *shard_keep(struct shard *shard, struct message *message) {
    if (message->parcel.home == shard->self)
        return message_ref(message);
    struct keep *keep = &shard->keep;
    if (keep->from != message) {
        struct message *copy = message_copy(&shard->parcels, message);
        if (copy == NULL)
            return NULL;
        shard_keep_end(shard);
        keep->from = message_ref(message);
        keep->copy = copy;
    }
    return message_ref(keep->copy);
}

void shard_keep_end(struct shard *shard) {
    struct keep *keep = &shard->keep;
    if (keep->from != NULL) {
        parcel_release(&shard->parcels, keep->from);
        parcel_release(&shard->parcels, keep->copy);
        *keep = (struct keep){0};
    }
}

static bool send_message(const struct sending *sending, const struct message *message,
                         uint16_t packet_id, uint8_t qos, bool retain, bool dup) {
    struct shard *shard = sending->shard;
    const struct client *client = sending->client;
    if ((!sending->live && shard_pressed(shard, client->worker)) ||
        (message->parcel.size > SEND_SMALL && shard_short(shard, SEND_PART)))
        return false;
    struct message *copy = message_copy(&shard->parcels, message);
    if (copy == NULL)
        return false;
    struct mail mail = {
        .type = MAIL_DELIVER,
        .conn = client->conn,
        .generation = client->generation,
        .session = client->handle,
        .deliver = {
            .message = copy, .packet_id = packet_id, .qos = qos, .retain = retain, .dup = dup}};
    if (!mail_send(shard->mailroom, client->worker, &mail)) {
        parcel_release(&shard->parcels, copy);
        return false;
    }
    return true;
}

static bool window_publish(void *to, struct message *message, uint16_t packet_id, uint8_t qos,
                           bool retain, bool dup) {
    return send_message(to, message, packet_id, qos, retain, dup);
}

static bool window_pubrel(void *to, uint16_t packet_id, bool dup) {
    struct sending *sending = to;
    if (!sending->live && shard_pressed(sending->shard, sending->client->worker))
        return false;
    struct mail mail = {.type = MAIL_PUBREL_OUT,
                        .conn = sending->client->conn,
                        .generation = sending->client->generation,
                        .session = sending->client->handle,
                        .ack = {.packet_id = packet_id, .packet = 6 /* PUBREL */, .dup = dup}};
    return mail_send(sending->shard->mailroom, sending->client->worker, &mail);
}

struct window_use session_use(struct sending *sending) {
    const struct config *config = sending->shard->registry->config;
    return (struct window_use){.parcels = &sending->shard->parcels,
                               .inflight = config->mqtt.inflight,
                               .queued = config->mqtt.queued,
                               .queued_bytes = config->mqtt.queued_bytes,
                               .replay = true,
                               .publish = window_publish,
                               .pubrel = window_pubrel,
                               .to = sending};
}

/* What is sent to a connection that was told to close is lost, and sent again on the next. */
static bool takes_messages(const struct client *client) {
    return (client->flags & (CLIENT_CONNECTED | CLIENT_CLOSING)) == CLIENT_CONNECTED;
}

/* False: what may be sent could not all be. */
static bool send_waiting(struct shard *shard, struct session *session, bool live) {
    struct sending sending = {shard, directory_at(&shard->directory, session->client), live};
    if (!takes_messages(sending.client))
        return true;
    struct window_use use = session_use(&sending);
    bool sent = window_send(&session->window, &use);
    if (!sent)
        session_wait(shard, session);
    session_account(shard, session);
    return sent;
}

void session_send(struct shard *shard, struct session *session) {
    send_waiting(shard, session, false);
}

static void drop(struct shard *shard, struct session *session, enum counter counter) {
    session->dropped++;
    count(&shard->counters, counter);
}

/* QoS 0, at once or never. False: it has to wait behind others. */
static bool deliver_at_once(struct shard *shard, struct session *session,
                            const struct message *message, bool retain) {
    struct sending sending = {shard, directory_at(&shard->directory, session->client), true};
    if (!takes_messages(sending.client)) {
        drop(shard, session, COUNTER_CONTROL_QOS0_OFFLINE);
        return true;
    }
    if (!send_waiting(shard, session, true) || window_queued(&session->window) > 0)
        return false;
    if (!send_message(&sending, message, 0, 0, retain, false))
        drop(shard, session, COUNTER_CONTROL_QOS0_BUSY);
    return true;
}

void shard_deliver(void *owner, struct subscriber to, struct message *message, uint8_t qos,
                   bool retain) {
    struct shard *shard = owner;
    struct session *session = session_of(shard, to);
    if (session == NULL)
        return; /* discarded, its subscriptions are on their way out */
    if (qos == 0 && deliver_at_once(shard, session, message, retain))
        return;
    struct message *kept = shard_keep(shard, message);
    if (kept == NULL) {
        drop(shard, session, COUNTER_CONTROL_QUEUE_NO_MEMORY);
        return;
    }
    struct sending sending = {.shard = shard};
    struct window_use use = session_use(&sending);
    bool tight = shard_short(shard, SHORT_PART);
    if (tight)
        use.queued = 0;
    switch (window_push(&session->window, &use, kept, qos, retain)) {
    case WINDOW_TAKEN:
        session_account(shard, session);
        send_waiting(shard, session, true);
        break;
    case WINDOW_FULL:
        drop(shard, session, tight ? COUNTER_CONTROL_QUEUE_NO_MEMORY : COUNTER_CONTROL_QUEUE_FULL);
        break;
    case WINDOW_FULL_BYTES:
        drop(shard, session, COUNTER_CONTROL_QUEUE_FULL_BYTES);
        break;
    case WINDOW_NO_MEMORY:
        drop(shard, session, COUNTER_CONTROL_QUEUE_NO_MEMORY);
        break;
    }
    parcel_release(&shard->parcels, kept);
}

/* Retained messages wait for the queue as live ones cannot: a batch comes when it fits. */
bool shard_retained_ready(void *owner, struct subscriber who) {
    struct shard *shard = owner;
    struct session *session = session_of(shard, who);
    if (session == NULL)
        return true; /* to nobody; the query comes to its end */
    const struct client *client = directory_at(&shard->directory, session->client);
    uint32_t queued = window_queued(&session->window);
    bool room = queued == 0 || queued + MAIL_RETAINED_BATCH <= shard->registry->config->mqtt.queued;
    bool busy = takes_messages(client) && shard_pressed(shard, client->worker);
    if (room && !busy)
        return true;
    session->flags |= SESSION_RETAINED;
    if (busy)
        session_wait(shard, session);
    return false;
}
