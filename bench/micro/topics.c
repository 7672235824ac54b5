/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a topic to those who subscribe to it. Topics are site/SS/dev/DDDDDDDD/temp with a random
 * device; their hash is part of the measured time where a table needs it. The argument is the
 * number of filters; `_hot` means that 4096 topics come again and again.
 *
 *   topic_exact      one filter to each topic, without wildcards
 *   topic_wildcard   telemetry, four matching filters to each topic:
 *                      site/SS/dev/DDDDDDDD/+   one for each device
 *                      site/SS/#                one for each of 256 sites
 *                      +/SS/dev/#               one for each of 256 sites
 *                      site/+/dev/+/temp        one
 *   topic_cached     the result cache, `argument` topics in it
 */
#include <stdio.h>
#include <string.h>

#include "bench/micro/bench.h"
#include "bench/micro/connections.h"
#include "dataplane/topics/cache.h"
#include "dataplane/topics/exact.h"
#include "dataplane/topics/trie.h"

enum { BATCH = 16, HOT = 4096, SITES = 256, LEVELS = 16, VISITS = 256, RECIPIENTS = 2 };

static const char pattern[] = "site/00/dev/00000000/temp";
enum { TOPIC = sizeof pattern - 1, SITE_AT = 5, DEVICE_AT = 12, LAST_AT = 21 };

/* Tables of one kind and size at a time are kept between calls, like connections. */
static struct tables {
    enum { NOTHING, EXACT, WILDCARD, CACHED } kind;
    int64_t filters;
    struct bench_memory memory;
    struct topic_memory topics;
    struct exact exact;
    struct trie trie;
    struct cache cache;
} tables;

static void hex(uint8_t *to, uint32_t value, unsigned digits) {
    static const char digit[] = "0123456789abcdef";
    for (unsigned i = digits; i-- > 0; value >>= 4)
        to[i] = (uint8_t)digit[value & 15];
}

static void make_topic(uint8_t topic[TOPIC], uint32_t device) {
    hex(topic + SITE_AT, device % SITES, 2);
    hex(topic + DEVICE_AT, device, 8);
}

static bool insert_exact(const uint8_t *filter) {
    struct interest *interest = interest_new(&tables.topics, filter, TOPIC);
    return interest && exact_insert(&tables.exact, interest, topic_hash(filter, TOPIC));
}

static bool insert_wildcard(const char *filter, size_t len) {
    struct interest *interest =
        interest_new(&tables.topics, (const uint8_t *)filter, (uint16_t)len);
    return interest && trie_insert(&tables.trie, interest);
}

static bool fill_wildcards(int64_t filters) {
    uint8_t topic[TOPIC];
    char filter[TOPIC + 1];
    memcpy(topic, pattern, TOPIC);
    bool good = insert_wildcard("site/+/dev/+/temp", 17);
    for (uint32_t site = 0; good && site < SITES; site++) {
        hex(topic + SITE_AT, site, 2);
        int len = snprintf(filter, sizeof filter, "site/%.2s/#", (char *)topic + SITE_AT);
        good = insert_wildcard(filter, (size_t)len);
        len = snprintf(filter, sizeof filter, "+/%.2s/dev/#", (char *)topic + SITE_AT);
        good = good && insert_wildcard(filter, (size_t)len);
    }
    for (int64_t i = 0; good && i < filters; i++) {
        make_topic(topic, (uint32_t)i);
        topic[LAST_AT] = '+';
        good = insert_wildcard((const char *)topic, LAST_AT + 1);
    }
    return good;
}

static bool fill(int kind, int64_t filters) {
    uint8_t topic[TOPIC];
    memcpy(topic, pattern, TOPIC);
    struct recipient recipients[RECIPIENTS] = {0};
    if (kind == WILDCARD)
        return fill_wildcards(filters);
    for (int64_t i = 0; i < filters; i++) {
        make_topic(topic, (uint32_t)i);
        if (kind == EXACT ? !insert_exact(topic)
                          : !cache_put(&tables.cache, topic, TOPIC, topic_hash(topic, TOPIC),
                                       recipients, RECIPIENTS))
            return false;
    }
    return true;
}

static void drop(void) {
    if (tables.kind == NOTHING)
        return;
    trie_free(&tables.trie);
    bench_memory_close(&tables.memory);
    tables.kind = NOTHING;
}

