/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of filters: exact table, trie, and the books of route keys. */
#include "test.h"

#include <stdlib.h>

#include "dataplane/topics/interests.h"
#include "memory.h"

enum { LEVELS = 16, VISITS = 10000 };

static struct memory memory;
static struct interests interests;
static ref_t found[INTERESTS_FOUND(VISITS)];

static int open_interests(void **state) {
    memory_open(&memory, 64 << 20);
    return interests_init(&interests, &memory.topics, LEVELS, VISITS) ? 0 : -1;
}

static void dispose(void *argument, struct interest *interest) {
    interest_free(&memory.topics, interest);
}

static int close_interests(void **state) {
    arena_fail_after(memory.arena, 0);
    interests_free(&interests, dispose, NULL);
    assert_int_equal(memory.topics.bytes, 0);
    assert_int_equal(memory_objects(&memory), 0);
    memory_close(&memory);
    return 0;
}

static uint64_t hash(const char *text) {
    return topic_hash((const uint8_t *)text, strlen(text));
}

static struct interest *find(const char *filter) {
    return interests_find(&interests, (const uint8_t *)filter, (uint16_t)strlen(filter),
                          hash(filter));
}

static bool first;

static struct interest *add(const char *filter) {
    return interests_add(&interests, (const uint8_t *)filter, (uint16_t)strlen(filter),
                         hash(filter), &first);
}

static bool take_out(const char *filter) {
    return interests_remove(&interests, find(filter), hash(filter));
}

static unsigned match(const char *topic, bool *cut) {
    return interests_match(&interests, (const uint8_t *)topic, strlen(topic), hash(topic), found,
                           cut);
}

static bool matches(const char *filter, const char *topic) {
    bool cut;
    struct interest *interest = add(filter);
    assert_non_null(interest);
    bool result = match(topic, &cut) == 1;
    assert_false(cut);
    take_out(filter);
    assert_int_equal(interests.trie.nodes, 0);
    return result;
}

static void the_pitfalls_of_matching_are_heeded(void **state) {
    assert_true(matches("a/#", "a"));
    assert_true(matches("a/#", "a/b/c"));
    assert_true(matches("a/#", "a/"));
    assert_false(matches("a/#", "ab"));
    assert_true(matches("#", "/"));
    assert_true(matches("+/#", "a"));
    assert_false(matches("+", "a/b"));
    assert_false(matches("+", "/a"));
    assert_true(matches("a/+", "a/"));
    assert_true(matches("a/+/b", "a//b"));
    assert_true(matches("+/+", "/"));
    assert_false(matches("a/+", "a"));
    assert_true(matches("/+", "/a"));
    assert_false(matches("#", "$SYS/x"));
    assert_false(matches("+/x", "$SYS/x"));
    assert_false(matches("+/#", "$SYS"));
    assert_true(matches("$SYS/#", "$SYS/x"));
    assert_true(matches("$SYS/+", "$SYS/x"));
    assert_true(matches("a/+", "a/$x"));
    assert_true(matches("$SYS", "$SYS"));
}

static void the_longest_filters_work(void **state) {
    char *text = malloc(65536);
    memset(text, 'x', 65535);
    text[65535] = 0;
    memcpy(text + 65531, "/+/z", 4);
    struct interest *interest = add(text);
    assert_non_null(interest);
    assert_ptr_equal(find(text), interest);
    bool cut;
    char *topic = malloc(65536);
    memcpy(topic, text, 65536);
    topic[65532] = 'q';
    assert_int_equal(match(topic, &cut), 1);
    topic[5] = 'a';
    assert_int_equal(match(topic, &cut), 0);
    take_out(text);
    free(text);
    free(topic);
}

static void the_first_and_last_filter_of_a_key_are_told(void **state) {
    add("a/b");
    assert_true(first);
    add("a/+");
    assert_true(first);
    add("a/#");
    assert_false(first);
    add("a/+/c");
    assert_false(first);
    add("+/b");
    assert_true(first);
    add("#");
    assert_false(first);
    add("ab/+");
    assert_true(first);
    assert_true(take_out("a/b"));
    assert_false(take_out("a/+"));
    assert_false(take_out("a/+/c"));
    assert_true(take_out("a/#"));
    assert_false(take_out("#"));
    assert_true(take_out("+/b"));
    assert_true(take_out("ab/+"));
}

static void filters_with_one_hash_share_a_route(void **state) {
    /* Two filters entered under the hash of the first, as if it were that of both. */
    struct interest *one = interest_new(&memory.topics, (const uint8_t *)"one", 3);
    struct interest *two = interest_new(&memory.topics, (const uint8_t *)"two", 3);
    uint64_t shared = hash("one");
    assert_true(exact_insert(&interests.exact, one, shared));
    assert_true(exact_insert(&interests.exact, two, shared));
    assert_true(exact_has_twin(&interests.exact, two, shared));
    /* They are told apart by their bytes all the same. */
    assert_ptr_equal(exact_find(&interests.exact, (const uint8_t *)"two", 3, shared), two);
    assert_ptr_equal(exact_find(&interests.exact, (const uint8_t *)"one", 3, shared), one);
    exact_remove(&interests.exact, one, shared);
    assert_false(exact_has_twin(&interests.exact, two, shared));
    interest_free(&memory.topics, one);
}

/* Filters whose routes_name is the same and whose hash is not are rare: found by search, they would
 * take 2^21 filters, so the hash is made up. */
