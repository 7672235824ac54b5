/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/worker/handover.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/ether/eal.h"

static struct handover *handover;
static struct counters counters;
static unsigned woken;

static void wake_count(void *argument) {
    assert_ptr_equal(argument, &woken);
    woken++;
}

static void open_handover(unsigned workers, unsigned slots) {
    handover = handover_create(workers, slots);
    assert_non_null(handover);
    counters = (struct counters){0};
    woken = 0;
}

static int close_handover(void **state) {
    handover_destroy(handover);
    handover = NULL;
    return buffers_are_back(state);
}

/* A frame that holds a number, and the number of one, which is freed. */
static struct rte_mbuf *numbered_frame(uint32_t number) {
    struct rte_mbuf *frame = rte_pktmbuf_alloc(mempool);
    assert_non_null(frame);
    *(uint32_t *)(void *)rte_pktmbuf_append(frame, sizeof number) = number;
    return frame;
}

static uint32_t frame_number(struct rte_mbuf *frame) {
    assert_int_equal(frame->pkt_len, sizeof(uint32_t));
    uint32_t number = *rte_pktmbuf_mtod(frame, const uint32_t *);
    rte_pktmbuf_free(frame);
    return number;
}

/* `n` frames with numbers from `first` on. */
static void send(unsigned from, unsigned to, uint32_t first, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *frame = numbered_frame(first + i);
        handover_send(handover, from, &frame, &(uint8_t){(uint8_t)to}, 1, &counters);
    }
}

static void frames_of_a_sender_arrive_in_order(void **state) {
    open_handover(3, 64);
    struct rte_mbuf *frames[32];
    uint8_t owners[32];
    uint32_t expected[3] = {0, 100, 200};
    for (unsigned i = 0; i < 32; i++) {
        frames[i] = numbered_frame(i % 2 == 0 ? i / 2 : 100 + i / 2);
        owners[i] = i % 2 == 0 ? 0 : 1;
    }
    handover_send(handover, 2, frames, owners, 32, &counters);
    send(1, 0, 200, 10);
    assert_int_equal(counter_read(&counters, COUNTER_WORKER_HANDED_OVER), 42);

    for (unsigned worker = 0; worker < 2; worker++) {
        unsigned n, total = 0;
        while ((n = handover_receive(handover, worker, frames, 5)) > 0) {
            total += n;
            for (unsigned i = 0; i < n; i++) {
                uint32_t number = frame_number(frames[i]);
                assert_int_equal(number, expected[number / 100]++);
            }
        }
        assert_int_equal(total, worker == 0 ? 26 : 16);
    }
    assert_int_equal(handover_receive(handover, 2, frames, 32), 0);
}

static void no_sender_is_starved_by_the_others(void **state) {
    enum { SENDERS = 4, SELF = 1, SHARE = 8, ROUNDS = 6 };
    open_handover(SENDERS, 512);
    struct rte_mbuf *frames[SHARE];
    unsigned from[SENDERS] = {0};
    for (unsigned sender = 0; sender < SENDERS; sender++)
        if (sender != SELF)
            send(sender, SELF, sender * 1000, 300);
    for (unsigned i = 0; i < ROUNDS * SENDERS; i++) {
        assert_int_equal(handover_receive(handover, SELF, frames, SHARE), SHARE);
        for (unsigned j = 0; j < SHARE; j++)
            from[frame_number(frames[j]) / 1000]++;
    }
    for (unsigned sender = 0; sender < SENDERS; sender++)
        if (sender != SELF)
            assert_true(from[sender] >= ROUNDS * SHARE);
}

static void what_a_full_ring_does_not_take_is_freed_and_counted(void **state) {
    open_handover(3, 8);
    struct rte_mbuf *frames[32];
    send(0, 1, 0, 10);
    assert_int_equal(counter_read(&counters, COUNTER_WORKER_HANDED_OVER), 7);
    assert_int_equal(counter_read(&counters, COUNTER_WORKER_HANDOVER_FULL), 3);
    assert_int_equal(rte_mempool_in_use_count(mempool), 7);
    /* Other rings are not concerned. */
    send(2, 1, 50, 1);
    send(0, 2, 60, 1);
    assert_int_equal(counter_read(&counters, COUNTER_WORKER_HANDOVER_FULL), 3);
    assert_int_equal(handover_receive(handover, 1, frames, 32), 8);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(frame_number(frames[i]), i);
    assert_int_equal(frame_number(frames[7]), 50);
    /* There is room again. */
    send(0, 1, 70, 1);
    assert_int_equal(handover_receive(handover, 1, frames, 32), 1);
    assert_int_equal(frame_number(frames[0]), 70);
}

