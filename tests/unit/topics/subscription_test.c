/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "dataplane/topics/exact.h"
#include "memory.h"

static struct memory memory;
static struct subscriptions subscriptions;

static int open_subscriptions(void **state) {
    memory_open(&memory, (size_t)1 << 30);
    subscriptions_init(&subscriptions, &memory.topics);
    return 0;
}

static int close_subscriptions(void **state) {
    memory_close(&memory);
    return 0;
}

static struct interest *interest_named(const char *text) {
    return interest_new(&memory.topics, (const uint8_t *)text, (uint16_t)strlen(text));
}

static unsigned members(const struct interest *interest) {
    unsigned count = 0;
    for (ref_t ref = interest->first; ref != 0; count++)
        ref = subscription_at(&subscriptions, ref)->next_of_interest;
    return count;
}

static void a_subscription_is_in_both_lists(void **state) {
    struct interest *a = interest_named("a"), *b = interest_named("b/+");
    struct subscriber one = {1, 1}, other = {2, 1};
    ref_t ones = 0, others = 0;
    assert_int_equal(a->wildcard, 0);
    assert_int_equal(b->wildcard, 1);
    struct subscription *one_a = subscription_new(&subscriptions, one, a, &ones, 1);
    struct subscription *one_b = subscription_new(&subscriptions, one, b, &ones, 2);
    struct subscription *other_a = subscription_new(&subscriptions, other, a, &others, 0);
    assert_int_equal(members(a), 2);
    assert_int_equal(members(b), 1);
    assert_ptr_equal(subscription_find(&subscriptions, one, ones, a), one_a);
    assert_ptr_equal(subscription_find(&subscriptions, one, ones, b), one_b);
    assert_ptr_equal(subscription_find(&subscriptions, other, others, a), other_a);
    assert_null(subscription_find(&subscriptions, other, others, b));
    assert_ptr_equal(interest_of(&subscriptions, one_b), b);
    assert_int_equal(one_b->qos, 2);

    subscription_remove(&subscriptions, one_a, &ones, one_b);
    assert_int_equal(members(a), 1);
    assert_null(subscription_find(&subscriptions, one, ones, a));
    assert_ptr_equal(subscription_find(&subscriptions, one, ones, b), one_b);
    subscription_remove(&subscriptions, one_b, &ones, NULL);
    subscription_remove(&subscriptions, other_a, &others, NULL);
    assert_int_equal(ones | others | a->first | b->first, 0);
}

static void members_leave_in_any_order(void **state) {
    enum { N = 50 };
    struct interest *a = interest_named("a");
    ref_t heads[N] = {0};
    struct subscription *all[N];
    uint64_t seed = 2;
    for (unsigned i = 0; i < N; i++)
        all[i] = subscription_new(&subscriptions, (struct subscriber){i + 1, 1}, a, &heads[i], 0);
    for (unsigned left = N; left > 0; left--) {
        assert_int_equal(members(a), left);
        unsigned i = random_below(&seed, left);
        uint32_t ref = all[i]->who.ref;
        subscription_remove(&subscriptions, all[i], &heads[ref - 1], NULL);
        all[i] = all[left - 1];
    }
    assert_int_equal(a->first, 0);
}

/* The figure of the design: at most 90 bytes for an exact subscription with a 24-byte filter, by
 * the spans that are in use. */
static void an_exact_subscription_costs_at_most_90_bytes(void **state) {
    enum { N = 2000000 };
    struct exact exact;
    exact_init(&exact, &memory.topics);
    char text[32];
    for (uint32_t i = 0; i < N; i++) {
        snprintf(text, sizeof text, "devices/%08x/command", i);
        assert_int_equal(strlen(text), 24);
        uint64_t hash = topic_hash((const uint8_t *)text, 24);
        struct interest *interest = interest_named(text);
        ref_t head = 0;
        assert_non_null(
            subscription_new(&subscriptions, (struct subscriber){i + 1, 1}, interest, &head, 0));
        assert_true(exact_insert(&exact, interest, hash));
    }
    size_t bytes = arena_used(memory.arena);
    print_message("[          ] %.1f bytes\n", (double)bytes / N);
    assert_in_range(bytes / N, 60, 89);
    for (uint32_t i = 0; i < N; i += 1001) {
        snprintf(text, sizeof text, "devices/%08x/command", i);
        uint64_t hash = topic_hash((const uint8_t *)text, 24);
        const struct interest *interest = exact_find(&exact, (const uint8_t *)text, 24, hash);
        assert_non_null(interest);
        assert_int_equal(subscription_at(&subscriptions, interest->first)->who.ref, i + 1);
    }
}

int main(void) {
#define own_test(name)                                                                             \
    cmocka_unit_test_setup_teardown(name, open_subscriptions, close_subscriptions)
    const struct CMUnitTest tests[] = {
        own_test(a_subscription_is_in_both_lists),
        own_test(members_leave_in_any_order),
        own_test(an_exact_subscription_costs_at_most_90_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
