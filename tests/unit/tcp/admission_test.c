/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/base/bytes.h"
#include "dataplane/tcp/admission.h"

enum { SYNS = 1000, NOW = 5000000 };

static const uint8_t key[16] = "admission's test";

static struct admission opened(uint32_t prefix, uint32_t worker) {
    struct admission admission;
    struct admission_limits limits = {
        .prefix = {prefix, prefix, prefix}, .worker = {worker}, .bits4 = 24, .bits6 = 56};
    assert_true(admission_init(&admission, &limits, key));
    return admission;
}

static void ipv4(uint8_t address[16], uint32_t host_order) {
    memset(address, 0, 10);
    memset(address + 10, 0xff, 2);
    store_be32(address + 12, host_order);
}

/* How many of `tries` are granted. */
static unsigned granted(struct admission *admission, enum admission_kind kind,
                        const uint8_t address[16], uint64_t now, unsigned tries) {
    unsigned yes = 0;
    for (unsigned i = 0; i < tries; i++)
        yes += admission_ask(admission, kind, address, now) == ADMISSION_GRANTED;
    return yes;
}

static void a_second_s_worth_comes_at_once_and_then_evenly(void **state) {
    struct admission admission = opened(SYNS, 0);
    uint8_t address[16];
    ipv4(address, 0x0a000001);
    assert_int_equal(granted(&admission, ADMISSION_SYN, address, NOW, 3 * SYNS), SYNS);
    assert_int_equal(admission_ask(&admission, ADMISSION_SYN, address, NOW), ADMISSION_PREFIX);
    assert_int_equal(granted(&admission, ADMISSION_SYN, address, NOW + 100000, SYNS), SYNS / 10);
    /* Long silence gives no more than a second's worth. */
    assert_int_equal(granted(&admission, ADMISSION_SYN, address, NOW + 3600000000, 3 * SYNS), SYNS);
    admission_fini(&admission);
}

static void kinds_are_counted_apart(void **state) {
    struct admission admission = opened(SYNS, 0);
    uint8_t address[16];
    ipv4(address, 0x0a000001);
    for (unsigned kind = 0; kind < ADMISSION_KINDS; kind++)
        assert_int_equal(granted(&admission, kind, address, NOW, 2 * SYNS), SYNS);
    admission_fini(&admission);
}

static void addresses_of_a_prefix_share_and_prefixes_do_not(void **state) {
    struct admission admission = opened(SYNS, 0);
    uint8_t address[16];
    for (unsigned host = 0; host < 2 * SYNS; host++) {
        ipv4(address, 0x0a000000 + host % 256);
        assert_int_equal(admission_ask(&admission, ADMISSION_SYN, address, NOW),
                         host < SYNS ? ADMISSION_GRANTED : ADMISSION_PREFIX);
    }
    ipv4(address, 0x0a000100);
    assert_int_equal(granted(&admission, ADMISSION_SYN, address, NOW, 2 * SYNS), SYNS);

    uint8_t ipv6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0, 1, 0x00};
    for (unsigned i = 0; i < SYNS; i++) {
        ipv6[7] = (uint8_t)i; /* beyond bit 56 */
        ipv6[15] = (uint8_t)(i >> 8);
        assert_int_equal(admission_ask(&admission, ADMISSION_SYN, ipv6, NOW), ADMISSION_GRANTED);
    }
    assert_int_equal(admission_ask(&admission, ADMISSION_SYN, ipv6, NOW), ADMISSION_PREFIX);
    ipv6[6] = 2;
    assert_int_equal(admission_ask(&admission, ADMISSION_SYN, ipv6, NOW), ADMISSION_GRANTED);
    admission_fini(&admission);
}

static void the_worker_s_limit_holds_for_all_and_takes_nothing_from_a_prefix(void **state) {
    struct admission admission = opened(SYNS, 100);
    uint8_t address[16];
    unsigned yes = 0;
    for (unsigned i = 0; i < 500; i++) {
        ipv4(address, i << 8);
        yes += admission_ask(&admission, ADMISSION_SYN, address, NOW) == ADMISSION_GRANTED;
    }
    assert_int_equal(yes, 100);
    ipv4(address, 1 << 8);
    assert_int_equal(admission_ask(&admission, ADMISSION_SYN, address, NOW), ADMISSION_WORKER);
    /* RSTs and connections have no such limit here. */
    assert_int_equal(granted(&admission, ADMISSION_RESET, address, NOW, SYNS), SYNS);
    admission_fini(&admission);
}

/* The default limits: a whole fleet behind one NAT may come back at once. */
static void a_thousand_in_any_ten_milliseconds_pass_a_limit_of_100000(void **state) {
    struct admission admission = opened(100000, 0);
    uint8_t address[16];
    ipv4(address, 0x0a000001);
    for (unsigned slice = 0; slice < 500; slice++)
        assert_int_equal(granted(&admission, ADMISSION_SYN, address, NOW + slice * 10000, 1000),
                         1000);
    admission_fini(&admission);
}

static void without_limits_all_is_granted_and_no_memory_taken(void **state) {
    struct admission admission = opened(0, 0);
    uint8_t address[16];
    ipv4(address, 0x0a000001);
    assert_null(admission.sets);
    assert_int_equal(granted(&admission, ADMISSION_SYN, address, NOW, 100000), 100000);
    admission_fini(&admission);
}

/* More prefixes than places: those that use least give way, and one that floods stays caught. */
static void a_flood_of_prefixes_does_not_wash_away_the_worst(void **state) {
    struct admission admission = opened(SYNS, 0);
    uint8_t address[16], worst[16];
    ipv4(worst, 0xc0000200);
    assert_int_equal(granted(&admission, ADMISSION_SYN, worst, NOW, 2 * SYNS), SYNS);
    for (unsigned i = 0; i < 10 * ADMISSION_SETS * ADMISSION_WAYS; i++) {
        ipv4(address, i << 8);
        assert_int_equal(admission_ask(&admission, ADMISSION_SYN, address, NOW), ADMISSION_GRANTED);
    }
    assert_int_equal(admission_ask(&admission, ADMISSION_SYN, worst, NOW), ADMISSION_PREFIX);
    admission_fini(&admission);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_s_worth_comes_at_once_and_then_evenly),
        cmocka_unit_test(kinds_are_counted_apart),
        cmocka_unit_test(addresses_of_a_prefix_share_and_prefixes_do_not),
        cmocka_unit_test(the_worker_s_limit_holds_for_all_and_takes_nothing_from_a_prefix),
        cmocka_unit_test(a_thousand_in_any_ten_milliseconds_pass_a_limit_of_100000),
        cmocka_unit_test(without_limits_all_is_granted_and_no_memory_taken),
        cmocka_unit_test(a_flood_of_prefixes_does_not_wash_away_the_worst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
