/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "dataplane/topics/cache.h"
#include "memory.h"

static struct memory memory;
static struct cache cache;
static const struct recipient two[] = {{.who = {1, 1}, .qos = 1}, {.who = {2, 1}, .qos = 0}};

static int open_cache(void **state) {
    memory_open(&memory, 64 << 20);
    cache_init(&cache, &memory.topics);
    return 0;
}

static int close_cache(void **state) {
    arena_fail_after(memory.arena, 0);
    cache_free(&cache);
    assert_int_equal(memory.topics.bytes, 0);
    assert_int_equal(memory_objects(&memory), 0);
    memory_close(&memory);
    return 0;
}

static uint64_t hash(const char *text) {
    return topic_hash((const uint8_t *)text, strlen(text));
}

static struct cache_slot *find(const char *topic) {
    return cache_find(&cache, (const uint8_t *)topic, (uint16_t)strlen(topic), hash(topic));
}

static struct cache_slot *put(const char *topic, unsigned count) {
    return cache_put(&cache, (const uint8_t *)topic, (uint16_t)strlen(topic), hash(topic), two,
                     count);
}

static void a_result_is_found_again(void **state) {
    assert_null(find("a/b"));
    assert_non_null(put("a/b", 2));
    struct cache_slot *slot = find("a/b");
    assert_non_null(slot);
    const struct cache_result *result = cache_result(&cache, slot);
    assert_int_equal(result->count, 2);
    assert_int_equal(result->recipients[0].who.ref, 1);
    assert_int_equal(result->recipients[0].qos, 1);
    assert_ptr_equal(
        cache_at(&cache, cache_index(&cache, slot), (const uint8_t *)"a/b", 3, hash("a/b")), slot);
    assert_null(
        cache_at(&cache, cache_index(&cache, slot), (const uint8_t *)"a/c", 3, hash("a/c")));
    assert_null(cache_at(&cache, UINT32_MAX, (const uint8_t *)"a/b", 3, hash("a/b")));
    assert_int_equal(cache.hits, 2);
    assert_int_equal(cache.misses, 1);
}

static void that_nobody_wants_a_topic_is_a_result(void **state) {
    assert_non_null(put("a", 0));
    assert_int_equal(cache_result(&cache, find("a"))->count, 0);
}

static void a_topic_with_the_same_hash_is_another(void **state) {
    put("a/b", 2);
    assert_null(cache_find(&cache, (const uint8_t *)"x/y", 3, hash("a/b")));
    assert_null(cache_find(&cache, (const uint8_t *)"a/bc", 4, hash("a/b")));
}

static void an_exact_change_forgets_its_topic_only(void **state) {
    put("a", 2);
    put("b", 2);
    cache_forget(&cache, hash("a"));
    assert_null(find("a"));
    assert_non_null(find("b"));
}

static void a_wildcard_change_forgets_all(void **state) {
    put("a", 2);
    put("b", 2);
    cache_forget_all(&cache);
    assert_null(find("a"));
    assert_null(find("b"));
    put("a", 1);
    assert_int_equal(cache_result(&cache, find("a"))->count, 1);
}

static void old_results_do_not_come_back_when_generations_have_all_been_used(void **state) {
    put("a", 2);
    cache.generation = UINT32_MAX;
    cache_forget_all(&cache);
    cache_forget_all(&cache); /* the generation "a" was kept in */
    assert_int_equal(cache.generation, 1);
    assert_null(find("a"));
}

static void the_least_recently_used_of_a_set_gives_way(void **state) {
    /* Topics whose hashes fall into one set. */
    char topics[CACHE_WAYS + 1][16];
    unsigned count = 0;
    for (unsigned i = 0; count <= CACHE_WAYS; i++) {
        snprintf(topics[count], sizeof topics[count], "t/%u", i);
        count += hash(topics[count]) % CACHE_SETS == 7;
    }
    for (unsigned i = 0; i < CACHE_WAYS; i++)
        put(topics[i], 1);
    assert_non_null(find(topics[0]));
    put(topics[CACHE_WAYS], 1);
    assert_non_null(find(topics[0]));
    assert_null(find(topics[1]));
    assert_non_null(find(topics[CACHE_WAYS]));
}

static void it_rests_when_topics_do_not_come_back(void **state) {
    char topic[16];
    for (unsigned i = 0; i < CACHE_WINDOW; i++) {
        assert_true(cache_active(&cache));
        snprintf(topic, sizeof topic, "t/%u", i);
        assert_null(find(topic));
    }
    for (unsigned i = 0; i < CACHE_REST; i++)
        assert_false(cache_active(&cache));
    assert_true(cache_active(&cache));
}

static void it_stays_on_when_topics_come_back(void **state) {
    put("a", 1);
    for (unsigned i = 0; i < 3 * CACHE_WINDOW; i++) {
        assert_true(cache_active(&cache));
        assert_int_equal(find(i % 3 == 0 ? "b" : "a") != NULL, i % 3 != 0);
    }
}

static void results_hold_bounded_memory(void **state) {
    static struct recipient many[1000];
    char topic[16];
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(topic, sizeof topic, "t/%u", i);
        cache_put(&cache, (const uint8_t *)topic, (uint16_t)strlen(topic), hash(topic), many, 1000);
        assert_in_range(cache.bytes, 0, CACHE_BYTES_MAX);
    }
    assert_in_range(cache.bytes, CACHE_BYTES_MAX / 2, CACHE_BYTES_MAX);
}

static void without_memory_nothing_is_kept(void **state) {
    arena_fail_after(memory.arena, 1);
    assert_null(put("a", 2));
    arena_fail_after(memory.arena, 2);
    assert_null(put("a", 2));
    assert_null(find("a"));
    arena_fail_after(memory.arena, 0);
    assert_non_null(put("a", 2));
    arena_fail_after(memory.arena, 1);
    assert_null(put("a", 1));
    assert_null(find("a"));
}

int main(void) {
#define cache_test(name) cmocka_unit_test_setup_teardown(name, open_cache, close_cache)
    const struct CMUnitTest tests[] = {
        cache_test(a_result_is_found_again),
        cache_test(that_nobody_wants_a_topic_is_a_result),
        cache_test(a_topic_with_the_same_hash_is_another),
        cache_test(an_exact_change_forgets_its_topic_only),
        cache_test(a_wildcard_change_forgets_all),
        cache_test(old_results_do_not_come_back_when_generations_have_all_been_used),
        cache_test(the_least_recently_used_of_a_set_gives_way),
        cache_test(it_rests_when_topics_do_not_come_back),
        cache_test(it_stays_on_when_topics_come_back),
        cache_test(results_hold_bounded_memory),
        cache_test(without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
