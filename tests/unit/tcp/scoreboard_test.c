/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/tcp/scoreboard.h"

enum { MEMORY = 1 << 20, MSS = 1000, UNA = 5000 };

struct world {
    void *memory, *state;
    struct arena *arena;
    struct pool pool;
    struct sent_memory sent;
    struct scoreboard board;
    struct delivery delivery;
    void *taken[MEMORY / POOL_SLAB_MAX];
};

/* No memory is left; and all of it is. */
static void exhaust(struct world *world) {
    for (unsigned i = 0; i < MEMORY / POOL_SLAB_MAX; i++)
        world->taken[i] = pool_alloc(&world->pool, POOL_SLAB_MAX);
}

static void relax(struct world *world) {
    for (unsigned i = 0; i < MEMORY / POOL_SLAB_MAX; i++)
        if (world->taken[i])
            pool_free(&world->pool, world->taken[i], POOL_SLAB_MAX);
}

static int setup(void **state) {
    struct world *world = calloc(1, sizeof *world);
    world->memory = aligned_alloc(1 << 16, MEMORY);
    world->state = calloc(1, arena_footprint(MEMORY));
    world->arena = arena_init(world->state, world->memory, MEMORY, MEMORY);
    pool_init(&world->pool, world->arena);
    world->sent.pool = &world->pool;
    scoreboard_init(&world->board, UNA);
    *state = world;
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    scoreboard_clear(&world->board, &world->sent);
    uint64_t used = world->sent.bytes;
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        used += world->pool.classes[i].used;
    free(world->memory);
    free(world->state);
    free(world);
    return used != 0;
}

/* Segment n of the flight is [UNA + n * MSS, UNA + (n + 1) * MSS). */
static void send(struct world *world, unsigned first, unsigned count, uint32_t now) {
    for (unsigned i = first; i < first + count; i++) {
        if (UNA + i * MSS == world->board.end)
            assert_true(scoreboard_ready(&world->board, &world->sent));
        scoreboard_sent(&world->board, &world->sent, UNA + i * MSS, UNA + (i + 1) * MSS, now);
    }
}

static void ack(struct world *world, unsigned first) {
    world->delivery = (struct delivery){0};
    scoreboard_ack(&world->board, world->pool.base, UNA + first * MSS, &world->delivery);
}

static bool sack(struct world *world, unsigned first, unsigned count) {
    world->delivery = (struct delivery){0};
    return scoreboard_sack(&world->board, &world->sent, UNA + first * MSS,
                           UNA + (first + count) * MSS, &world->delivery);
}

static const struct sent_record *record(struct world *world, unsigned i) {
    assert_in_range(i, 0, world->board.count - 1u);
    return scoreboard_record(&world->board, world->pool.base, i);
}

/* The records add up to what the counts say. */
static void check(struct world *world) {
    const struct scoreboard *board = &world->board;
    uint32_t at = board->una, sacked = 0, lost = 0, segments = 0;
    assert_true(board->first + board->count <= board->room);
    for (unsigned i = 0; i < board->count; i++) {
        const struct sent_record *sent = record(world, i);
        assert_true(seq_lt(at, sent->end));
        assert_true(sent->segments > 0);
        assert_true((sent->flags & (SENT_SACKED | SENT_LOST)) != (SENT_SACKED | SENT_LOST));
        if (sent->flags & SENT_SACKED) {
            sacked += sent->end - at;
            segments += sent->segments;
        }
        if (sent->flags & SENT_LOST)
            lost += sent->end - at;
        at = sent->end;
    }
    assert_int_equal(at, board->end);
    assert_int_equal(sacked, board->sacked);
    assert_int_equal(segments, board->sacked_segments);
    assert_int_equal(lost, board->lost);
}

static void a_burst_is_one_record(void **state) {
    struct world *world = *state;
    send(world, 0, 10, 100);
    assert_int_equal(world->board.count, 1);
    assert_int_equal(record(world, 0)->segments, 10);
    send(world, 10, 2, 200);
    assert_int_equal(world->board.count, 2);
    assert_int_equal(world->sent.bytes, 0);
    check(world);
}

static void an_acknowledgement_removes_what_it_covers(void **state) {
    struct world *world = *state;
    send(world, 0, 4, 100);
    send(world, 4, 1, 200);
    ack(world, 3);
    assert_int_equal(world->delivery.bytes, 3 * MSS);
    assert_true(world->delivery.once && !world->delivery.again);
    assert_int_equal(world->delivery.first_at, 100);
    assert_int_equal(record(world, 0)->segments, 1);
    check(world);
    ack(world, 5);
    assert_int_equal(world->delivery.once_at, 200);
    assert_int_equal(world->board.count, 0);
    check(world);
}

