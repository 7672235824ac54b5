/* SPDX-License-Identifier: Apache-2.0 */
/* Acknowledgements of clients with persistent sessions (OASIS MQTT 3.1.1, 4.3). */
#include "control/sessions/session.h"
#include "control/sessions/state.h"

enum { PUBACK = 4, PUBREC, PUBREL, PUBCOMP };

struct client *mail_client(struct shard *shard, const struct mail *mail) {
    struct client *client = directory_at(&shard->directory, mail->session);
    if (client == NULL || !client_is_at(client, mail->from, mail->conn, mail->generation)) {
        count(&shard->counters, COUNTER_CONTROL_STALE_MAIL);
        return NULL;
    }
    return client;
}

struct session *mail_session(struct shard *shard, const struct mail *mail) {
    struct client *client = mail_client(shard, mail);
    return client != NULL ? session_at(shard, client->session) : NULL;
}

static enum window_ack acknowledge(struct session *session, const struct window_use *use,
                                   const struct mail *mail) {
    switch (mail->ack.packet) {
    case PUBACK:
        return window_puback(&session->window, use, mail->ack.packet_id);
    case PUBREC:
        return window_pubrec(&session->window, use, mail->ack.packet_id);
    case PUBCOMP:
        return window_pubcomp(&session->window, use, mail->ack.packet_id);
    default:
        return WINDOW_ACK_UNKNOWN;
    }
}

/* Lets a receiver that holds an identifier of ours, which we do not know of, forget it. */
static void let_go(struct shard *shard, const struct client *client, uint16_t packet_id) {
    struct mail mail = {.type = MAIL_PUBREL_OUT,
                        .conn = client->conn,
                        .generation = client->generation,
                        .session = client->handle,
                        .ack = {.packet_id = packet_id, .packet = PUBREL}};
    shard_send(shard, client->worker, &mail);
}

/* MQTT-4.8.0-1. What follows on the same connection still counts, and goes nowhere. */
static void wrong(struct shard *shard, struct client *client) {
    if (client->flags & CLIENT_CLOSING)
        return;
    count(&shard->counters, COUNTER_CONTROL_WRONG_ACK);
    client->flags |= CLIENT_CLOSING;
    client_kick(shard, client, CLOSE_PROTOCOL);
}

void ack_mail(struct shard *shard, const struct mail *mail) {
    struct session *session = mail_session(shard, mail);
    if (session == NULL)
        return;
    struct client *client = directory_at(&shard->directory, session->client);
    struct sending sending = {.shard = shard, .client = client};
    struct window_use use = session_use(&sending);
    switch (acknowledge(session, &use, mail)) {
    case WINDOW_ACK_TAKEN:
        session_account(shard, session);
        session_progress(shard, session);
        break;
    case WINDOW_ACK_UNKNOWN:
        count(&shard->counters, COUNTER_CONTROL_ACK_UNKNOWN);
        if (mail->ack.packet == PUBREC)
            let_go(shard, client, mail->ack.packet_id);
        break;
    case WINDOW_ACK_WRONG:
        wrong(shard, client);
        break;
    }
}

/*
 * The worker has put the message on its way by now, or will not: an identifier that cannot be noted
 * would let it come twice after a reconnect. The connection is closed, and the client is told so.
 */
static void not_noted(struct shard *shard, const struct client *client) {
    count(&shard->counters, COUNTER_CONTROL_QOS2_NO_MEMORY);
    client_kick(shard, client, CLOSE_RESOURCES);
}

void qos2_in_mail(struct shard *shard, const struct mail *mail) {
    struct session *session = mail_session(shard, mail);
    if (session == NULL)
        return;
    if (!mail->qos2_in.held)
        packet_ids_remove(&session->received, &shard->pool, mail->qos2_in.packet_id);
    else if (!packet_ids_add(&session->received, &shard->pool, mail->qos2_in.packet_id))
        not_noted(shard, directory_at(&shard->directory, session->client));
}
