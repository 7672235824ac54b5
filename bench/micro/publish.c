/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PUBLISH through a router to one subscriber of the same thread: memo, message, delivery. The
 * argument is the number of topics that come in turn, each from a client of its own.
 */
#include <stdio.h>
#include <string.h>

#include "bench/micro/bench.h"
#include "bench/micro/connections.h"
#include "dataplane/topics/router.h"

enum { BATCH = 16, PAYLOAD = 64, MAILS = 64, TOPIC_MAX = 40 };

struct publisher {
    struct topic_memo memo;
    uint8_t topic[TOPIC_MAX];
    uint16_t len;
};

/* One thread that is worker, shard and route writer at once. */
static struct {
    struct bench_memory memory;
    struct mailboxes *mailboxes;
    struct parcels parcels;
    struct routes *routes;
    struct router *router;
    struct counters counters;
    struct publisher *publishers;
    uint64_t delivered, in_force;
} one;

static void deliver(void *owner, struct subscriber to, struct message *message, uint8_t qos,
                    bool retain) {
    one.delivered++;
}

static void subscribed(void *owner, struct subscriber who, uint16_t packet_id, const uint8_t *codes,
                       unsigned count) {
    one.in_force += codes[0] <= 2;
}

static bool retained_ready(void *owner, struct subscriber who) {
    return true;
}

/* What the control shard does with its mail, without a store. */
static void answer(const struct mail *mail) {
    struct mail reply = {0};
    switch (mail->type) {
    case MAIL_ROUTE_CHANGE:
        routes_change(one.routes, mail->route_change.kind, mail->route_change.key, mail->from,
                      mail->route_change.set);
        reply.type = MAIL_ROUTE_CHANGED;
        reply.route_changed.epoch = routes_advance(one.routes, &reply.route_changed.quiescent);
        reply.route_changed.operation = mail->route_change.operation;
        routes_reclaim(one.routes);
        break;
    case MAIL_RETAINED_QUERY:
        parcel_release(&one.parcels, mail->retained_query.filter);
        reply.type = MAIL_RETAINED_END;
        reply.retained.operation = mail->retained_query.operation;
        break;
    default:
        router_mail(one.router, mail);
        return;
    }
    mail_send(one.parcels.mailroom, 0, &reply);
}

static void turn(void) {
    struct mail mails[MAILS];
    unsigned got;
    do {
        mail_flush(one.parcels.mailroom);
        got = mail_receive(one.parcels.mailroom, mails, MAILS);
        router_begin(one.router);
        for (unsigned i = 0; i < got; i++)
            answer(&mails[i]);
        router_turn(one.router);
        routes_quiescent(one.routes, 0);
    } while (got != 0);
}

static void subscribe_all(int64_t topics) {
    for (int64_t i = 0; i < topics; i++) {
        struct publisher *publisher = &one.publishers[i];
        publisher->len =
            (uint16_t)snprintf((char *)publisher->topic, TOPIC_MAX, "site/%02x/dev/%08x/temp",
                               (unsigned)i % 256, (unsigned)i);
        struct filter filter = {.bytes = publisher->topic, .len = publisher->len};
        struct subscriber who = {.ref = (uint32_t)i + 1, .generation = 1};
        ref_t head = 0;
        router_subscribe(one.router, who, &head, 1, &filter, 1);
        turn();
    }
}

static bool prepare(struct bench_run *run, int64_t topics) {
    connections_drop();
    memset(&one, 0, sizeof one);
    static const uint8_t key[16] = {1, 2, 3};
    topic_hash_set_key(key);
    const struct router_limits limits = {
        .topic_levels = 16, .visits = 256, .fanout_slice = 256, .retained_batch = 16};
    const struct router_owner owner = {deliver, subscribed, retained_ready, NULL, NULL};
    one.publishers = calloc((size_t)topics, sizeof *one.publishers);
    one.mailboxes = mailboxes_create(1, 1024);
    one.routes = routes_create(1);
    if (one.publishers && one.mailboxes && one.routes &&
        bench_memory_open(&one.memory, (size_t)2 << 30)) {
        one.parcels = (struct parcels){&one.memory.pool,
                                       mailroom_create(one.mailboxes, 0, &one.memory.pool), 0};
        one.router = router_create(&one.parcels, one.parcels.mailroom, one.routes, 0, 1, &limits,
                                   &owner, &one.counters);
    }
    if (!one.router) {
        bench_failed(run, "no memory");
        return false;
    }
    routes_online(one.routes, 0);
    subscribe_all(topics);
    if (one.in_force != (uint64_t)topics)
        bench_failed(run, "not all subscriptions are in force");
    return one.in_force == (uint64_t)topics;
}

static void finish(void) {
    if (one.router) {
        router_destroy(one.router);
        mailroom_destroy(one.parcels.mailroom);
        bench_memory_close(&one.memory);
    }
    routes_destroy(one.routes);
    mailboxes_destroy(one.mailboxes);
    free(one.publishers);
}

static void publish(struct bench_run *run, int64_t topics) {
    if (!prepare(run, topics)) {
        finish();
        return;
    }
    static const uint8_t payload[PAYLOAD];
    uint64_t published = 0, random = 1;
    one.delivered = 0;
    while (bench_running(run, BATCH)) {
        router_begin(one.router);
        for (unsigned i = 0; i < BATCH; i++) {
            struct publisher *publisher = &one.publishers[bench_below(&random, (uint32_t)topics)];
            struct publish message = {.topic = publisher->topic,
                                      .topic_len = publisher->len,
                                      .payload = payload,
                                      .payload_len = PAYLOAD};
            published += router_publish(one.router, &message, &publisher->memo) == PUBLISH_DONE;
        }
        router_turn(one.router);
        mail_flush(one.parcels.mailroom);
        routes_quiescent(one.routes, 0);
    }
    if (one.delivered != published)
        bench_failed(run, "not everything was delivered");
    finish();
}

void bench_publish(void) {
    bench_add("publish_to_one", publish, 64);
    bench_add("publish_to_one", publish, 4096);
    bench_add("publish_to_one", publish, 100000);
}