static void frames_left_at_the_end_are_freed(void **state) {
    open_handover(4, 64);
    send(0, 1, 0, 40);
    send(3, 2, 0, 5);
    assert_int_equal(rte_mempool_in_use_count(mempool), 45);
}

static void a_handover_that_cannot_be_made_leaves_nothing_behind(void **state) {
    struct rte_mbuf *frame;
    open_handover(2, 8);
    assert_null(handover_create(3, 8)); /* the names of its rings are taken */
    send(0, 1, 5, 1);
    assert_int_equal(handover_receive(handover, 1, &frame, 1), 1);
    assert_int_equal(frame_number(frame), 5);
    handover_destroy(handover);
    open_handover(3, 8);
    handover_destroy(handover);
    handover = NULL;
    assert_null(handover_create(2, 7)); /* no power of two */
    handover_destroy(NULL);
}

static void only_a_worker_that_announced_sleep_is_woken(void **state) {
    open_handover(3, 64);
    struct rte_mbuf *frames[32];
    handover_set_wake(handover, 1, wake_count, &woken);
    send(0, 1, 0, 1);
    assert_int_equal(woken, 0);
    assert_int_equal(frame_number((handover_receive(handover, 1, frames, 1), frames[0])), 0);

    assert_true(handover_may_sleep(handover, 1));
    send(0, 2, 0, 1); /* for another */
    assert_int_equal(woken, 0);
    send(0, 1, 1, 1);
    assert_int_equal(woken, 1);
    handover_awake(handover, 1);
    send(2, 1, 2, 1);
    assert_int_equal(woken, 1);
}

static void a_burst_wakes_a_sleeper_once(void **state) {
    open_handover(2, 8);
    struct rte_mbuf *frames[20];
    uint8_t owners[20];
    handover_set_wake(handover, 1, wake_count, &woken);
    assert_true(handover_may_sleep(handover, 1));
    for (unsigned i = 0; i < 20; i++) {
        frames[i] = numbered_frame(i);
        owners[i] = 1;
    }
    handover_send(handover, 0, frames, owners, 20, &counters);
    assert_int_equal(woken, 1);
}

static void nobody_sleeps_over_frames(void **state) {
    open_handover(3, 8);
    struct rte_mbuf *frame;
    handover_set_wake(handover, 1, wake_count, &woken);
    send(2, 1, 0, 1);
    assert_false(handover_may_sleep(handover, 1));
    handover_awake(handover, 1);
    assert_int_equal(handover_receive(handover, 1, &frame, 1), 1);
    frame_number(frame);
    assert_true(handover_may_sleep(handover, 1));
    handover_awake(handover, 1);
}

static void what_is_left_elsewhere_wakes_a_sleeper_too(void **state) {
    open_handover(2, 8);
    handover_set_wake(handover, 1, wake_count, &woken);
    handover_wake(handover, 1);
    assert_int_equal(woken, 0);
    assert_true(handover_may_sleep(handover, 1));
    handover_wake(handover, 1);
    assert_int_equal(woken, 1);
    /* One that does not know how to sleep. */
    assert_true(handover_may_sleep(handover, 0));
    handover_wake(handover, 0);
}

/*
 * A frame is sent while its receiver announces sleep, again and again, a little earlier or later:
 * whatever the processor does with the order of stores and loads, the receiver sees the frame or is
 * woken.
 */
enum { MEETINGS = 50000, DELAYS = 128 };

struct meeting {
    int begun, ended; /* the number of the meeting */
    bool may_sleep;
};

static void await(const int *number, int value) {
    for (unsigned spins = 0; __atomic_load_n(number, __ATOMIC_ACQUIRE) != value; spins++)
        if (spins > 1000)
            sched_yield();
}

