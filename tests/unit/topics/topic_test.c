/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <stdlib.h>

#include "dataplane/topics/topic.h"
#include "memory.h"

static const uint8_t *u(const char *text) {
    return (const uint8_t *)text;
}

static bool matches(const char *filter, const char *topic) {
    return topic_matches(u(filter), strlen(filter), u(topic), strlen(topic));
}

static bool filter_ok(const char *filter) {
    return topic_filter_valid(u(filter), strlen(filter), 16);
}

static bool name_ok(const char *name) {
    return topic_name_valid(u(name), strlen(name), 16);
}

static void hash_matches_the_parent_level(void **state) {
    assert_true(matches("a/#", "a"));
    assert_true(matches("a/#", "a/b"));
    assert_true(matches("a/#", "a/b/c"));
    assert_true(matches("a/#", "a/"));
    assert_false(matches("a/#", "ab"));
    assert_false(matches("a/b/#", "a"));
    assert_true(matches("+/#", "a"));
    assert_true(matches("#", "a"));
    assert_true(matches("#", "/"));
    assert_false(matches("a/+/#", "a"));
    assert_true(matches("a/+/#", "a/b"));
}

static void plus_matches_one_level_even_an_empty_one(void **state) {
    assert_true(matches("+", "a"));
    assert_false(matches("+", "a/b"));
    assert_false(matches("+", "/a"));
    assert_true(matches("a/+", "a/"));
    assert_false(matches("a/+", "a"));
    assert_true(matches("a/+/b", "a//b"));
    assert_false(matches("a/+/b", "a/x/y/b"));
    assert_true(matches("+/+", "/"));
    assert_true(matches("/+", "/a"));
    assert_true(matches("+/a", "/a"));
}

static void a_leading_slash_is_a_level(void **state) {
    assert_false(matches("a", "/a"));
    assert_false(matches("/a", "a"));
    assert_true(matches("/a", "/a"));
    assert_false(matches("a/", "a"));
    assert_false(matches("a", "a/"));
    assert_false(matches("a//b", "a/b"));
}

static void leading_wildcards_do_not_match_dollar_topics(void **state) {
    assert_false(matches("#", "$SYS/x"));
    assert_false(matches("+/x", "$SYS/x"));
    assert_false(matches("+/#", "$SYS/x"));
    assert_false(matches("#", "$"));
    assert_true(matches("$SYS/#", "$SYS/x"));
    assert_true(matches("$SYS/+", "$SYS/x"));
    assert_true(matches("#", "a/$SYS"));
    assert_true(matches("a/+", "a/$x"));
    assert_true(matches("$SYS", "$SYS"));
}

static void topics_are_case_sensitive_and_compared_whole(void **state) {
    assert_false(matches("Accounts", "accounts"));
    assert_false(matches("a/bc", "a/b"));
    assert_false(matches("a/b", "a/bc"));
    assert_true(matches("a b/c", "a b/c"));
}

static void wildcards_stand_alone_in_a_filters_level(void **state) {
    assert_true(filter_ok("#"));
    assert_true(filter_ok("+"));
    assert_true(filter_ok("a/+/b/#"));
    assert_true(filter_ok("+/+"));
    assert_true(filter_ok("/"));
    assert_true(filter_ok("/+/"));
    assert_false(filter_ok("a#"));
    assert_false(filter_ok("a/#/b"));
    assert_false(filter_ok("#/"));
    assert_false(filter_ok("a+"));
    assert_false(filter_ok("+a"));
    assert_false(filter_ok("a/b+/c"));
    assert_false(filter_ok("##"));
    assert_false(filter_ok("++"));
    assert_false(filter_ok(""));
}

