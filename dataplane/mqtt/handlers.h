/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One handler for each control packet a client sends; each file names the statements of OASIS MQTT
 * 3.1.1 that it carries out. A handler sees whole packets only, with their type, flags, size and
 * order checked.
 *
 * A handler does all or nothing: what may fail for want of memory or mailbox room is made sure of
 * first, so that the same packet can be handled again later.
 */
#ifndef LINEMQ_MQTT_HANDLERS_H
#define LINEMQ_MQTT_HANDLERS_H

#include "dataplane/mqtt/codec.h"
#include "dataplane/mqtt/connection.h"

struct packet {
    struct fixed_header header;
    const uint8_t *body; /* header.remaining bytes; of no meaning with `message` */
    /* A PUBLISH assembled in a message: points to the owner's reference, which the handler sets to
     * NULL when it has handed it on. Else NULL. */
    struct message **message;
    uint16_t packet_id; /* of that PUBLISH */
};

enum handled {
    HANDLED_DONE,
    HANDLED_TRY_AGAIN, /* nothing was done */
    HANDLED_CLOSED,    /* the connection has ended */
};

enum handled handle_connect(struct mqtt *mqtt, struct connection *connection,
                            const struct packet *packet);
enum handled handle_publish(struct mqtt *mqtt, struct connection *connection,
                            const struct packet *packet);
enum handled handle_acks(struct mqtt *mqtt, struct connection *connection,
                         const struct packet *packet);
enum handled handle_pubrel(struct mqtt *mqtt, struct connection *connection,
                           const struct packet *packet);
enum handled handle_subscribe(struct mqtt *mqtt, struct connection *connection,
                              const struct packet *packet);
enum handled handle_unsubscribe(struct mqtt *mqtt, struct connection *connection,
                                const struct packet *packet);
enum handled handle_ping(struct mqtt *mqtt, struct connection *connection,
                         const struct packet *packet);
enum handled handle_disconnect(struct mqtt *mqtt, struct connection *connection,
                               const struct packet *packet);

/* The verdict on a CONNECT. */
void handle_verdict(struct mqtt *mqtt, const struct mail *mail);

/* A protocol error: counts `why` and ends the connection (MQTT-4.8.0-1). */
enum handled handle_violation(struct mqtt *mqtt, struct connection *connection, enum counter why);
enum handled handle_malformed(struct mqtt *mqtt, struct connection *connection,
                              enum codec_result result);

/* What is wrong with a topic name to publish to; COUNTERS: nothing. */
enum counter handle_topic_fault(const struct mqtt *mqtt, const uint8_t *topic, uint16_t len);

/* $SYS belongs to the broker: what clients publish there goes nowhere. */
bool handle_is_sys(const uint8_t *topic, uint16_t len);

/* More levels than any topic has: checks the form alone. */
enum { TOPIC_LEVELS_ANY = UINT16_MAX + 1 };

/* The thread number of the connection's shard. */
static inline unsigned handler_shard(const struct mqtt *mqtt, const struct connection *connection) {
    return mqtt->config.first_shard + connection->shard;
}

/* A mail about the connection. */
static inline struct mail handler_mail(const struct mqtt *mqtt, struct connection *connection,
                                       enum mail_type type) {
    struct subscriber name = connection_name(mqtt, connection);

    return (struct mail){.type = (uint8_t)type,
                         .conn = name.ref,
                         .generation = name.generation,
                         .session = connection->session};
}

#endif
