/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's MQTT side with the real router and mailboxes, a TCP made for the test, and a control
 * shard played by the test: it writes routes, answers queries for retained messages, says yes to
 * CONNECT unless told otherwise, and keeps all other mail for the test to look at.
 */
#ifndef LINEMQ_TESTS_MQTT_FIXTURE_H
#define LINEMQ_TESTS_MQTT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/mqtt/codec.h"
#include "dataplane/mqtt/mqtt.h"
#include "tests/unit/mqtt/fake_tcp.h"
#include "tests/unit/mqtt/memory.h"

enum { WORKER, SHARD, ADMIN, THREADS, MAILS_MAX = 4096, RETAINED_MAX = 64, QUERIES_MAX = 1024 };

struct fixture {
    struct memory worker, shard;
    struct mailboxes *mailboxes;
    struct mailroom *rooms[THREADS];
    struct routes *routes;
    struct counters counters;
    struct mqtt_config config; /* may be changed before fixture_start */
    struct router_limits router_limits;
    struct tcp *tcp;
    struct router *router;
    struct mqtt *mqtt;
    uint64_t now;

    bool hold_verdicts;  /* CONNECTs are kept in `mails` */
    struct mail verdict; /* the answer otherwise; session counts up */
    uint32_t sessions;
    bool shard_asleep;            /* takes no mail */
    struct mail mails[MAILS_MAX]; /* what the shard got for the test to look at */
    unsigned mails_count;
    unsigned closed_told;  /* MAIL_CLOSEDs so far */
    struct mail inspected; /* what the admin thread got last */

    struct retained {
        char topic[64];
        uint32_t payload_len;
        uint8_t payload[64], qos;
    } retained[RETAINED_MAX];
    unsigned retained_count;
    struct query { /* a query that is being answered, a batch at a time */
        uint32_t operation;
        unsigned next;
        struct filter_parcel *filter; /* NULL: free */
    } queries[QUERIES_MAX];
};

extern struct fixture f;
extern size_t fixture_memory; /* bytes of each thread's arena */

/* cmocka set-up and tear-down. Tear-down resets all connections and checks that no memory stays. */
int fixture_open(void **state);    /* with fixture_start */
int fixture_prepare(void **state); /* without: the test changes f.config and calls fixture_start */
void fixture_start(void);
int fixture_close(void **state);

/* One turn of the worker and of the others. */
void turn(void);
/* Turns until nothing happens any more. */
void settle(void);
/* Time passes, and timers fire. */
void wait_ms(uint64_t ms);

uint64_t counter(enum counter which);

/* The first mail of this type that the shard got, taken out; fails if there is none. */
struct mail take_mail(enum mail_type type);
unsigned mails_of(enum mail_type type);
/* From the shard to the worker. */
void shard_send(struct mail mail);
/* Takes out all mails that are kept, and releases their parcels. */
void forget_mails(void);
/* About the connection that `about` names. */
struct mail answer_to(const struct mail *about, enum mail_type type);
/* MAIL_DELIVER with a message of the shard's. */
void shard_deliver(const struct mail *about, const char *topic, const char *payload,
                   uint16_t packet_id, uint8_t qos, bool retain, bool dup);

/* --- clients --------------------------------------------------------------------------------- */

enum { CLIENTS_MAX = 64 };
extern struct peer clients[CLIENTS_MAX];

/* A fresh one. */
struct peer *new_client(void);

#define SEND(client, ...)                                                                          \
    peer_send(f.tcp, client, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Builds packets. All return the length. */
size_t make_connect(uint8_t *out, const char *id, uint8_t flags, uint16_t keep_alive);
size_t make_publish(uint8_t *out, const char *topic, const void *payload, size_t len, uint8_t flags,
                    uint16_t packet_id);
size_t make_subscribe(uint8_t *out, uint16_t packet_id, const char *filter, uint8_t qos);

void send_connect(struct peer *client, const char *id, uint8_t flags, uint16_t keep_alive);
void send_publish(struct peer *client, const char *topic, const char *payload, uint8_t flags,
                  uint16_t packet_id);
void send_subscribe(struct peer *client, uint16_t packet_id, const char *filter, uint8_t qos);
void send_ack(struct peer *client, enum packet_type type, uint16_t packet_id);

/* A clean session, CONNACK taken. */
struct peer *connected_client(const char *id);
/* A persistent one; *connect is its MAIL_CONNECT, its request released. */
struct peer *persistent_client(const char *id, struct mail *connect);
void subscribed(struct peer *client, const char *filter, uint8_t qos);

/* What the client got next: taken out after comparing. All let things settle first. */
void expect(struct peer *client, const void *bytes, size_t len);
#define EXPECT(client, ...)                                                                        \
    expect(client, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
void expect_ack(struct peer *client, enum packet_type type, uint16_t packet_id);
/* Returns the packet identifier. */
uint16_t expect_publish(struct peer *client, const char *topic, const char *payload, uint8_t flags);
void expect_nothing(struct peer *client);
/* What the client got and did not take is whole packets, of types that a server sends. Returns how
 * many are of `type`. */
unsigned packets_of(const struct peer *client, enum packet_type type);
/* FIN or RST, and nothing else before. */
void expect_closed(struct peer *client);
void expect_open(struct peer *client);

#define FIXTURE_TEST(name)  cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
#define PREPARED_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_prepare, fixture_close)

#endif
