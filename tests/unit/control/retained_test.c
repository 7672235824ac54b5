/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/retained/order.h"
#include "control/retained/retained.h"
#include "dataplane/topics/topic.h"
#include "desk.h"

static struct mailboxes *mailboxes;
static struct desk desk;
static struct retained *store;

static const uint8_t *bytes(const char *text) {
    return (const uint8_t *)text;
}

static enum retained_result put_at(const char *topic, const char *payload, uint64_t epoch) {
    struct message *message = desk_message(&desk, topic, payload, 0);
    enum retained_result result = retained_put(store, message, epoch);
    parcel_release(&desk.parcels, message);
    return result;
}

static void put(const char *topic) {
    assert_int_equal(put_at(topic, "x", 1), RETAINED_STORED);
}

static bool delete (const char *topic) {
    return retained_delete(store, bytes(topic), strlen(topic));
}

/* All that a filter finds, separated by blanks, with `budget` steps at a time. */
static const char *found(const char *filter, unsigned budget, unsigned *calls) {
    static char text[4096];
    struct retained_cursor cursor = {0};
    uint64_t epoch;
    size_t len = 0;
    text[0] = '\0';
    for (*calls = 0; !cursor.ended; ++*calls) {
        unsigned steps = budget;
        const struct message *message =
            retained_next(store, &cursor, bytes(filter), strlen(filter), &steps, &epoch);
        if (message != NULL) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", len > 0 ? " " : "",
                                    message->topic_len, (const char *)message_topic(message));
        }
    }
    retained_cursor_end(store, &cursor);
    return text;
}

static const char *all(const char *filter) {
    unsigned calls;
    return found(filter, 1000, &calls);
}

static void one_message_is_kept_for_each_topic(void **state) {
    uint64_t epoch = 0;
    assert_int_equal(put_at("a/b", "first", 1), RETAINED_STORED);
    assert_int_equal(put_at("a/b", "second", 2), RETAINED_STORED);
    struct message *message = retained_get(store, bytes("a/b"), 3, &epoch);
    assert_memory_equal(message_payload(message), "second", 6);
    assert_int_equal(epoch, 2);
    assert_int_equal(retained_count(store), 1);
    assert_true(delete ("a/b"));
    assert_false(delete ("a/b"));
    assert_null(retained_get(store, bytes("a/b"), 3, &epoch));
    assert_int_equal(retained_count(store), 0);
    assert_int_equal(retained_bytes(store), 0);
}

static void wildcards_find_what_they_match_and_nothing_else(void **state) {
    put("a");
    put("a/b");
    put("a/b/c");
    put("a!");
    put("a/");
    put("b/x");
    put("$SYS/x");
    put("/");
    put("c//d");
    assert_string_equal(all("#"), "/ a a/ a/b a/b/c a! b/x c//d");
    assert_string_equal(all("a/#"), "a a/ a/b a/b/c");
    assert_string_equal(all("+"), "a a!");
    assert_string_equal(all("+/+"), "/ a/ a/b b/x");
    assert_string_equal(all("+/x"), "b/x");
    assert_string_equal(all("a/+/c"), "a/b/c");
    assert_string_equal(all("a/+"), "a/ a/b");
    assert_string_equal(all("$SYS/#"), "$SYS/x");
    assert_string_equal(all("+/x/#"), "b/x");
    assert_string_equal(all("c/+/d"), "c//d");
    assert_string_equal(all("a/b"), "a/b");
    assert_string_equal(all("a/x"), "");
    assert_string_equal(all("zz/#"), "");
}

/* Short topics of few characters, so that all kinds of neighbours occur. */
static void random_text(char *text, unsigned *seed, bool filter) {
    static const char alphabet[] = "ab/$!";
    unsigned levels = 1 + (unsigned)rand_r(seed) % 4;
    size_t len = 0;
    for (unsigned i = 0; i < levels; i++) {
        if (i > 0)
            text[len++] = '/';
        unsigned kind = filter ? (unsigned)rand_r(seed) % 4 : 3;
        if (kind == 0 && i + 1 == levels)
            text[len++] = '#';
        else if (kind <= 1)
            text[len++] = '+';
        else
            for (unsigned n = (unsigned)rand_r(seed) % 3; n > 0; n--)
                text[len++] = alphabet[(unsigned)rand_r(seed) % (sizeof alphabet - 1)];
    }
    if (len == 0)
        text[len++] = 'a';
    text[len] = '\0';
}

enum { TOPICS = 400 };
static char topics[TOPICS][64];

/* The definition: every topic is compared with the filter. */
static unsigned matching(const char *filter) {
    unsigned count = 0;
    for (unsigned i = 0; i < TOPICS; i++) {
        count += topics[i][0] != '\0' &&
                 topic_matches(bytes(filter), strlen(filter), bytes(topics[i]), strlen(topics[i]));
    }
    return count;
}