/*   0  1 [2 3] 4 [5] 6  */
static void sacked_blocks_split_records_and_count_once(void **state) {
    struct world *world = *state;
    send(world, 0, 7, 100);
    assert_true(sack(world, 2, 2));
    assert_int_equal(world->delivery.bytes, 2 * MSS);
    assert_int_equal(world->board.count, 3);
    assert_true(sack(world, 5, 1));
    assert_true(sack(world, 2, 2));
    assert_int_equal(world->delivery.bytes, 0);
    assert_int_equal(world->board.sacked, 3 * MSS);
    assert_int_equal(world->board.sacked_segments, 3);
    check(world);
    /* A block over both and the hole between them delivers the hole. */
    assert_true(sack(world, 1, 5));
    assert_int_equal(world->delivery.bytes, 2 * MSS);
    check(world);
    ack(world, 7);
    assert_int_equal(world->delivery.bytes, 2 * MSS);
    assert_int_equal(world->board.sacked, 0);
    assert_int_equal(world->board.sacked_segments, 0);
}

static void what_was_sent_once_and_comes_late_shows_reordering(void **state) {
    struct world *world = *state;
    send(world, 0, 4, 100);
    sack(world, 2, 1);
    assert_false(world->delivery.reordered);
    sack(world, 1, 1);
    assert_true(world->delivery.reordered);
    scoreboard_lose(&world->board, world->pool.base, 0);
    send(world, 0, 1, 200);
    ack(world, 4);
    assert_false(world->delivery.reordered);
}

static void a_lost_range_is_sent_again_piece_by_piece(void **state) {
    struct world *world = *state;
    uint32_t seq, end;
    send(world, 0, 6, 100);
    scoreboard_lose_all(&world->board, world->pool.base);
    for (unsigned i = 0; i < 6; i++) {
        scoreboard_next_lost(&world->board, world->pool.base, &seq, &end);
        assert_int_equal(seq, UNA + i * MSS);
        assert_int_equal(end, UNA + 6 * MSS);
        send(world, i, 1, 300);
        check(world);
    }
    assert_int_equal(world->board.lost, 0);
    ack(world, 6);
    assert_true(world->delivery.again && !world->delivery.once);
    assert_int_equal(world->delivery.again_at, 300);
}

/* The last piece takes new bytes with it. */
static void what_is_sent_again_may_go_on_with_new_bytes(void **state) {
    struct world *world = *state;
    assert_true(scoreboard_ready(&world->board, &world->sent));
    scoreboard_sent(&world->board, &world->sent, UNA, UNA + 1, 100);
    scoreboard_lose_all(&world->board, world->pool.base);
    assert_true(scoreboard_ready(&world->board, &world->sent));
    scoreboard_sent(&world->board, &world->sent, UNA, UNA + MSS, 200);
    assert_int_equal(world->board.count, 2);
    assert_int_equal(record(world, 0)->flags, SENT_AGAIN);
    assert_int_equal(record(world, 1)->flags, 0);
    check(world);
}

/* RFC 6675 4, IsLost: three segments behind, or more than two full ones in bytes. */
static void three_sacked_segments_make_what_is_before_them_lost(void **state) {
    struct world *world = *state;
    send(world, 0, 5, 100);
    sack(world, 2, 2);
    assert_int_equal(scoreboard_lose_by_sack(&world->board, world->pool.base, MSS), 0);
    sack(world, 4, 1);
    assert_int_equal(scoreboard_lose_by_sack(&world->board, world->pool.base, MSS), 2);
    assert_int_equal(world->board.lost, 2 * MSS);
    /* What was sent again is not judged by what was there before. */
    send(world, 0, 1, 200);
    assert_int_equal(scoreboard_lose_by_sack(&world->board, world->pool.base, MSS), 0);
    check(world);
}

/* RFC 2018 8. */
static void forgetting_drops_what_was_sacked(void **state) {
    struct world *world = *state;
    send(world, 0, 4, 100);
    send(world, 4, 2, 500);
    sack(world, 1, 2);
    scoreboard_forget(&world->board, world->pool.base, 400);
    assert_int_equal(world->board.sacked, 0);
    assert_int_equal(world->board.lost, 4 * MSS);
    assert_int_equal(world->board.count, 2);
    check(world);
    scoreboard_find(&world->board, world->pool.base);
    assert_int_equal(world->board.lost, 0);
    check(world);
}

/* To make room neighbours join, and the block needs the boundary between them. */
static void a_boundary_that_joining_took_away_is_made_again(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < SCOREBOARD_FEW; i++)
        send(world, 2 * i, 2, 100 + i);
    scoreboard_lose(&world->board, world->pool.base, 0);
    scoreboard_lose(&world->board, world->pool.base, 1);
    assert_true(sack(world, 2, 5));
    assert_int_equal(world->board.sacked, 5 * MSS);
    assert_int_equal(world->board.lost, 2 * MSS);
    check(world);
}

