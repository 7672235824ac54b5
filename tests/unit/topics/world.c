/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdlib.h>

struct world world;

static const struct router_limits limits_default = {
    .topic_levels = 16, .visits = 1000, .fanout_slice = 64, .retained_batch = 4};

enum { SLOTS_DEFAULT = 256, MEMORY = 48 << 20, MAILS = 64 };

static void on_deliver(void *owner, struct subscriber to, struct message *message, uint8_t qos,
                       bool retain) {
    struct thread *thread = owner;
    if (thread->deliveries_count == thread->deliveries_room) {
        thread->deliveries_room = 2 * thread->deliveries_room + 256;
        thread->deliveries =
            realloc(thread->deliveries, thread->deliveries_room * sizeof *thread->deliveries);
    }
    struct delivery *delivery = &thread->deliveries[thread->deliveries_count++];
    *delivery = (struct delivery){.to = to, .qos = qos, .retain = retain};
    assert_in_range(message->topic_len, 1, sizeof delivery->topic - 1);
    memcpy(delivery->topic, message_topic(message), message->topic_len);
    if (message->payload_len == sizeof delivery->payload)
        memcpy(&delivery->payload, message_payload(message), sizeof delivery->payload);
    if (thread->keep && thread->kept_count < 64)
        thread->kept[thread->kept_count++] = message_ref(message);
}

static void on_subscribed(void *owner, struct subscriber who, uint16_t packet_id,
                          const uint8_t *codes, unsigned count) {
    struct thread *thread = owner;
    struct answer *answer = &thread->answers[thread->answers_count++ % 64];
    *answer = (struct answer){who, packet_id, count, {0}};
    for (unsigned i = 0; i < count && i < sizeof answer->codes; i++)
        answer->codes[i] = codes[i];
}

static bool on_full(void *owner) {
    struct thread *thread = owner;
    return thread->full_at != 0 && thread->deliveries_count >= thread->full_at;
}

static bool on_retained_ready(void *owner, struct subscriber who) {
    return !((struct thread *)owner)->not_ready;
}

static void thread_open(unsigned number) {
    struct thread *thread = &world.threads[number];
    memory_open(&thread->memory, MEMORY);
    thread->room = mailroom_create(world.mailboxes, number, &thread->memory.pool);
    thread->parcels = (struct parcels){&thread->memory.pool, thread->room, (uint8_t)number};
    thread->owner =
        (struct router_owner){on_deliver, on_subscribed, on_retained_ready, thread, on_full};
    thread->router = router_create(&thread->parcels, thread->room, world.routes, SHARD, SHARDS,
                                   &world.limits, &thread->owner, &thread->counters);
    assert_non_null(thread->router);
    thread->queries = calloc(QUERIES_MAX, sizeof *thread->queries);
    thread->batch = world.limits.retained_batch;
    routes_online(world.routes, number);
}

static void open_all(const struct router_limits *limits, unsigned slots) {
    static const uint8_t key[16] = "test of topics  ";
    memset(&world, 0, sizeof world);
    topic_hash_set_key(key);
    world.limits = *limits;
    world.mailboxes = mailboxes_create(THREADS, slots);
    world.routes = routes_create(THREADS);
    for (unsigned i = 0; i < THREADS; i++)
        thread_open(i);
}

int world_open(void **state) {
    open_all(&limits_default, SLOTS_DEFAULT);
    return 0;
}

static void store_clear(struct thread *thread) {
    for (unsigned i = 0; i < thread->store_count; i++)
        parcel_release(&thread->parcels, thread->store[i].message);
    thread->store_count = 0;
}

