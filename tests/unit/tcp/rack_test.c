/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8985 6.2: which segments are lost, given what arrived when. All of the flight fits into the
 * records that a scoreboard has of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/tcp/rack.h"

enum { MSS = 1000, MS = 1000, RTT = 100 * MS };

static struct pool pool;
static struct sent_memory memory = {.pool = &pool};

/* Segments 0, 1, 2 ... sent at 0, 1, 2 ... ms. */
static struct scoreboard flight(unsigned segments) {
    struct scoreboard board;
    scoreboard_init(&board, 0);
    for (unsigned i = 0; i < segments; i++) {
        assert_true(scoreboard_ready(&board, &memory));
        scoreboard_sent(&board, &memory, i * MSS, (i + 1) * MSS, i * MS);
    }
    return board;
}

static void sack(struct scoreboard *board, struct rack *rack, unsigned i, uint32_t now) {
    struct delivery delivery = {0};
    assert_true(scoreboard_sack(board, &memory, i * MSS, (i + 1) * MSS, &delivery));
    rack_delivered(rack, &delivery, now, true);
}

static struct rack started(void) {
    struct rack rack;
    rack_init(&rack, RTT);
    return rack;
}

static void what_was_sent_before_an_arrival_is_lost_after_the_reordering_window(void **state) {
    struct scoreboard board = flight(3);
    struct rack rack = started();
    struct rack_view view = {.now = RTT + 2 * MS, .srtt = RTT};
    sack(&board, &rack, 2, view.now);
    struct rack_loss loss = rack_detect(&rack, &board, NULL, &view);
    assert_int_equal(loss.segments, 0);
    /* Segment 1 was sent at 1 ms: it is given a round trip and a quarter. */
    assert_int_equal(loss.timeout, 1 * MS + RTT + RTT / 4 - view.now);
    view.now += loss.timeout;
    loss = rack_detect(&rack, &board, NULL, &view);
    assert_int_equal(loss.segments, 2);
    assert_int_equal(loss.timeout, 0);
    assert_int_equal(board.lost, 2 * MSS);
}

static void in_recovery_nothing_is_waited_for_unless_the_path_reorders(void **state) {
    struct scoreboard board = flight(3);
    struct rack rack = started();
    struct rack_view view = {.now = RTT + 2 * MS, .srtt = RTT, .recovering = true};
    sack(&board, &rack, 2, view.now);
    struct rack_view reordered = view;
    reordered.reordered = true;
    assert_int_equal(rack_window(&rack, &board, &reordered), RTT / 4);
    assert_int_equal(rack_detect(&rack, &board, NULL, &view).segments, 2);
}

static void three_sacked_segments_need_no_waiting_either(void **state) {
    struct scoreboard board = flight(4);
    struct rack rack = started();
    struct rack_view view = {.now = RTT + 3 * MS, .srtt = RTT};
    for (unsigned i = 1; i < 4; i++)
        sack(&board, &rack, i, view.now);
    struct rack_loss loss = rack_detect(&rack, &board, NULL, &view);
    assert_int_equal(loss.segments, 1);
    assert_false(loss.again);
}

static void a_lost_retransmission_is_found(void **state) {
    struct scoreboard board = flight(3);
    struct rack rack = started();
    struct rack_view view = {.now = 200 * MS, .srtt = RTT, .recovering = true};
    scoreboard_lose(&board, NULL, 0);
    scoreboard_sent(&board, &memory, 0, MSS, 150 * MS);
    assert_true(scoreboard_ready(&board, &memory));
    scoreboard_sent(&board, &memory, 3 * MSS, 4 * MSS, 160 * MS);
    sack(&board, &rack, 2, view.now);
    assert_int_equal(rack_detect(&rack, &board, NULL, &view).segments, 1); /* segment 1 */
    view.now = 260 * MS;
    sack(&board, &rack, 3, view.now);
    struct rack_loss loss = rack_detect(&rack, &board, NULL, &view);
    assert_int_equal(loss.segments, 1);
    assert_true(loss.again);
    assert_int_equal(loss.again_at, 150 * MS);
}

static void segments_of_one_burst_are_ordered_by_number(void **state) {
    struct scoreboard board;
    struct rack rack = started();
    scoreboard_init(&board, 0);
    for (unsigned i = 0; i < 4; i++)
        scoreboard_sent(&board, &memory, i * MSS, (i + 1) * MSS, 5);
    struct rack_view view = {.now = 5 + RTT, .srtt = RTT, .recovering = true};
    sack(&board, &rack, 2, view.now);
    /* 0 and 1 were sent before 2, 3 was not. */
    assert_int_equal(rack_detect(&rack, &board, NULL, &view).segments, 2);
    assert_int_equal(board.lost, 2 * MSS);
}

static void d_sacks_widen_the_window_once_a_round_up_to_srtt(void **state) {
    struct scoreboard board = flight(2);
    struct rack rack = started();
    struct rack_view view = {.srtt = RTT, .reordered = true};
    rack_dsack(&rack, 100, 200);
    assert_int_equal(rack_window(&rack, &board, &view), RTT / 2);
    rack_dsack(&rack, 150, 300); /* the same round */
    assert_int_equal(rack_window(&rack, &board, &view), RTT / 2);
    for (uint32_t i = 1; i < 300; i++)
        rack_dsack(&rack, 100 + 100 * i, 200 + 100 * i);
    assert_int_equal(rack_window(&rack, &board, &view), RTT);
    for (unsigned i = 0; i < RACK_PERSIST; i++)
        rack_recovered(&rack);
    assert_int_equal(rack_window(&rack, &board, &view), RTT / 4);
}

static void an_ambiguous_acknowledgement_is_not_believed(void **state) {
    struct scoreboard board = flight(2);
    struct rack rack = started();
    struct delivery delivery = {0};
    scoreboard_lose(&board, NULL, 0);
    scoreboard_sent(&board, &memory, 0, MSS, 150 * MS);
    scoreboard_ack(&board, NULL, MSS, &delivery);
    rack_delivered(&rack, &delivery, 151 * MS, false);
    assert_int_equal(rack.rtt, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sent_before_an_arrival_is_lost_after_the_reordering_window),
        cmocka_unit_test(in_recovery_nothing_is_waited_for_unless_the_path_reorders),
        cmocka_unit_test(three_sacked_segments_need_no_waiting_either),
        cmocka_unit_test(a_lost_retransmission_is_found),
        cmocka_unit_test(segments_of_one_burst_are_ordered_by_number),
        cmocka_unit_test(d_sacks_widen_the_window_once_a_round_up_to_srtt),
        cmocka_unit_test(an_ambiguous_acknowledgement_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