/* Every second segment is lost: holes up to the limit, then blocks are ignored. */
static void holes_are_told_apart_up_to_the_limit(void **state) {
    struct world *world = *state;
    bool all = true;
    send(world, 0, 600, 100);
    for (unsigned i = 1; i < 600; i += 2) {
        all &= sack(world, i, 1);
        check(world);
    }
    assert_false(all);
    assert_in_range(world->board.count, SCOREBOARD_MAX - 2, SCOREBOARD_MAX);
    assert_int_equal(world->sent.bytes, SCOREBOARD_MAX * sizeof(struct sent_record));
    ack(world, 600);
    check(world);
}

static void bursts_beyond_the_limit_join_the_last(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < 400; i++)
        send(world, i, 1, 100 + i);
    check(world);
    assert_int_equal(record(world, world->board.count - 1u)->at, 499);
    for (unsigned i = 1; i <= 400; i++) {
        ack(world, i);
        check(world);
    }
    assert_int_equal(world->board.count, 0);
}

static void without_memory_a_block_is_ignored_and_bytes_join_the_last(void **state) {
    struct world *world = *state;
    exhaust(world);
    send(world, 0, 10, 100);
    assert_true(sack(world, 2, 1));
    assert_false(sack(world, 5, 1));
    assert_int_equal(world->delivery.bytes, 0);
    check(world);
    for (unsigned i = 10; i < 20; i++)
        send(world, i, 1, i * 100);
    assert_int_equal(world->board.count, SCOREBOARD_FEW);
    check(world);
    /* Behind something sacked there is nothing to join: new bytes wait. */
    assert_true(sack(world, 10, 10));
    assert_false(scoreboard_ready(&world->board, &world->sent));
    check(world);
    relax(world);
    assert_true(scoreboard_ready(&world->board, &world->sent));
    assert_int_equal(world->sent.bytes, 16 * sizeof(struct sent_record));
}

static void without_memory_a_lost_range_counts_as_sent_again_at_once(void **state) {
    struct world *world = *state;
    exhaust(world);
    for (unsigned i = 0; i < 4; i++)
        send(world, 2 * i, 2, 100 + i);
    scoreboard_lose(&world->board, world->pool.base, 0);
    send(world, 0, 1, 900);
    assert_int_equal(world->board.lost, 0);
    assert_int_equal(record(world, 0)->at, 900);
    check(world);
    relax(world);
}

/* Anything in any order keeps the books right. */
static void books_stay_right_whatever_happens(void **state) {
    struct world *world = *state;
    uint64_t random = 1;
    for (unsigned round = 0; round < 20000; round++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint32_t dice = (uint32_t)(random >> 33);
        struct scoreboard *board = &world->board;
        uint32_t flight = board->end - board->una;
        uint32_t at = flight ? dice / 8 % flight : 0, len = 1 + dice / 64 % 3000;
        uint32_t seq, end;
        if (dice / 1024 % 16 == 0)
            arena_fail_after(world->arena, 1);
        switch (dice % 8) {
        case 0:
        case 1:
            if (flight < 1000000 && scoreboard_ready(board, &world->sent))
                scoreboard_sent(board, &world->sent, board->end, board->end + len, round);
            break;
        case 2:
            world->delivery = (struct delivery){0};
            scoreboard_ack(board, world->pool.base, board->una + at / 16, &world->delivery);
            break;
        case 3:
        case 4:
            if (flight > 2 && at > 0)
                scoreboard_sack(board, &world->sent, board->una + at,
                                at + len < flight ? board->una + at + len : board->end,
                                &world->delivery);
            break;
        case 5:
            if (board->count)
                scoreboard_lose(board, world->pool.base, dice / 8 % board->count);
            break;
        case 6:
            if (board->lost == 0)
                break;
            scoreboard_next_lost(board, world->pool.base, &seq, &end);
            scoreboard_sent(board, &world->sent, seq, end - seq > len ? seq + len : end, round);
            break;
        default:
            if (dice / 4096 % 64 == 0)
                scoreboard_forget(board, world->pool.base, round - 100);
        }
        arena_fail_after(world->arena, 0);
        check(world);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(a_burst_is_one_record),
        test(an_acknowledgement_removes_what_it_covers),
        test(sacked_blocks_split_records_and_count_once),
        test(what_was_sent_once_and_comes_late_shows_reordering),
        test(a_lost_range_is_sent_again_piece_by_piece),
        test(what_is_sent_again_may_go_on_with_new_bytes),
        test(three_sacked_segments_make_what_is_before_them_lost),
        test(forgetting_drops_what_was_sacked),
        test(a_boundary_that_joining_took_away_is_made_again),
        test(holes_are_told_apart_up_to_the_limit),
        test(bursts_beyond_the_limit_join_the_last),
        test(without_memory_a_block_is_ignored_and_bytes_join_the_last),
        test(without_memory_a_lost_range_counts_as_sent_again_at_once),
        test(books_stay_right_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