static void filters_with_one_route_name_share_a_route(void **state) {
    struct interest *one = interest_new(&memory.topics, (const uint8_t *)"one", 3);
    uint64_t near = hash("one") ^ 1, far = hash("one") ^ UINT64_C(1) << 22;
    assert_true(exact_insert(&interests.exact, one, hash("one")));
    assert_true(exact_has_twin(&interests.exact, NULL, near));
    assert_false(exact_has_twin(&interests.exact, NULL, far));
    assert_false(exact_has_twin(&interests.exact, one, hash("one")));
}

static void route_keys_follow_the_first_level(void **state) {
    static const struct {
        const char *filter;
        uint8_t kind;
    } cases[] = {{"a", ROUTE_EXACT},   {"a/b", ROUTE_EXACT},    {"a/+", ROUTE_PREFIX},
                 {"/#", ROUTE_PREFIX}, {"+", ROUTE_ANY},        {"#", ROUTE_ANY},
                 {"+/a", ROUTE_ANY},   {"$SYS/#", ROUTE_PREFIX}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct route_key key = interest_route_key(add(cases[i].filter), hash(cases[i].filter));
        assert_int_equal(key.kind, cases[i].kind);
        if (key.kind == ROUTE_EXACT)
            assert_true(key.key == hash(cases[i].filter));
        if (key.kind == ROUTE_PREFIX)
            assert_true(key.key == topic_prefix_hash((const uint8_t *)cases[i].filter,
                                                     strlen(cases[i].filter)));
    }
}

static void a_topic_deeper_than_all_filters_matches_only_hashes(void **state) {
    char topic[64] = "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a";
    char filter[64] = "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/+"; /* LEVELS */
    bool cut;
    add(filter);
    add("a/#");
    assert_int_equal(match(topic, &cut), 1);
    topic[31] = 0;
    assert_int_equal(match(topic, &cut), 2);
}

static void the_nodes_visited_are_limited(void **state) {
    for (unsigned n = 0; n < 1 << 12; n++) {
        char filter[32];
        for (unsigned i = 0; i < 12; i++) {
            filter[2 * i] = n >> i & 1 ? '+' : 'a';
            filter[2 * i + 1] = '/';
        }
        filter[23] = 0;
        assert_non_null(add(filter));
    }
    bool cut;
    assert_int_equal(match("a/a/a/a/a/a/a/a/a/a/a/a", &cut), 1 << 12);
    assert_false(cut);
    interests.trie.visits_max = 100;
    assert_in_range(match("a/a/a/a/a/a/a/a/a/a/a/a", &cut), 1, 200);
    assert_true(cut);
}

enum { FILTERS = 400 };
static char filters[FILTERS][64];

static void random_filters_match_as_defined(void **state) {
    uint64_t seed = 21;
    unsigned total = 0;
    for (unsigned round = 0; round < 20000; round++) {
        char *filter = filters[random_below(&seed, FILTERS)];
        if (filter[0]) {
            assert_non_null(find(filter));
            take_out(filter);
            assert_null(find(filter));
            filter[0] = 0;
        } else {
            char text[64];
            size_t len = random_filter(&seed, (uint8_t *)text, sizeof text - 1);
            text[len] = 0;
            if (!find(text)) {
                strcpy(filter, text);
                assert_non_null(add(filter));
            }
        }
        char topic[64];
        size_t len = random_topic(&seed, (uint8_t *)topic, sizeof topic - 1);
        topic[len] = 0;
        bool cut;
        unsigned count = match(topic, &cut), wanted = 0;
        for (unsigned i = 0; i < FILTERS; i++)
            wanted +=
                filters[i][0] && topic_matches((const uint8_t *)filters[i], strlen(filters[i]),
                                               (const uint8_t *)topic, len);
        if (count != wanted)
            fail_msg("%s matched %u filters, not %u", topic, count, wanted);
        for (unsigned i = 0; i < count; i++) {
            const struct interest *interest = topic_memory_at(&memory.topics, found[i]);
            assert_true(
                topic_matches(interest->filter, interest->len, (const uint8_t *)topic, len));
            for (unsigned j = 0; j < i; j++)
                assert_int_not_equal(found[i], found[j]);
        }
        total += count;
    }
    assert_in_range(total, 10000, 10000000);
}

static void without_memory_nothing_is_left_behind(void **state) {
    static const char *const texts[] = {"exact/a", "b/+/c/+/d", "#", "+/x/y", "b/#", "b/z/+/+/+"};
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        unsigned failures = 0;
        uint64_t nodes = interests.trie.nodes;
        for (uint64_t n = 1; n < 40; n++) {
            arena_fail_after(memory.arena, n);
            struct interest *interest = add(texts[i]);
            arena_fail_after(memory.arena, 0);
            if (interest)
                break;
            failures++;
            assert_null(find(texts[i]));
            assert_int_equal(interests.trie.nodes, nodes);
        }
        assert_in_range(failures, 1, 30);
        assert_non_null(find(texts[i]));
    }
}

int main(void) {
#define interests_test(name) cmocka_unit_test_setup_teardown(name, open_interests, close_interests)
    const struct CMUnitTest tests[] = {
        interests_test(the_pitfalls_of_matching_are_heeded),
        interests_test(the_longest_filters_work),
        interests_test(the_first_and_last_filter_of_a_key_are_told),
        interests_test(filters_with_one_hash_share_a_route),
        interests_test(filters_with_one_route_name_share_a_route),
        interests_test(route_keys_follow_the_first_level),
        interests_test(a_topic_deeper_than_all_filters_matches_only_hashes),
        interests_test(the_nodes_visited_are_limited),
        interests_test(random_filters_match_as_defined),
        interests_test(without_memory_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