static void names_have_no_wildcard(void **state) {
    assert_true(name_ok("a/b"));
    assert_true(name_ok("/"));
    assert_false(name_ok("a/+"));
    assert_false(name_ok("#"));
    assert_false(name_ok("a#b"));
    assert_false(name_ok(""));
    assert_true(topic_filter_has_wildcard(u("a/+"), 3));
    assert_true(topic_filter_has_wildcard(u("#"), 1));
    assert_false(topic_filter_has_wildcard(u("a/b"), 3));
}

static void levels_are_limited(void **state) {
    assert_true(topic_name_valid(u("a/b/c"), 5, 3));
    assert_false(topic_name_valid(u("a/b/c"), 5, 2));
    assert_true(topic_filter_valid(u("a/b/#"), 5, 3));
    assert_false(topic_filter_valid(u("a/b/#"), 5, 2));
    assert_false(topic_name_valid(u("///"), 3, 3));
}

static void length_is_at_most_65535(void **state) {
    uint8_t *text = malloc(65536);
    memset(text, 'x', 65536);
    assert_true(topic_name_valid(text, 65535, 1));
    assert_false(topic_name_valid(text, 65536, 1));
    assert_true(topic_filter_valid(text, 65535, 1));
    assert_false(topic_filter_valid(text, 65536, 1));
    free(text);
}

static void text_is_well_formed_utf8_without_nul(void **state) {
    static const struct {
        const char *text;
        size_t len;
        bool valid;
    } cases[] = {
        {"", 0, true},
        {"\x7f", 1, true},
        {"\xc3\xa9", 2, true},
        {"\xef\xbb\xbf", 3, true}, /* U+FEFF is kept (MQTT-1.5.3-3) */
        {"\xf4\x8f\xbf\xbf", 4, true},
        {"\xed\x9f\xbf", 3, true},
        {"\xee\x80\x80", 3, true},
        {"\0", 1, false},
        {"abcdefg\0", 8, false},
        {"abcdefgh\0", 9, false},
        {"\x80", 1, false},
        {"\xc0\x80", 2, false},         /* U+0000, overlong */
        {"\xc1\xbf", 2, false},         /* overlong */
        {"\xe0\x9f\xbf", 3, false},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 4, false}, /* overlong */
        {"\xed\xa0\x80", 3, false},     /* surrogate */
        {"\xed\xbf\xbf", 3, false},     /* surrogate */
        {"\xf4\x90\x80\x80", 4, false}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", 4, false},
        {"\xff", 1, false},
        {"\xc3", 1, false},
        {"\xe2\x82", 2, false},
        {"\xf0\x9f\x98", 3, false},
        {"\xc3\xc3", 2, false},
        {"\xe2\x82\x41", 3, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* Of exact size, so that a byte read too many is seen. */
        uint8_t *tight = malloc(cases[i].len ? cases[i].len : 1);
        memcpy(tight, cases[i].text, cases[i].len);
        assert_int_equal(utf8_valid(tight, cases[i].len), cases[i].valid);
        /* Behind a run of ASCII too, where eight bytes are looked at together. */
        uint8_t *behind = malloc(16 + cases[i].len);
        memset(behind, 'a', 16);
        memcpy(behind + 16, cases[i].text, cases[i].len);
        for (size_t skip = 0; skip <= 16; skip++)
            assert_int_equal(utf8_valid(behind + skip, 16 - skip + cases[i].len), cases[i].valid);
        free(tight);
        free(behind);
    }
}