int world_close(void **state) {
    for (unsigned i = 0; i < THREADS; i++) {
        struct thread *thread = &world.threads[i];
        arena_fail_after(thread->memory.arena, 0);
        thread->not_ready = false;
        thread->routes_held = false;
        for (uint32_t ref = 1; ref < SUBSCRIBERS; ref++)
            assert_true(router_unsubscribe_all(thread->router, (struct subscriber){ref, 1},
                                               &thread->heads[ref], UINT32_MAX));
        while (thread->kept_count > 0)
            parcel_release(&thread->parcels, thread->kept[--thread->kept_count]);
    }
    world_settle();
    for (unsigned i = 0; i < THREADS; i++)
        store_clear(&world.threads[i]);
    world_settle();
    assert_int_equal(routes_count(world.routes), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        struct router_stats stats;
        router_stats(world.threads[i].router, &stats);
        assert_int_equal(stats.subscriptions, 0);
        assert_int_equal(stats.exact_filters + stats.wildcard_filters + stats.trie_nodes, 0);
        router_destroy(world.threads[i].router);
        assert_int_equal(counted(i, COUNTER_TOPICS_MAIL_REFUSED), 0);
        mailroom_destroy(world.threads[i].room);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        struct thread *thread = &world.threads[i];
        assert_int_equal(memory_objects(&thread->memory), 0);
        memory_close(&thread->memory);
        free(thread->deliveries);
        free(thread->changes);
        free(thread->queries);
    }
    routes_destroy(world.routes);
    mailboxes_destroy(world.mailboxes);
    return 0;
}

void world_reopen(const struct router_limits *limits, unsigned slots) {
    world_close(NULL);
    open_all(limits ? limits : &limits_default, slots ? slots : SLOTS_DEFAULT);
}

/* --- the shards' side ------------------------------------------------------------------------ */

static void change_routes(struct thread *thread) {
    for (unsigned i = 0; i < thread->changes_count; i++) {
        const struct mail *mail = &thread->changes[i];
        struct mail answer = {.type = MAIL_ROUTE_CHANGED};
        assert_true(routes_change(world.routes, mail->route_change.kind, mail->route_change.key,
                                  mail->from, mail->route_change.set));
        answer.route_changed.epoch = routes_advance(world.routes, &answer.route_changed.quiescent);
        answer.route_changed.operation = mail->route_change.operation;
        if (answer.route_changed.operation != 0)
            assert_true(mail_send(thread->room, mail->from, &answer));
    }
    thread->changes_count = 0;
    routes_reclaim(world.routes);
}

static void keep_change(struct thread *thread, const struct mail *mail) {
    if (thread->changes_count == thread->changes_room) {
        thread->changes_room = 2 * thread->changes_room + 64;
        thread->changes = realloc(thread->changes, thread->changes_room * sizeof *mail);
    }
    thread->changes[thread->changes_count++] = *mail;
}

static void store(struct thread *thread, const struct mail *mail) {
    struct message *message = mail->publish.message;
    unsigned at = 0;
    while (at < thread->store_count &&
           (thread->store[at].message->topic_len != message->topic_len ||
            memcmp(message_topic(thread->store[at].message), message_topic(message),
                   message->topic_len) != 0))
        at++;
    if (at < thread->store_count) {
        parcel_release(&thread->parcels, thread->store[at].message);
        thread->store[at] = thread->store[--thread->store_count];
    }
    if (message->payload_len == 0)
        return;
    assert_in_range(thread->store_count, 0, STORE_MAX - 1);
    struct message *copy = message_copy(&thread->parcels, message);
    assert_non_null(copy);
    thread->store[thread->store_count++] = (struct stored){copy, mail->publish.epoch};
}

static void query(struct thread *thread, const struct mail *mail) {
    unsigned at = 0;
    while (at < thread->queries_count && thread->queries[at].mail.type != 0)
        at++;
    assert_in_range(at, 0, QUERIES_MAX - 1);
    if (at == thread->queries_count)
        thread->queries_count++;
    thread->queries[at] = (struct query){.mail = *mail, .credit = thread->batch};
    thread->queried++;
}

static void query_end(struct thread *thread, struct query *query) {
    struct mail end = {.type = MAIL_RETAINED_END};
    end.retained.operation = query->mail.retained_query.operation;
    assert_true(mail_send(thread->room, query->mail.from, &end));
    parcel_release(&thread->parcels, query->mail.retained_query.filter);
    query->mail.type = 0;
}

