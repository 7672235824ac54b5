/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_ethdev.h>

#include "dataplane/worker/idle.h"

enum {
    LONG = 900000, /* microseconds: a sleep that nobody is to see the end of */
    RAMP = 64,     /* empty turns without a sleep */
};

/* In place of ethdev's: the descriptor of a port whose queue can interrupt. */
static int queue_fd = -1;

int rte_eth_dev_rx_intr_ctl_q_get_fd(uint16_t port_id, uint16_t queue_id) {
    assert_int_equal(port_id, 3);
    assert_int_equal(queue_id, 0);
    return queue_fd;
}

static uint64_t microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* How long a sleep of at most `timeout` takes. */
static uint64_t slept(struct idle *idle, uint64_t timeout) {
    uint64_t start = microseconds();
    idle_sleep(idle, timeout);
    return microseconds() - start;
}

static void open_sleeper(struct idle *idle) {
    assert_int_equal(idle_init(idle, true, NULL, 0, 0), 0);
    assert_true(idle->interrupts);
}

static void a_sleep_comes_after_a_ramp_of_empty_turns(void **state) {
    struct idle idle;
    open_sleeper(&idle);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned turn = 0; turn < RAMP; turn++)
            assert_false(idle_turn(&idle));
        /* As long as nothing is found, each further turn may sleep. */
        assert_true(idle_turn(&idle));
        assert_true(idle_turn(&idle));
        idle_busy(&idle);
    }
    idle_close(&idle);
}

static void the_spinning_profile_never_sleeps_and_holds_no_descriptors(void **state) {
    struct idle idle;
    assert_int_equal(idle_init(&idle, false, NULL, 0, 0), 0);
    assert_int_equal(idle.epoll_fd, -1);
    assert_int_equal(idle.event_fd, -1);
    for (unsigned turn = 0; turn < 100000; turn++)
        assert_false(idle_turn(&idle));
    idle_close(&idle);
}

static void a_sleep_ends_by_its_time(void **state) {
    struct idle idle;
    open_sleeper(&idle);
    assert_in_range(slept(&idle, 3000), 3000, LONG);
    assert_in_range(slept(&idle, 0), 0, LONG);
    idle_close(&idle);
}

static void a_wake_before_the_sleep_ends_it_and_is_used_up(void **state) {
    struct idle idle;
    open_sleeper(&idle);
    for (unsigned i = 0; i < 100; i++)
        idle_wake(&idle);
    assert_in_range(slept(&idle, LONG), 0, LONG - 1);
    assert_in_range(slept(&idle, 3000), 3000, LONG);
    idle_close(&idle);
}

/* Two workers wake each other; a wake that did not end a sleep lets it run to its time. */
enum { ROUNDS = 2000 };

struct player {
    struct idle idle, *other;
    int ready, *other_ready; /* the round that may be played */
    int ahead;               /* of the other's round that follows */
    bool overslept;
};

static void *play(void *argument) {
    struct player *player = argument;
    for (int round = 1; round <= ROUNDS; round++) {
        while (__atomic_load_n(&player->ready, __ATOMIC_SEQ_CST) < round)
            player->overslept |= slept(&player->idle, LONG) >= LONG;
        __atomic_store_n(player->other_ready, round + player->ahead, __ATOMIC_SEQ_CST);
        idle_wake(player->other);
    }
    return NULL;
}

static void another_thread_ends_a_sleep(void **state) {
    /* Player 0 begins a round, player 1 ends it. */
    struct player players[2] = {{.ready = 1, .ahead = 0}, {.ready = 0, .ahead = 1}};
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        open_sleeper(&players[i].idle);
        players[i].other = &players[1 - i].idle;
        players[i].other_ready = &players[1 - i].ready;
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, play, &players[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(players[i].overslept);
        idle_close(&players[i].idle);
    }
}

