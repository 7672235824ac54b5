/* SPDX-License-Identifier: Apache-2.0 */
/* Mail for the MQTT side. */
#include "dataplane/mqtt/delivery.h"
#include "dataplane/mqtt/handlers.h"
#include "dataplane/mqtt/inspect.h"
#include "dataplane/mqtt/output.h"
#include "dataplane/mqtt/suback.h"
#include "dataplane/mqtt/turn.h"

/* A kick may also come while the shard is still deciding. */
static void kick(struct mqtt *mqtt, const struct mail *mail) {
    struct tcp_conn *tcp = tcp_conn_at(mqtt->tcp, mail->conn);
    struct connection *connection = tcp != NULL ? tcp_conn_app(tcp) : NULL;
    enum mail_close_reason reason = mail->code;

    if (connection == NULL || connection->generation != mail->generation ||
        (connection->state != STATE_CONNECTED && connection->state != STATE_AUTHENTICATING)) {
        count(mqtt->counters, COUNTER_MQTT_STALE_MAIL);
        return;
    }
    if (reason < CLOSE_CLIENT || reason > CLOSE_RESOURCES)
        reason = CLOSE_ADMIN;
    connection_end(mqtt, connection, reason, ENDING_ORDERLY);
}

static void ack(struct mqtt *mqtt, const struct mail *mail, enum packet_type type,
                uint16_t packet_id) {
    struct connection *connection = connection_find(mqtt, mail->conn, mail->generation);

    if (connection == NULL)
        count(mqtt->counters, COUNTER_MQTT_STALE_MAIL);
    else if (!output_ack(mqtt, connection, type, packet_id))
        connection_end(mqtt, connection, CLOSE_RESOURCES, ENDING_ABORT);
}

static void unsuback(struct mqtt *mqtt, const struct mail *mail) {
    if (mail->subscribe.filters != NULL)
        parcel_release(mqtt->parcels, mail->subscribe.filters);
    ack(mqtt, mail, PACKET_UNSUBACK, mail->subscribe.packet_id);
}

void mqtt_mail(struct mqtt *mqtt, const struct mail *mail) {
    switch (mail->type) {
    case MAIL_VERDICT:
        handle_verdict(mqtt, mail);
        break;
    case MAIL_KICK:
        kick(mqtt, mail);
        break;
    case MAIL_SUBACK:
        suback_from_shard(mqtt, mail);
        break;
    case MAIL_UNSUBACK:
        unsuback(mqtt, mail);
        break;
    case MAIL_DELIVER:
        delivery_from_shard(mqtt, mail);
        break;
    case MAIL_PUBREL_OUT:
        ack(mqtt, mail, PACKET_PUBREL, mail->ack.packet_id);
        break;
    case MAIL_INSPECT:
        inspect(mqtt, mail);
        break;
    case MAIL_STOP:
        turn_stop(mqtt);
        break;
    default:
        break; /* not for the MQTT side */
    }
}
