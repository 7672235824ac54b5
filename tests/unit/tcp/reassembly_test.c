/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/tcp/reassembly.h"

enum { MEMORY = 4 << 20, BASE = -100 /* the numbers wrap on the way */ };

struct fixture {
    void *memory, *state;
    struct arena *arena;
    struct pool pool;
    struct reassembly in;
};

static const struct reassembly_limits wide = {1 << 20, 1000};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->memory = aligned_alloc(1 << 16, MEMORY);
    f->state = calloc(1, arena_footprint(MEMORY));
    f->arena = arena_init(f->state, f->memory, MEMORY, MEMORY);
    pool_init(&f->pool, f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    reassembly_clear(&f->in, &f->pool);
    uint64_t used = 0;
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        used += f->pool.classes[i].used;
    int failed = used || f->in.memory || f->in.chunks || f->in.first || f->in.last;
    free(f->memory);
    free(f->state);
    free(f);
    return failed;
}

static uint8_t byte_at(uint32_t position) {
    return (uint8_t)(position * 7 + 3);
}

/* Positions count from BASE. */
static uint32_t insert(struct fixture *f, uint32_t at, uint32_t len) {
    uint8_t data[8192];
    for (uint32_t i = 0; i < len; i++)
        data[i] = byte_at(at + i);
    return reassembly_insert(&f->in, &f->pool, (uint32_t)BASE + at, data, len, &wide);
}

static uint32_t reach(struct fixture *f, uint32_t at) {
    return reassembly_reach(&f->in, &f->pool, (uint32_t)BASE + at) - (uint32_t)BASE;
}

/* Takes all that is in order from `at` on, checks it, returns where it ended. */
static uint32_t drain(struct fixture *f, uint32_t at) {
    const uint8_t *data;
    uint32_t len;
    while ((data = reassembly_peek(&f->in, &f->pool, (uint32_t)BASE + at, &len)) != NULL) {
        for (uint32_t i = 0; i < len; i++)
            assert_int_equal(data[i], byte_at(at + i));
        at += len;
        reassembly_consume(&f->in, &f->pool, (uint32_t)BASE + at);
    }
    return at;
}

/*  0    100   200   300
 *  |-----|     |-----|      then |.....| between */
static void a_filled_hole_joins_what_lies_around_it(void **state) {
    struct fixture *f = *state;
    assert_int_equal(insert(f, 200, 100), 100);
    assert_int_equal(reach(f, 0), 0);
    assert_int_equal(insert(f, 0, 100), 100);
    assert_int_equal(reach(f, 0), 100);
    assert_int_equal(insert(f, 100, 100), 100);
    assert_int_equal(reach(f, 0), 300);
    assert_int_equal(drain(f, 0), 300);
}

/*     [100..200]      [300..400]      [500..600]
 *  [50 .............................................. 650] */
static void a_segment_over_several_chunks_fills_the_holes_only(void **state) {
    struct fixture *f = *state;
    insert(f, 100, 100);
    insert(f, 300, 100);
    insert(f, 500, 100);
    assert_int_equal(insert(f, 50, 600), 600);
    assert_int_equal(reach(f, 50), 650);
    assert_int_equal(drain(f, 50), 650);
}

static void every_overlap_of_two_segments_keeps_the_stream(void **state) {
    struct fixture *f = *state;
    for (uint32_t first = 0; first < 12; first++) {
        for (uint32_t len = 1; len < 12; len++) {
            reassembly_clear(&f->in, &f->pool);
            insert(f, 4, 4);
            assert_int_equal(insert(f, first, len), len);
            insert(f, 0, 30);
            assert_int_equal(drain(f, 0), 30);
        }
    }
}

static void small_segments_in_a_row_share_memory(void **state) {
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 4000; i++)
        assert_int_equal(insert(f, i, 1), 1);
    assert_true(f->in.memory < 3 * 4000);
    assert_int_equal(drain(f, 0), 4000);
}

/* A flight of 256 KiB behind a hole stays within the chunks that out-of-order segments may take. */
static void a_long_run_of_full_segments_takes_few_chunks(void **state) {
    struct fixture *f = *state;
    uint32_t segments = 190, len = 1348;
    for (uint32_t i = 0; i < segments; i++)
        assert_int_equal(insert(f, i * len, len), len);
    assert_true(f->in.chunks <= REASSEMBLY_CHUNKS_MAX + 2);
    assert_true(f->in.memory < segments * len * 11 / 10);
    assert_int_equal(drain(f, 0), segments * len);
}