/* The definition word for word, to compare with: all code points that may be encoded. */
static void every_code_point_is_judged_rightly(void **state) {
    for (uint32_t point = 0; point < 0x110400; point++) {
        uint8_t text[4];
        size_t len;
        if (point < 0x80) {
            text[0] = (uint8_t)point;
            len = 1;
        } else if (point < 0x800) {
            text[0] = (uint8_t)(0xc0 | point >> 6);
            text[1] = (uint8_t)(0x80 | (point & 0x3f));
            len = 2;
        } else if (point < 0x10000) {
            text[0] = (uint8_t)(0xe0 | point >> 12);
            text[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
            text[2] = (uint8_t)(0x80 | (point & 0x3f));
            len = 3;
        } else {
            text[0] = (uint8_t)(0xf0 | point >> 18);
            text[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
            text[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
            text[3] = (uint8_t)(0x80 | (point & 0x3f));
            len = 4;
        }
        bool valid = point != 0 && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        if (utf8_valid(text, len) != valid)
            fail_msg("U+%04X", point);
    }
}

static void hashes_depend_on_the_key(void **state) {
    static const uint8_t one[16] = {1}, two[16] = {2};
    topic_hash_set_key(one);
    uint64_t a = topic_hash(u("sensors/1"), 9), b = topic_hash(u("a"), 1);
    assert_true(a != b);
    assert_true(a == topic_hash(u("sensors/1"), 9));
    topic_hash_set_key(two);
    assert_true(a != topic_hash(u("sensors/1"), 9));
    assert_true(b != topic_hash(u("a"), 1));
    topic_hash_set_key(one);
    assert_true(a == topic_hash(u("sensors/1"), 9));
}

static void the_prefix_hash_covers_the_first_level_only(void **state) {
    assert_true(topic_prefix_hash(u("a/b/c"), 5) == topic_prefix_hash(u("a/+"), 3));
    assert_true(topic_prefix_hash(u("a/b/c"), 5) == topic_prefix_hash(u("a"), 1));
    assert_true(topic_prefix_hash(u("/b"), 2) == topic_prefix_hash(u("/#"), 2));
    assert_true(topic_prefix_hash(u("ab/c"), 4) != topic_prefix_hash(u("a/c"), 3));
}

/* Level by level on split strings: slower and plainer than the one in use. */
static bool plain_match(char *filter, char *topic) {
    if (topic[0] == '$' && (filter[0] == '+' || filter[0] == '#'))
        return false;
    for (;;) {
        char *f = filter ? strsep(&filter, "/") : NULL;
        if (f && strcmp(f, "#") == 0)
            return true;
        char *t = topic ? strsep(&topic, "/") : NULL;
        if (!f || !t)
            return f == t;
        if (strcmp(f, "+") != 0 && strcmp(f, t) != 0)
            return false;
    }
}

static void matching_agrees_with_the_plain_definition(void **state) {
    uint64_t seed = 1;
    unsigned matched = 0;
    for (unsigned i = 0; i < 200000; i++) {
        char filter[64], topic[64];
        size_t filter_len = random_filter(&seed, (uint8_t *)filter, sizeof filter - 1);
        size_t topic_len = random_topic(&seed, (uint8_t *)topic, sizeof topic - 1);
        filter[filter_len] = topic[topic_len] = 0;
        bool found = topic_matches(u(filter), filter_len, u(topic), topic_len);
        char f[64], t[64];
        strcpy(f, filter);
        strcpy(t, topic);
        if (found != plain_match(f, t))
            fail_msg("%s %s", filter, topic);
        matched += found;
    }
    assert_in_range(matched, 1000, 100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_matches_the_parent_level),
        cmocka_unit_test(plus_matches_one_level_even_an_empty_one),
        cmocka_unit_test(a_leading_slash_is_a_level),
        cmocka_unit_test(leading_wildcards_do_not_match_dollar_topics),
        cmocka_unit_test(topics_are_case_sensitive_and_compared_whole),
        cmocka_unit_test(wildcards_stand_alone_in_a_filters_level),
        cmocka_unit_test(names_have_no_wildcard),
        cmocka_unit_test(levels_are_limited),
        cmocka_unit_test(length_is_at_most_65535),
        cmocka_unit_test(text_is_well_formed_utf8_without_nul),
        cmocka_unit_test(every_code_point_is_judged_rightly),
        cmocka_unit_test(hashes_depend_on_the_key),
        cmocka_unit_test(the_prefix_hash_covers_the_first_level_only),
        cmocka_unit_test(matching_agrees_with_the_plain_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
