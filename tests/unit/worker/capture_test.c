/* SPDX-License-Identifier: Apache-2.0 */
/* Captures from a worker's side: which frames reach a capture point, from its mail to the last. */
#include "tests/unit/worker/world.h"

#include <stdlib.h>

#include <rte_tcp.h>

static struct world world;

static int open_spinning(void **state) {
    return world_set_up(&world, &(struct world_options){0});
}

static int open_two_on_one_queue(void **state) {
    return world_set_up(&world, &(struct world_options){.workers = 2, .queues = 1});
}

static int close_world(void **state) {
    return world_tear_down(&world);
}

static void send_capture(unsigned to, struct capture_point *point, bool begin) {
    struct mail mail = {.type = MAIL_CAPTURE, .capture = {.point = point, .begin = begin}};
    assert_true(mail_send(world.admin.room, to, &mail));
    mail_flush(world.admin.room);
    turns(&world, 2);
}

/* The worker's answer about a capture point: has it begun? */
static bool has_begun(const struct capture_point *point) {
    assert_int_equal(world.inspected_count, 1);
    world.inspected_count = 0;
    assert_int_equal(world.inspected[0].type, MAIL_CAPTURE);
    assert_ptr_equal(world.inspected[0].capture.point, point);
    return world.inspected[0].capture.begin;
}

static struct capture_point *point_new(const char *client_id) {
    size_t size = (capture_point_size(CAPTURE_RING_MIN) + 63) & ~(size_t)63;
    struct capture_point *point = aligned_alloc(64, size);
    memset(point, 0, size);
    capture_point_init(point, CAPTURE_RING_MIN);
    point->snap = 2048;
    point->payload = true;
    point->filter.client_id_len = (uint16_t)strlen(client_id);
    memcpy(point->filter.client_id, client_id, point->filter.client_id_len);
    return point;
}

/* Takes all records; how many were sent by us, or received. */
static unsigned records(struct capture_point *point, unsigned flags) {
    unsigned n = 0;
    for (const struct capture_record *record; (record = capture_ring_peek(&point->ring)) != NULL;) {
        assert_in_range(record->time, 1700000000000000, 1700000000000000 + 600000000);
        n += record->flags == flags;
        capture_ring_drop(&point->ring, record);
    }
    return n;
}

static void a_capture_sees_both_directions_until_it_is_stopped(void **state) {
    struct capture_point *point = point_new("");
    send_capture(0, point, true);
    assert_true(has_begun(point));
    struct client *client = client_new(&world);
    client_segment(&world, client, RTE_TCP_SYN_FLAG, NULL, 0);
    turn(&world);
    const struct capture_record *record = capture_ring_peek(&point->ring);
    assert_int_equal(record->flags, 0);
    assert_int_equal(records(point, CAPTURE_SENT), 1);
    client_segment(&world, client, RTE_TCP_ACK_FLAG, NULL, 0);
    turn(&world);
    assert_int_equal(records(point, 0), 1);
    assert_int_equal(counted(&world, 0, COUNTER_WORKER_CAPTURED), 3);
    send_capture(0, point, false);
    assert_false(has_begun(point));
    client_segment(&world, client, RTE_TCP_SYN_FLAG, NULL, 0);
    turn(&world);
    assert_null(capture_ring_peek(&point->ring));
    free(point);
}

static void a_capture_of_a_client_begins_with_its_connect(void **state) {
    struct capture_point *point = point_new("one");
    send_capture(0, point, true);
    assert_true(has_begun(point));
    connected_client(&world, "two");
    assert_null(capture_ring_peek(&point->ring));
    struct client *client = connected_client(&world, "one");
    const struct capture_record *record = capture_ring_peek(&point->ring);
    assert_non_null(record);
    assert_memory_equal(record->bytes + 54, "\x10", 1); /* CONNECT */
    assert_true(records(point, CAPTURE_SENT) > 0);      /* its ACK, CONNACK */
    client_send(&world, client, "\xc0", 2);             /* PINGREQ */
    turns(&world, 2);
    record = capture_ring_peek(&point->ring);
    assert_int_equal(record->flags, 0);
    assert_int_equal(records(point, CAPTURE_SENT), 1);
    send_capture(0, point, false);
    assert_false(has_begun(point));
    free(point);
}

static void captures_beyond_the_most_are_answered_at_once(void **state) {
    struct capture_point *points[CAPTURE_POINTS + 1];
    for (unsigned i = 0; i <= CAPTURE_POINTS; i++) {
        points[i] = point_new("");
        send_capture(0, points[i], true);
        assert_int_equal(has_begun(points[i]), i < CAPTURE_POINTS);
    }
    /* Stopping it says nothing more. */
    send_capture(0, points[CAPTURE_POINTS], false);
    assert_int_equal(world.inspected_count, 0);
    for (unsigned i = 0; i <= CAPTURE_POINTS; i++) {
        if (i < CAPTURE_POINTS) {
            send_capture(0, points[i], false);
            assert_false(has_begun(points[i]));
        }
        free(points[i]);
    }
}

static void a_frame_of_another_worker_is_seen_once_by_all_and_by_its_owner(void **state) {
    struct capture_point *all[2], *owners[2];
    for (unsigned i = 0; i < 2; i++) {
        all[i] = point_new("");
        send_capture(i, all[i], true);
        has_begun(all[i]);
        owners[i] = point_new("");
        owners[i]->handed_over = true;
        send_capture(i, owners[i], true);
        has_begun(owners[i]);
    }
    unsigned handed = 0;
    while (handed == 0) {
        for (unsigned i = 0; i < 2; i++) {
            records(all[i], 0);
            records(owners[i], 0);
        }
        client_segment(&world, client_new(&world), RTE_TCP_SYN_FLAG, NULL, 0);
        turns(&world, 2);
        handed = (unsigned)counted(&world, 0, COUNTER_WORKER_HANDED_OVER);
    }
    assert_int_equal(records(all[0], 0), 1);
    assert_int_equal(records(all[1], CAPTURE_SENT), 1);
    assert_int_equal(records(owners[0], 0), 1);
    assert_int_equal(records(owners[1], 0), 1);
    for (unsigned i = 0; i < 2; i++) {
        send_capture(i, all[i], false);
        has_begun(all[i]);
        send_capture(i, owners[i], false);
        has_begun(owners[i]);
        free(all[i]);
        free(owners[i]);
    }
}

int main(void) {
#define TEST(test, open) cmocka_unit_test_setup_teardown(test, open, close_world)
    const struct CMUnitTest tests[] = {
        TEST(a_capture_sees_both_directions_until_it_is_stopped, open_spinning),
        TEST(a_capture_of_a_client_begins_with_its_connect, open_spinning),
        TEST(captures_beyond_the_most_are_answered_at_once, open_spinning),
        TEST(a_frame_of_another_worker_is_seen_once_by_all_and_by_its_owner, open_two_on_one_queue),
    };
    return cmocka_run_group_tests(tests, eal_open, eal_close);
}