static void limits_cut_and_keep_what_fits(void **state) {
    struct fixture *f = *state;
    uint8_t data[12000] = {0};
    struct reassembly_limits few = {.memory = 1 << 20, .chunks = 2};
    assert_int_equal(reassembly_insert(&f->in, &f->pool, 1000, data, 12000, &few),
                     2 * REASSEMBLY_CHUNK_MAX);
    assert_int_equal(f->in.chunks, 2);
    struct reassembly_limits small = {.memory = 100, .chunks = 100};
    assert_int_equal(reassembly_insert(&f->in, &f->pool, 90000, data, 10, &small), 0);
}

static void a_failed_allocation_keeps_the_prefix(void **state) {
    struct fixture *f = *state;
    insert(f, 1000, 100);
    arena_fail_after(f->arena, 2);
    assert_int_equal(insert(f, 900, 1200), 200); /* the hole before was filled, not the one after */
    assert_int_equal(reach(f, 900), 1100);
    assert_int_equal(insert(f, 900, 1200), 1200);
    assert_int_equal(drain(f, 900), 2100);
}

/* rcv_nxt 0; [10..20] [30..50] [60..70] [80..90] [95..99], the latest is 30 */
static void sack_blocks_begin_with_the_latest(void **state) {
    struct fixture *f = *state;
    insert(f, 10, 10);
    insert(f, 40, 10);
    insert(f, 60, 10);
    insert(f, 80, 10);
    insert(f, 95, 4);
    insert(f, 30, 10);
    struct tcp_sack_block blocks[3];
    unsigned count =
        reassembly_blocks(&f->in, &f->pool, (uint32_t)BASE, (uint32_t)BASE + 30, blocks, 3);
    assert_int_equal(count, 3);
    assert_int_equal(blocks[0].left - (uint32_t)BASE, 30);
    assert_int_equal(blocks[0].right - (uint32_t)BASE, 50);
    assert_int_equal(blocks[1].left - (uint32_t)BASE, 10);
    assert_int_equal(blocks[2].left - (uint32_t)BASE, 60);
    /* Also when it is found last. */
    count = reassembly_blocks(&f->in, &f->pool, (uint32_t)BASE, (uint32_t)BASE + 96, blocks, 3);
    assert_int_equal(count, 3);
    assert_int_equal(blocks[0].left - (uint32_t)BASE, 95);
    assert_int_equal(blocks[2].left - (uint32_t)BASE, 30);
}

static void random_segments_give_the_stream_back(void **state) {
    struct fixture *f = *state;
    for (unsigned seed = 1; seed < 60; seed++) {
        srand(seed);
        uint32_t at = 0;
        while (at < 20000) {
            uint32_t from = at + (uint32_t)rand() % 3000;
            insert(f, from, 1 + (uint32_t)rand() % 1500);
            if (rand() % 4 == 0)
                insert(f, at, 1 + (uint32_t)rand() % 700);
            if (rand() % 2)
                at = drain(f, at);
        }
        reassembly_clear(&f->in, &f->pool);
    }
}

/*   | 0..100 | 100..200 |   | 300..350 |  | 400..450 |    cut at 200 */
static void a_cut_forgets_what_begins_behind_it(void **state) {
    struct fixture *f = *state;
    insert(f, 0, 100);
    insert(f, 100, 100);
    insert(f, 300, 50);
    insert(f, 400, 50);
    assert_int_equal(reassembly_cut(&f->in, &f->pool, (uint32_t)BASE + 200), 2);
    assert_int_equal(reach(f, 0), 200);
    /* The list goes on where it was cut. */
    insert(f, 200, 2000);
    assert_int_equal(reach(f, 0), 2200);
    assert_int_equal(reassembly_cut(&f->in, &f->pool, (uint32_t)BASE + 2200), 0);
    assert_true(reassembly_cut(&f->in, &f->pool, (uint32_t)BASE) > 0);
    assert_int_equal(f->in.chunks, 0);
    assert_int_equal(reassembly_cut(&f->in, &f->pool, (uint32_t)BASE), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_filled_hole_joins_what_lies_around_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_segment_over_several_chunks_fills_the_holes_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_overlap_of_two_segments_keeps_the_stream, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(small_segments_in_a_row_share_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_run_of_full_segments_takes_few_chunks, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(limits_cut_and_keep_what_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_allocation_keeps_the_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(sack_blocks_begin_with_the_latest, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_forgets_what_begins_behind_it, setup, teardown),
        cmocka_unit_test_setup_teardown(random_segments_give_the_stream_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