static unsigned words(const char *text) {
    unsigned count = text[0] != '\0';
    for (; *text != '\0'; text++)
        count += *text == ' ';
    return count;
}

static void a_walk_finds_what_comparing_every_topic_finds(void **state) {
    unsigned seed = 7;
    for (unsigned i = 0; i < TOPICS; i++) {
        uint64_t epoch;
        random_text(topics[i], &seed, false);
        if (retained_get(store, bytes(topics[i]), strlen(topics[i]), &epoch) != NULL)
            topics[i][0] = '\0'; /* is there */
        else
            put(topics[i]);
    }
    for (unsigned i = 0; i < 5000; i++) {
        char filter[64];
        unsigned calls;
        random_text(filter, &seed, true);
        if (!topic_filter_valid(bytes(filter), strlen(filter), 32))
            continue;
        unsigned wanted = matching(filter);
        assert_int_equal(words(found(filter, 1 + i % 5, &calls)), wanted);
    }
}

static void a_walk_leaps_over_what_cannot_match(void **state) {
    char topic[64];
    unsigned calls;
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned j = 0; j < 100; j++) {
            snprintf(topic, sizeof topic, "dev%03u/value%03u", i, j);
            put(topic);
        }
    }
    /* 100 devices, 100 values each: about three steps for each device. */
    assert_int_equal(words(found("+/value050", 1, &calls)), 100);
    assert_true(calls < 500);
    assert_int_equal(words(found("dev050/#", 1, &calls)), 100);
    assert_true(calls < 110);
}

static void a_walk_survives_what_comes_and_goes_beside_it(void **state) {
    char topic[64];
    unsigned visited[1000] = {0};
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(topic, sizeof topic, "stay/%03u", i);
        put(topic);
        snprintf(topic, sizeof topic, "stay/%03u/go", i);
        put(topic);
    }
    struct retained_cursor cursor = {0};
    uint64_t epoch;
    for (unsigned turn = 0; !cursor.ended; turn++) {
        unsigned steps = 3;
        const struct message *message =
            retained_next(store, &cursor, bytes("stay/#"), 6, &steps, &epoch);
        if (message != NULL && message->topic_len == 8)
            visited[atoi((const char *)message_topic(message) + 5)]++;
        if (cursor.at != NULL && turn % 2 == 0) { /* the very one that it stands at */
            struct message *at = message_ref(cursor.at);
            if (at->topic_len > 8)
                retained_delete(store, message_topic(at), at->topic_len);
            else
                retained_put(store, at, 9);
            parcel_release(&desk.parcels, at);
        }
        snprintf(topic, sizeof topic, "stay/%03u/new", turn * 7 % 1000);
        put(topic);
        snprintf(topic, sizeof topic, "stay/%03u/go", turn * 13 % 1000);
        delete (topic);
    }
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(visited[i], 1);
    retained_cursor_end(store, &cursor);
}

static void more_topics_than_the_limit_are_refused(void **state) {
    retained_destroy(store);
    store = retained_create(&desk.parcels, 2);
    put("a");
    put("b");
    assert_int_equal(put_at("c", "x", 1), RETAINED_FULL);
    assert_int_equal(put_at("b", "new", 1), RETAINED_STORED);
    delete ("a");
    assert_int_equal(put_at("c", "x", 1), RETAINED_STORED);
}

static void a_topic_that_finds_no_memory_leaves_no_trace(void **state) {
    uint64_t epoch;
    struct message *message = desk_message(&desk, "a", "x", 0);
    arena_fail_after(desk.arena, 1);
    assert_int_equal(retained_put(store, message, 1), RETAINED_NO_MEMORY);
    assert_null(retained_get(store, bytes("a"), 1, &epoch));
    assert_int_equal(retained_count(store), 0);
    assert_int_equal(retained_put(store, message, 1), RETAINED_STORED);
    parcel_release(&desk.parcels, message);
}

static int set_up(void **state) {
    static const uint8_t key[16] = {1};
    topic_hash_set_key(key);
    mailboxes = mailboxes_create(1, 64);
    desk_open(&desk, mailboxes, 0);
    store = retained_create(&desk.parcels, 1000000);
    return 0;
}

static int tear_down(void **state) {
    retained_destroy(store);
    desk_close(&desk);
    mailboxes_destroy(mailboxes);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(one_message_is_kept_for_each_topic),
        TEST(wildcards_find_what_they_match_and_nothing_else),
        TEST(a_walk_finds_what_comparing_every_topic_finds),
        TEST(a_walk_leaps_over_what_cannot_match),
        TEST(a_walk_survives_what_comes_and_goes_beside_it),
        TEST(more_topics_than_the_limit_are_refused),
        TEST(a_topic_that_finds_no_memory_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
