/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters and a topic name, separated by zero bytes, the name last. Whatever is valid is entered
 * into the tables, whose matches must be those of the definition in MQTT 3.1.1, section 4.7.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/topics/interests.h"

enum { LEVELS = 16, VISITS = 4096, FILTERS = 64, MEMORY = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition) {
    if (!condition)
        abort();
}

/* Levels as in the text of the specification, one by one from the front. */
static bool defined_match(const uint8_t *filter, size_t filter_len, const uint8_t *topic,
                          size_t len) {
    const uint8_t *f_end = memchr(filter, '/', filter_len), *t_end = memchr(topic, '/', len);
    size_t f = f_end ? (size_t)(f_end - filter) : filter_len;
    size_t t = t_end ? (size_t)(t_end - topic) : len;
    if (f == 1 && filter[0] == '#')
        return true;
    if (!(f == 1 && filter[0] == '+') && (f != t || memcmp(filter, topic, f) != 0))
        return false;
    if (!f_end)
        return !t_end;
    if (!t_end) /* the parent of what `#` stands for */
        return filter_len - f == 2 && f_end[1] == '#';
    return defined_match(f_end + 1, filter_len - f - 1, t_end + 1, len - t - 1);
}

static bool plain_filter(const uint8_t *filter, size_t len) {
    size_t level = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && filter[i] != '/')
            continue;
        const uint8_t *word = filter + level;
        size_t word_len = i - level;
        bool plus = memchr(word, '+', word_len), hash = memchr(word, '#', word_len);
        if ((plus || hash) && word_len != 1)
            return false;
        if (hash && i != len)
            return false;
        level = i + 1;
    }
    return true;
}

static struct pool pool;
static struct topic_memory memory;

static void set_up(void) {
    enum { SPAN = 1 << ARENA_SPAN_SHIFT };
    void *base = aligned_alloc(SPAN, MEMORY), *state = calloc(1, arena_footprint(MEMORY));
    check(base && state);
    pool_init(&pool, arena_init(state, base, MEMORY, MEMORY));
    memory.pool = &pool;
    static const uint8_t key[16] = "fuzz";
    topic_hash_set_key(key);
}

static void dispose(void *argument, struct interest *interest) {
    interest_free(&memory, interest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ref_t found[INTERESTS_FOUND(VISITS)];
    struct interests interests;
    const uint8_t *filters[FILTERS];
    size_t lengths[FILTERS], count = 0;
    if (!memory.pool)
        set_up();
    check(interests_init(&interests, &memory, LEVELS, VISITS));

    const uint8_t *zero;
    while ((zero = memchr(data, 0, size)) != NULL && count < FILTERS) {
        size_t len = (size_t)(zero - data);
        bool valid = topic_filter_valid(data, len, LEVELS);
        if (valid)
            check(plain_filter(data, len));
        uint64_t hash = topic_hash(data, len);
        bool first;
        if (valid && !interests_find(&interests, data, (uint16_t)len, hash)) {
            check(interests_add(&interests, data, (uint16_t)len, hash, &first) != NULL);
            filters[count] = data;
            lengths[count++] = len;
        }
        size -= len + 1;
        data = zero + 1;
    }
    if (topic_name_valid(data, size, LEVELS)) {
        bool cut;
        unsigned matched =
            interests_match(&interests, data, size, topic_hash(data, size), found, &cut);
        unsigned wanted = 0;
        for (size_t i = 0; i < count; i++) {
            bool dollar = data[0] == '$' && (filters[i][0] == '+' || filters[i][0] == '#');
            bool match = topic_matches(filters[i], lengths[i], data, size);
            check(match == (!dollar && defined_match(filters[i], lengths[i], data, size)));
            wanted += match;
        }
        check(cut ? matched <= wanted : matched == wanted);
    }
    for (size_t i = 0; i < count; i += 2) {
        uint64_t hash = topic_hash(filters[i], lengths[i]);
        struct interest *interest =
            interests_find(&interests, filters[i], (uint16_t)lengths[i], hash);
        check(interest != NULL);
        interests_remove(&interests, interest, hash);
    }
    interests_free(&interests, dispose, NULL);
    check(memory.bytes == 0);
    return 0;
}
