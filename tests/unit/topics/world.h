/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two workers (0, 1) and two control shards (2, 3) in one thread of execution, each with its own
 * memory, mailroom and router; the shards have a plain route writer and retained stores. A test
 * says who has a turn when.
 */
#ifndef LINEMQ_TESTS_TOPICS_WORLD_H
#define LINEMQ_TESTS_TOPICS_WORLD_H

#include "dataplane/topics/router.h"
#include "memory.h"
#include "test.h"

enum {
    WORKERS = 2,
    SHARD = 2, /* the first */
    SHARDS = 2,
    THREADS = 4,
    SUBSCRIBERS = 64, /* with a list of their own on each thread */
    STORE_MAX = 4096,
    QUERIES_MAX = 4096,
};

struct delivery {
    struct subscriber to;
    uint32_t payload; /* the number published */
    uint8_t qos;
    bool retain;
    char topic[320];
};

struct answer {
    struct subscriber who;
    uint16_t packet_id;
    unsigned count;
    uint8_t codes[8];
};

struct stored {
    struct message *message;
    uint64_t epoch;
};

struct query {
    struct mail mail; /* MAIL_RETAINED_QUERY, or type 0 when it is over */
    unsigned position, credit;
    bool drained;
};

struct thread {
    struct memory memory;
    struct parcels parcels;
    struct mailroom *room;
    struct router *router;
    struct counters counters;
    struct router_owner owner;
    ref_t heads[SUBSCRIBERS];

    struct delivery *deliveries;
    unsigned deliveries_count, deliveries_room;
    struct answer answers[64];
    unsigned answers_count;
    struct message *kept[64]; /* references taken while `keep` is set */
    unsigned kept_count;
    bool keep;
    unsigned full_at; /* deliveries; 0: never */
    bool not_ready;   /* what retained_ready says: no */

    /* A shard's. */
    bool routes_held; /* route changes wait */
    struct mail *changes;
    unsigned changes_count, changes_room;
    struct stored store[STORE_MAX];
    unsigned store_count;
    struct query *queries;
    unsigned queries_count;
    unsigned queried; /* ever */
    unsigned batch;
    bool heeds_stop;
    unsigned stops;
};

struct world {
    struct mailboxes *mailboxes;
    struct routes *routes;
    struct router_limits limits;
    struct thread threads[THREADS];
};
extern struct world world;

/* Setup and teardown; teardown checks that all memory came back. */
int world_open(void **state);
int world_close(void **state);
/* Another set of limits: closes and opens. */
void world_reopen(const struct router_limits *limits, unsigned slots);

/* Parts of a turn, and a whole one. */
unsigned world_receive(unsigned thread, unsigned max);
void world_turn(unsigned thread);
void world_settle(void); /* turns of all until nothing happens */

/* Subscriber `ref` of `thread`, generation 1. The SUBACK's packet identifier is `ref`. */
void subscribe(unsigned thread, uint32_t ref, const char *filter, uint8_t qos);
uint8_t subscribe_code(unsigned thread, uint32_t ref, const char *filter, uint8_t qos);
bool unsubscribe(unsigned thread, uint32_t ref, const char *filter);

enum publish_result publish_with(unsigned thread, const char *topic, uint32_t number, uint8_t qos,
                                 bool retain, struct topic_memo *memo);
void publish(unsigned thread, const char *topic, uint32_t number); /* QoS 0, must be done */
void publish_retained(unsigned thread, const char *topic, uint32_t number);

/* How often `ref` of `thread` was delivered message `number`, live or retained. */
unsigned delivered(unsigned thread, uint32_t ref, uint32_t number);
unsigned delivered_as(unsigned thread, uint32_t ref, uint32_t number, bool retain);
void forget_deliveries(void);

uint64_t counted(unsigned thread, enum counter counter);

/* Checks that each subscriber's deliveries on each topic have rising numbers; or those that came
 * live have. */
void assert_in_order(unsigned thread);
void assert_live_in_order(unsigned thread);

#endif