static void *announce(void *argument) {
    struct meeting *meeting = argument;
    for (int i = 1; i <= MEETINGS; i++) {
        await(&meeting->begun, i);
        meeting->may_sleep = handover_may_sleep(handover, 1);
        __atomic_store_n(&meeting->ended, i, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void a_frame_and_the_announcement_of_sleep_do_not_miss_each_other(void **state) {
    struct meeting meeting = {0};
    struct rte_mbuf *frame = numbered_frame(0);
    pthread_t thread;
    unsigned missed = 0;
    open_handover(2, 8);
    handover_set_wake(handover, 1, wake_count, &woken);
    assert_int_equal(pthread_create(&thread, NULL, announce, &meeting), 0);
    for (int i = 1; i <= MEETINGS; i++) {
        woken = 0;
        __atomic_store_n(&meeting.begun, i, __ATOMIC_RELEASE);
        for (int delay = i % DELAYS; delay > 0; delay--)
            __asm__ volatile("");
        handover_send(handover, 0, &frame, &(uint8_t){1}, 1, &counters);
        await(&meeting.ended, i);
        missed += meeting.may_sleep && woken == 0;
        handover_awake(handover, 1);
        handover_receive(handover, 1, &frame, 1);
    }
    pthread_join(thread, NULL);
    rte_pktmbuf_free(frame);
    assert_int_equal(missed, 0);
}

/*
 * Two threads play a frame to and fro, each sleeping on an eventfd whenever it may; on top, each
 * sends bursts the other does not ask for. A lost wake shows as a poll that runs into its time
 * limit, a lost or reordered frame as a wrong number.
 */
enum { STRESS_ROUNDS = 50000, STRESS_BURST = 100, STRESS_SLOTS = 512, STRESS_PATIENCE_MS = 20000 };

struct player {
    struct handover *handover;
    unsigned self;
    int event;
    bool failed;
    unsigned sleeps;
    struct counters counters;
};

static void wake_event(void *argument) {
    uint64_t one = 1;
    ssize_t written = write(*(int *)argument, &one, sizeof one);
    (void)written;
}

static unsigned play_out(struct player *player, uint32_t sent, uint32_t until) {
    struct rte_mbuf *frames[32];
    uint8_t owners[32];
    unsigned n = 0;
    for (; n < 32 && sent + n < until; n++) {
        frames[n] = rte_pktmbuf_alloc(mempool);
        if (frames[n] == NULL)
            break;
        *(uint32_t *)(void *)rte_pktmbuf_append(frames[n], 4) = sent + n;
        owners[n] = (uint8_t)(1 - player->self);
    }
    handover_send(player->handover, player->self, frames, owners, n, &player->counters);
    return n;
}

static void *play(void *argument) {
    struct player *player = argument;
    uint32_t sent = 0, got = 0, answered = 0, random = player->self;
    struct rte_mbuf *frames[32];
    while (got < STRESS_ROUNDS || sent < STRESS_ROUNDS) {
        unsigned n = handover_receive(player->handover, player->self, frames, 32);
        for (unsigned i = 0; i < n; i++) {
            player->failed |= *rte_pktmbuf_mtod(frames[i], const uint32_t *) != got++;
            rte_pktmbuf_free(frames[i]);
        }
        /* One for each that arrived, one to begin with, and a burst from time to time. */
        random = random * 1664525 + 1013904223;
        uint32_t want = got + (player->self == 0) + (random >> 22 == 0 ? STRESS_BURST : 0);
        if (want > answered)
            answered = want < STRESS_ROUNDS ? want : STRESS_ROUNDS;
        while (sent < answered)
            sent += play_out(player, sent, answered);
        if (n != 0)
            continue;
        if (handover_may_sleep(player->handover, player->self)) {
            struct pollfd poll_fd = {.fd = player->event, .events = POLLIN};
            uint64_t value;
            if (poll(&poll_fd, 1, STRESS_PATIENCE_MS) != 1) {
                player->failed = true;
                return NULL;
            }
            player->failed |= read(player->event, &value, sizeof value) != sizeof value;
            player->sleeps++;
        }
        handover_awake(player->handover, player->self);
    }
    return NULL;
}

static void no_wake_and_no_frame_is_lost_between_two_threads(void **state) {
    open_handover(2, STRESS_SLOTS);
    static struct player players[2];
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        players[i] =
            (struct player){.handover = handover, .self = i, .event = eventfd(0, EFD_CLOEXEC)};
        handover_set_wake(handover, i, wake_event, &players[i].event);
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, play, &players[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(players[i].failed);
        assert_int_equal(counter_read(&players[i].counters, COUNTER_WORKER_HANDED_OVER),
                         STRESS_ROUNDS);
        assert_int_equal(counter_read(&players[i].counters, COUNTER_WORKER_HANDOVER_FULL), 0);
        close(players[i].event);
    }
    assert_true(players[0].sleeps + players[1].sleeps > 0);
}

int main(void) {
#define TEST(test) cmocka_unit_test_teardown(test, close_handover)
    const struct CMUnitTest tests[] = {
        TEST(frames_of_a_sender_arrive_in_order),
        TEST(no_sender_is_starved_by_the_others),
        TEST(what_a_full_ring_does_not_take_is_freed_and_counted),
        TEST(frames_left_at_the_end_are_freed),
        TEST(a_handover_that_cannot_be_made_leaves_nothing_behind),
        TEST(only_a_worker_that_announced_sleep_is_woken),
        TEST(a_burst_wakes_a_sleeper_once),
        TEST(nobody_sleeps_over_frames),
        TEST(what_is_left_elsewhere_wakes_a_sleeper_too),
        TEST(a_frame_and_the_announcement_of_sleep_do_not_miss_each_other),
        TEST(no_wake_and_no_frame_is_lost_between_two_threads),
    };
    return cmocka_run_group_tests(tests, eal_open, eal_close);
}