static bool prepare(struct bench_run *run, int kind, int64_t filters) {
    if ((int)tables.kind == kind && tables.filters == filters)
        return true;
    drop();
    connections_drop();
    if (!bench_memory_open(&tables.memory, (size_t)6 << 30)) {
        bench_failed(run, "no memory");
        return false;
    }
    static const uint8_t key[16] = {1, 2, 3};
    topic_hash_set_key(key);
    tables.topics = (struct topic_memory){.pool = &tables.memory.pool};
    exact_init(&tables.exact, &tables.topics);
    cache_init(&tables.cache, &tables.topics);
    if (!trie_init(&tables.trie, &tables.topics, LEVELS, VISITS)) {
        bench_memory_close(&tables.memory);
        bench_failed(run, "no memory");
        return false;
    }
    tables.kind = kind;
    tables.filters = filters;
    if (!fill(kind, filters)) {
        drop();
        bench_failed(run, "no memory");
        return false;
    }
    return true;
}

static void figures(struct bench_run *run) {
    bench_figure(run, "bytes/filter",
                 (double)arena_used(tables.memory.arena) / (double)tables.filters);
}

static void match_exact(struct bench_run *run, int64_t filters, uint32_t topics) {
    if (!prepare(run, EXACT, filters))
        return;
    uint8_t topic[TOPIC];
    memcpy(topic, pattern, TOPIC);
    uint64_t random = 1;
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            make_topic(topic, bench_below(&random, topics));
            const struct interest *interest =
                exact_find(&tables.exact, topic, TOPIC, topic_hash(topic, TOPIC));
            /* Always 0: the next look-up waits for this one. */
            random += interest->first;
        }
    }
    figures(run);
}

static void exact(struct bench_run *run, int64_t filters) {
    match_exact(run, filters, (uint32_t)filters);
}

static void exact_hot(struct bench_run *run, int64_t filters) {
    match_exact(run, filters, HOT);
}

static void match_wildcard(struct bench_run *run, int64_t filters, uint32_t topics) {
    if (!prepare(run, WILDCARD, filters))
        return;
    uint8_t topic[TOPIC];
    memcpy(topic, pattern, TOPIC);
    uint64_t random = 1;
    ref_t found[TRIE_FOUND(VISITS)];
    bool cut = false;
    unsigned count = 4;
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            make_topic(topic, bench_below(&random, topics));
            count &= trie_match(&tables.trie, topic, TOPIC, found, &cut);
            random += cut;
        }
    }
    if (count != 4 || cut)
        bench_failed(run, "not four matches");
    figures(run);
}

static void wildcard(struct bench_run *run, int64_t filters) {
    match_wildcard(run, filters, (uint32_t)filters);
}

static void wildcard_hot(struct bench_run *run, int64_t filters) {
    match_wildcard(run, filters, HOT);
}

static void cached(struct bench_run *run, int64_t topics) {
    if (!prepare(run, CACHED, topics))
        return;
    uint8_t topic[TOPIC];
    memcpy(topic, pattern, TOPIC);
    uint64_t random = 1, missed = 0, looked = 0;
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            make_topic(topic, bench_below(&random, (uint32_t)topics));
            const struct cache_slot *slot =
                cache_find(&tables.cache, topic, TOPIC, topic_hash(topic, TOPIC));
            if (slot)
                random += cache_result(&tables.cache, slot)->recipients[0].who.ref;
            else
                missed++;
        }
        looked += BATCH;
    }
    bench_figure(run, "misses", (double)missed / (double)looked);
}

static void hash(struct bench_run *run, int64_t argument) {
    uint8_t topic[TOPIC];
    memcpy(topic, pattern, TOPIC);
    uint32_t device = 0;
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            make_topic(topic, device++);
            bench_use(topic_hash(topic, TOPIC));
        }
    }
}

void bench_topics(void) {
    bench_add("topic_hash", hash, -1);
    static const int64_t sizes[] = {1000000, 10000000};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        bench_add("topic_exact", exact, sizes[i]);
        bench_add("topic_exact_hot", exact_hot, sizes[i]);
    }
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        bench_add("topic_wildcard", wildcard, sizes[i]);
        bench_add("topic_wildcard_hot", wildcard_hot, sizes[i]);
    }
    bench_add("topic_cached", cached, 4096);
    bench_add("topic_cached", cached, 64);
}