static void query_go_on(struct thread *thread, struct query *query, bool empty) {
    const struct filter_parcel *filter =
        (const struct filter_parcel *)query->mail.retained_query.filter;
    if (!routes_passed(world.routes, query->mail.retained_query.quiescent))
        return;
    if (!query->drained) { /* what was mailed before is in the store once the boxes were empty */
        query->drained = empty;
        return;
    }
    for (; query->position < thread->store_count && query->credit > 0; query->position++) {
        const struct stored *stored = &thread->store[query->position];
        if (stored->epoch >= query->mail.retained_query.epoch ||
            !topic_matches(filter->bytes, filter->len, message_topic(stored->message),
                           stored->message->topic_len))
            continue;
        struct mail mail = {.type = MAIL_RETAINED};
        mail.retained.operation = query->mail.retained_query.operation;
        mail.retained.message = message_copy(&thread->parcels, stored->message);
        assert_non_null(mail.retained.message);
        assert_true(mail_send(thread->room, query->mail.from, &mail));
        query->credit--;
    }
    if (query->position >= thread->store_count)
        query_end(thread, query);
}

static void more(struct thread *thread, const struct mail *mail) {
    for (unsigned i = 0; i < thread->queries_count; i++) {
        struct query *query = &thread->queries[i];
        if (query->mail.type == 0 || query->mail.from != mail->from ||
            query->mail.retained_query.operation != mail->retained_query.operation)
            continue;
        assert_int_equal(query->credit, 0);
        query->credit = thread->batch;
        if (mail->flags & MAIL_RETAINED_STOP) {
            thread->stops++;
            if (thread->heeds_stop)
                query_end(thread, query);
        }
        return;
    }
    /* Its end is on the way. */
}

static void handle(unsigned number, const struct mail *mail) {
    struct thread *thread = &world.threads[number];
    switch (mail->type) {
    case MAIL_RELEASE:
        for (unsigned i = 0; i < 6 && mail->release.parcels[i]; i++)
            parcel_came_home(&thread->parcels, mail->release.parcels[i]);
        break;
    case MAIL_ROUTE_CHANGE:
        assert_int_equal(number, SHARD);
        keep_change(thread, mail);
        break;
    case MAIL_RETAINED_QUERY:
        query(thread, mail);
        break;
    case MAIL_RETAINED_MORE:
        more(thread, mail);
        break;
    case MAIL_PUBLISH:
        assert_true(mail->flags != 0);
        if (mail->flags & MAIL_PUBLISH_STORE)
            store(thread, mail);
        router_mail(thread->router, mail);
        break;
    default:
        router_mail(thread->router, mail);
    }
}

unsigned world_receive(unsigned number, unsigned max) {
    struct thread *thread = &world.threads[number];
    struct mail mails[MAILS];
    unsigned received = mail_receive(thread->room, mails, max < MAILS ? max : MAILS);
    router_begin(thread->router);
    for (unsigned i = 0; i < received; i++)
        handle(number, &mails[i]);
    return received;
}

static bool turn(unsigned number) {
    struct thread *thread = &world.threads[number];
    unsigned received = world_receive(number, MAILS);
    bool busy = received > 0;
    busy |= router_turn(thread->router);
    if (!thread->routes_held)
        change_routes(thread);
    for (unsigned i = 0; i < thread->queries_count; i++)
        if (thread->queries[i].mail.type != 0) {
            busy |= thread->queries[i].credit > 0;
            query_go_on(thread, &thread->queries[i], received < MAILS);
        }
    bool flushed = mail_flush(thread->room) == 0;
    if (flushed)
        routes_quiescent(world.routes, number);
    return busy || !flushed;
}

void world_turn(unsigned number) {
    turn(number);
}

void world_settle(void) {
    unsigned quiet = 0;
    for (unsigned i = 0; i < 100000 && quiet < 3; i++) {
        bool busy = false;
        for (unsigned number = 0; number < THREADS; number++)
            busy |= turn(number);
        quiet = busy ? 0 : quiet + 1;
    }
    assert_int_equal(quiet, 3);
}