static void a_frame_ends_the_sleep_also_one_that_came_before_it(void **state) {
    const struct port port = {.id = 3, .queues = 1, .offloads = PORT_RX_INTERRUPT};
    struct idle idle;
    queue_fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_int_equal(idle_init(&idle, true, &port, 1, 0), 0);
    assert_true(idle.interrupts);
    /* Until it is taken from the queue. */
    assert_in_range(slept(&idle, LONG), 0, LONG - 1);
    assert_in_range(slept(&idle, LONG), 0, LONG - 1);
    uint64_t value;
    assert_int_equal(read(queue_fd, &value, sizeof value), sizeof value);
    assert_in_range(slept(&idle, 3000), 3000, LONG);
    idle_close(&idle);
    close(queue_fd);
}

static void naps_grow_to_a_millisecond_when_a_port_cannot_interrupt(void **state) {
    static const uint32_t naps[] = {50, 100, 200, 400, 800, 1000, 1000};
    const struct port port = {.id = 3, .queues = 1};
    struct idle idle;
    assert_int_equal(idle_init(&idle, true, &port, 1, 0), 0);
    assert_false(idle.interrupts);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < sizeof naps / sizeof naps[0]; i++) {
            assert_in_range(slept(&idle, LONG), naps[i], LONG - 1);
            assert_int_equal(idle.nap, naps[i]);
        }
        idle_busy(&idle);
    }
    idle_wake(&idle);
    assert_in_range(slept(&idle, LONG), 0, LONG - 1);
    idle_close(&idle);
}

static void a_descriptor_that_fails_is_given_up_and_means_naps(void **state) {
    const struct port port = {.id = 3, .queues = 1, .offloads = PORT_RX_INTERRUPT};
    struct idle idle;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    queue_fd = ends[0];
    assert_int_equal(idle_init(&idle, true, &port, 1, 0), 0);
    close(ends[1]); /* EPOLLHUP, for ever */
    assert_in_range(slept(&idle, LONG), 0, LONG - 1);
    assert_false(idle.interrupts);
    for (uint64_t nap = 50; nap <= 400; nap *= 2)
        assert_in_range(slept(&idle, LONG), nap, LONG - 1);
    idle_wake(&idle);
    assert_in_range(slept(&idle, LONG), 0, LONG - 1);
    idle_close(&idle);
    close(ends[0]);
}

static void a_descriptor_that_is_none_means_naps(void **state) {
    const struct port port = {.id = 3, .queues = 1, .offloads = PORT_RX_INTERRUPT};
    struct idle idle;
    queue_fd = -1;
    assert_int_equal(idle_init(&idle, true, &port, 1, 0), 0);
    assert_false(idle.interrupts);
    idle_close(&idle);
}

static void a_port_without_a_queue_for_this_worker_does_not_matter(void **state) {
    const struct port port = {.id = 3, .queues = 1};
    struct idle idle;
    assert_int_equal(idle_init(&idle, true, &port, 1, 1), 0);
    assert_true(idle.interrupts);
    idle_close(&idle);
}

static void too_few_descriptors_are_reported(void **state) {
    struct rlimit old, none;
    struct idle idle;
    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    int next = dup(0);
    close(next);
    for (int more = 0; more < 2; more++) {
        none.rlim_cur = (rlim_t)(next + more);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        assert_int_equal(idle_init(&idle, true, NULL, 0, 0), -EMFILE);
        idle_close(&idle);
    }
    setrlimit(RLIMIT_NOFILE, &old);
    int free_again = dup(0);
    assert_int_equal(free_again, next);
    close(free_again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleep_comes_after_a_ramp_of_empty_turns),
        cmocka_unit_test(the_spinning_profile_never_sleeps_and_holds_no_descriptors),
        cmocka_unit_test(a_sleep_ends_by_its_time),
        cmocka_unit_test(a_wake_before_the_sleep_ends_it_and_is_used_up),
        cmocka_unit_test(another_thread_ends_a_sleep),
        cmocka_unit_test(a_frame_ends_the_sleep_also_one_that_came_before_it),
        cmocka_unit_test(naps_grow_to_a_millisecond_when_a_port_cannot_interrupt),
        cmocka_unit_test(a_descriptor_that_fails_is_given_up_and_means_naps),
        cmocka_unit_test(a_descriptor_that_is_none_means_naps),
        cmocka_unit_test(a_port_without_a_queue_for_this_worker_does_not_matter),
        cmocka_unit_test(too_few_descriptors_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
