/* SPDX-License-Identifier: Apache-2.0 */
/* Acknowledgements of clients with persistent sessions (OASIS MQTT 3.1.1, 4.3). */
#include "control/sessions/session.h"
#include "control/sessions/state.h"

enum { PUBACK = 4, PUBREC = 5, PUBCOMP = 7 };

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

void ack_mail(struct shard *shard, const struct mail *mail) {
    struct session *session = mail_session(shard, mail);
    if (session == NULL)
        return;
    struct sending sending = {shard, directory_at(&shard->directory, session->client)};
    struct window_use use = session_use(&sending);
    bool known = false;
    switch (mail->ack.packet) {
    case PUBACK:
        known = window_puback(&session->window, &use, mail->ack.packet_id);
        break;
    case PUBREC:
        known = window_pubrec(&session->window, &use, mail->ack.packet_id);
        break;
    case PUBCOMP:
        known = window_pubcomp(&session->window, &use, mail->ack.packet_id);
        break;
    }
    if (!known) {
        count(&shard->counters, COUNTER_CONTROL_ACK_UNKNOWN);
        return;
    }
    session_account(shard, session);
    session_progress(shard, session);
}

/*
 * The worker has put the message on its way by now, or will not: an identifier that cannot be noted
 * would let it come twice after a reconnect. The connection is closed, and the client is told so.
 */
static void not_noted(struct shard *shard, const struct client *client) {
    struct mail kick = {.type = MAIL_KICK,
                        .code = CLOSE_RESOURCES,
                        .conn = client->conn,
                        .generation = client->generation,
                        .session = client->handle};
    count(&shard->counters, COUNTER_CONTROL_QOS2_NO_MEMORY);
    shard_send(shard, client->worker, &kick);
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