/* --- clients --------------------------------------------------------------------------------- */

static void request(unsigned number, uint32_t ref, const char *text, uint8_t qos,
                    struct filter *filter) {
    struct thread *thread = &world.threads[number];
    *filter = (struct filter){(const uint8_t *)text, (uint16_t)strlen(text), qos, 0};
    assert_true(topic_filter_valid(filter->bytes, filter->len, world.limits.topic_levels));
    router_subscribe(thread->router, (struct subscriber){ref, 1}, &thread->heads[ref],
                     (uint16_t)ref, filter, 1);
}

void subscribe(unsigned thread, uint32_t ref, const char *text, uint8_t qos) {
    struct filter filter;
    request(thread, ref, text, qos, &filter);
    assert_int_equal(filter.code, qos);
}

uint8_t subscribe_code(unsigned thread, uint32_t ref, const char *text, uint8_t qos) {
    struct filter filter;
    request(thread, ref, text, qos, &filter);
    return filter.code;
}

bool unsubscribe(unsigned number, uint32_t ref, const char *filter) {
    struct thread *thread = &world.threads[number];
    return router_unsubscribe(thread->router, (struct subscriber){ref, 1}, &thread->heads[ref],
                              (const uint8_t *)filter, (uint16_t)strlen(filter));
}

enum publish_result publish_with(unsigned number, const char *topic, uint32_t payload, uint8_t qos,
                                 bool retain, struct topic_memo *memo) {
    struct thread *thread = &world.threads[number];
    struct publish publish = {
        .topic = (const uint8_t *)topic,
        .payload = (const uint8_t *)&payload,
        .topic_len = (uint16_t)strlen(topic),
        .payload_len = payload != 0 ? sizeof payload : 0,
        .qos = qos,
        .retain = retain,
    };
    return router_publish(thread->router, &publish, memo);
}

void publish(unsigned thread, const char *topic, uint32_t number) {
    assert_int_equal(publish_with(thread, topic, number, 0, false, NULL), PUBLISH_DONE);
}

void publish_retained(unsigned thread, const char *topic, uint32_t number) {
    assert_int_equal(publish_with(thread, topic, number, 1, true, NULL), PUBLISH_DONE);
}

unsigned delivered_as(unsigned number, uint32_t ref, uint32_t payload, bool retain) {
    const struct thread *thread = &world.threads[number];
    unsigned found = 0;
    for (unsigned i = 0; i < thread->deliveries_count; i++)
        found += thread->deliveries[i].to.ref == ref && thread->deliveries[i].payload == payload &&
                 thread->deliveries[i].retain == retain;
    return found;
}

unsigned delivered(unsigned thread, uint32_t ref, uint32_t payload) {
    return delivered_as(thread, ref, payload, false) + delivered_as(thread, ref, payload, true);
}

void forget_deliveries(void) {
    for (unsigned i = 0; i < THREADS; i++)
        world.threads[i].deliveries_count = world.threads[i].answers_count = 0;
}

uint64_t counted(unsigned thread, enum counter counter) {
    return counter_read(&world.threads[thread].counters, counter);
}

static void assert_rising(unsigned number, bool live_only) {
    const struct thread *thread = &world.threads[number];
    for (unsigned i = 0; i < thread->deliveries_count; i++) {
        const struct delivery *later = &thread->deliveries[i];
        for (unsigned j = i; j-- > 0;) {
            const struct delivery *earlier = &thread->deliveries[j];
            if (earlier->to.ref != later->to.ref || strcmp(earlier->topic, later->topic) != 0 ||
                (live_only && (earlier->retain || later->retain)))
                continue;
            assert_true(earlier->payload <= later->payload);
            break;
        }
    }
}

void assert_in_order(unsigned number) {
    assert_rising(number, false);
}

void assert_live_in_order(unsigned number) {
    assert_rising(number, true);
}
