/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/tcp/options.h"

/* Parses from memory of the exact size, so that a read past the end is seen. */
static struct tcp_options parse(const uint8_t *bytes, size_t len, bool syn) {
    struct tcp_options options;
    uint8_t *exact = malloc(len + 1);
    memcpy(exact, bytes, len);
    exact = realloc(exact, len ? len : 1);
    tcp_options_parse(&options, exact, len, syn);
    free(exact);
    return options;
}

static void what_a_linux_client_sends_is_read(void **state) {
    const uint8_t syn[] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7};
    struct tcp_options options = parse(syn, sizeof syn, true);
    assert_true(options.has_mss && options.mss == 1460);
    assert_true(options.sack_permitted);
    assert_true(options.has_timestamp && options.tsval == 9 && options.tsecr == 0);
    assert_true(options.has_wscale && options.wscale == 7);
}

static void the_time_stamp_is_found_in_any_layout(void **state) {
    const uint8_t usual[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    const uint8_t other[] = {8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0};
    const uint8_t sack[] = {5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct {
        const uint8_t *bytes;
        size_t len;
    } layouts[] = {{usual, sizeof usual}, {other, sizeof other}, {sack, sizeof sack}};
    for (unsigned i = 0; i < 3; i++) {
        struct tcp_options options = parse(layouts[i].bytes, layouts[i].len, false);
        assert_true(options.has_timestamp);
        assert_int_equal(options.tsval, 0x01020304);
        assert_int_equal(options.tsecr, 0x05060708);
    }
}

static void options_of_a_syn_count_on_a_syn_only(void **state) {
    const uint8_t bytes[] = {2, 4, 0x05, 0xb4, 4, 2, 1, 1, 3, 3, 7, 0};
    struct tcp_options options = parse(bytes, sizeof bytes, false);
    assert_false(options.has_mss || options.sack_permitted || options.has_wscale);
}

static void a_window_scale_above_14_means_14(void **state) {
    const uint8_t bytes[] = {3, 3, 255, 0};
    assert_int_equal(parse(bytes, sizeof bytes, true).wscale, 14);
}

static void every_malformed_length_ends_the_list_and_reads_nothing_beyond(void **state) {
    for (unsigned kind = 0; kind < 256; kind++) {
        for (unsigned size = 0; size < 256; size++) {
            for (size_t len = 0; len <= 12; len++) {
                uint8_t bytes[12] = {2, 4, 1, 0, (uint8_t)kind, (uint8_t)size, 1, 1, 1, 1, 1, 1};
                struct tcp_options options = parse(bytes, len, true);
                if (len >= 4) /* what stood before counts */
                    assert_true(options.has_mss);
            }
        }
    }
}

static void what_is_written_is_read_back(void **state) {
    uint8_t bytes[TCP_OPTIONS_MAX];
    struct tcp_options in = {.has_mss = true,
                             .mss = 1360,
                             .has_timestamp = true,
                             .tsval = 77,
                             .tsecr = 88,
                             .has_wscale = true,
                             .wscale = 3,
                             .sack_permitted = true};
    size_t len = tcp_options_put_syn(bytes, &in);
    assert_true(len <= 20 && len % 4 == 0);
    struct tcp_options out = parse(bytes, len, true);
    assert_memory_equal(&in, &out, sizeof in);

    in = (struct tcp_options){.has_mss = true, .mss = 536};
    len = tcp_options_put_syn(bytes, &in);
    assert_int_equal(len, 4);
    out = parse(bytes, len, true);
    assert_memory_equal(&in, &out, sizeof in);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_linux_client_sends_is_read),
        cmocka_unit_test(the_time_stamp_is_found_in_any_layout),
        cmocka_unit_test(options_of_a_syn_count_on_a_syn_only),
        cmocka_unit_test(a_window_scale_above_14_means_14),
        cmocka_unit_test(every_malformed_length_ends_the_list_and_reads_nothing_beyond),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
