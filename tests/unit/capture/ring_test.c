/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "dataplane/capture/ring.h"

enum { SIZE = 1 << 16 };

static struct capture_ring *ring;

static int set_up(void **state) {
    ring = aligned_alloc(64, sizeof *ring + SIZE);
    memset(ring, 0xa5, sizeof *ring + SIZE);
    capture_ring_init(ring, SIZE);
    return 0;
}

static int tear_down(void **state) {
    free(ring);
    return 0;
}

/* The n-th record: its length and bytes follow from n. */
static uint32_t len_of(uint32_t n) {
    return n * 7919 % 4000;
}

static bool write_record(uint32_t n) {
    struct capture_record *record = capture_ring_room(ring, len_of(n));
    if (record == NULL)
        return false;
    record->wire_len = n;
    record->time = n;
    record->len = len_of(n);
    record->port = 0;
    record->flags = n & CAPTURE_SENT;
    memset(record->bytes, (int)n, record->len);
    capture_ring_write(ring, record);
    return true;
}

static bool read_record(uint32_t n) {
    const struct capture_record *record = capture_ring_peek(ring);
    if (record == NULL)
        return false;
    assert_int_equal(record->wire_len, n);
    assert_int_equal(record->len, len_of(n));
    assert_int_equal(record->flags, n & CAPTURE_SENT);
    for (uint32_t i = 0; i < record->len; i++)
        assert_int_equal(record->bytes[i], n & 0xff);
    capture_ring_drop(ring, record);
    return true;
}

static void records_come_out_as_they_went_in_over_many_rounds(void **state) {
    uint32_t in = 0, out = 0;
    for (unsigned turn = 0; in < 20000; turn++) {
        for (unsigned burst = turn % 13; burst > 0 && write_record(in); burst--)
            in++;
        for (unsigned burst = turn % 17; burst > 0 && out < in; burst--)
            assert_true(read_record(out++));
    }
    while (out < in)
        assert_true(read_record(out++));
    assert_null(capture_ring_peek(ring));
}

static void a_full_ring_takes_nothing_and_keeps_what_it_has(void **state) {
    uint32_t in = 0;
    while (write_record(in))
        in++;
    assert_true(in > 10);
    assert_false(write_record(in));
    assert_true(read_record(0));
    assert_true(read_record(1));
    assert_true(read_record(2));
    assert_true(write_record(in)); /* what was read made room */
    for (uint32_t out = 3; out <= in; out++)
        assert_true(read_record(out));
    assert_null(capture_ring_peek(ring));
}

static void a_filler_may_be_shorter_than_a_record(void **state) {
    /* 8 bytes are left before the end. */
    uint32_t used = 0;
    while (used < SIZE - 8) {
        uint32_t size = SIZE - 8 - used < 4096 ? SIZE - 8 - used : 4096 - 24 - 8;
        struct capture_record *record = capture_ring_room(ring, size - 24);
        assert_non_null(record);
        record->len = size - 24;
        record->flags = 0;
        used += record->size;
        capture_ring_write(ring, record);
        assert_non_null(capture_ring_peek(ring));
        capture_ring_drop(ring, capture_ring_peek(ring));
    }
    assert_int_equal(used, SIZE - 8);
    assert_true(write_record(5));
    assert_true(read_record(5));
    assert_null(capture_ring_peek(ring));
}

enum { HANDED = 200000 };

static void *writer(void *argument) {
    for (uint32_t n = 0; n < HANDED;)
        n += write_record(n);
    return NULL;
}

static void another_thread_reads_while_one_writes(void **state) {
    pthread_t thread;
    pthread_create(&thread, NULL, writer, NULL);
    for (uint32_t n = 0; n < HANDED;) {
        const struct capture_record *record = capture_ring_peek(ring);
        if (record == NULL)
            continue;
        assert_int_equal(record->wire_len, n);
        assert_int_equal(record->len, len_of(n));
        if (record->len > 0)
            assert_int_equal(record->bytes[record->len - 1], n & 0xff);
        capture_ring_drop(ring, record);
        n++;
    }
    pthread_join(thread, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_come_out_as_they_went_in_over_many_rounds, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_full_ring_takes_nothing_and_keeps_what_it_has, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_filler_may_be_shorter_than_a_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_thread_reads_while_one_writes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
