/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/desk.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

static unsigned woken;

static void wake_count(void *argument) {
    assert_ptr_equal(argument, &woken);
    woken++;
}

struct pair {
    struct mailboxes *mailboxes;
    struct desk a, b;
};

static void pair_open(struct pair *pair) {
    pair->mailboxes = mailboxes_create(2, 8);
    desk_open(&pair->a, pair->mailboxes, 0, 3);
    desk_open(&pair->b, pair->mailboxes, 1, 3);
    mailboxes_set_wake(pair->mailboxes, 1, wake_count, &woken);
    woken = 0;
}

static void pair_close(struct pair *pair) {
    desk_close(&pair->a);
    desk_close(&pair->b);
    mailboxes_destroy(pair->mailboxes);
}

static void a_receiver_that_is_awake_is_not_woken(void **state) {
    struct pair pair;
    pair_open(&pair);
    desk_send(&pair.a, 1, 1);
    mail_flush(pair.a.room);
    assert_int_equal(woken, 0);
    desk_expect(&pair.b, 0, 1);
    pair_close(&pair);
}

static void a_sleeping_receiver_is_woken_once(void **state) {
    struct pair pair;
    pair_open(&pair);
    for (unsigned round = 0; round < 3; round++) {
        assert_true(mail_may_sleep(pair.b.room));
        desk_send(&pair.a, 1, 1);
        assert_int_equal(woken, round);
        mail_flush(pair.a.room);
        assert_int_equal(woken, round + 1);
        desk_send(&pair.a, 1, 2);
        mail_flush(pair.a.room);
        assert_int_equal(woken, round + 1);
        mail_awake(pair.b.room);
        desk_expect(&pair.b, 0, 1);
        desk_expect(&pair.b, 0, 2);
        mail_flush(pair.b.room);
    }
    pair_close(&pair);
}

static void nobody_sleeps_over_mail(void **state) {
    struct pair pair;
    pair_open(&pair);
    desk_send(&pair.a, 1, 1);
    mail_flush(pair.a.room);
    assert_false(mail_may_sleep(pair.b.room));
    /* The announcement was withdrawn. */
    desk_send(&pair.a, 1, 2);
    mail_flush(pair.a.room);
    assert_int_equal(woken, 0);
    desk_expect(&pair.b, 0, 1);
    assert_false(mail_may_sleep(pair.b.room));
    desk_expect(&pair.b, 0, 2);
    mail_flush(pair.b.room);
    assert_true(mail_may_sleep(pair.b.room));
    mail_awake(pair.b.room);
    pair_close(&pair);
}

static void nobody_sleeps_over_mail_it_could_send(void **state) {
    struct pair pair;
    pair_open(&pair);
    desk_send(&pair.b, 0, 1);
    assert_false(mail_may_sleep(pair.b.room));
    mail_flush(pair.b.room);
    assert_true(mail_may_sleep(pair.b.room));
    mail_awake(pair.b.room);

    void *parcel = parcel_new(&pair.a.parcels, 100);
    parcel_release(&pair.b.parcels, parcel);
    assert_false(mail_may_sleep(pair.b.room));
    mail_flush(pair.b.room);
    assert_true(mail_may_sleep(pair.b.room));
    mail_awake(pair.b.room);
    desk_expect(&pair.a, 1, 1);
    struct mail mail;
    assert_int_equal(mail_receive(pair.a.room, &mail, 1), 1);
    parcel_came_home(&pair.a.parcels, mail.release.parcels[0]);
    pair_close(&pair);
}

static void a_sender_may_sleep_over_a_full_ring_and_is_woken_by_room(void **state) {
    struct pair pair;
    pair_open(&pair);
    for (uint32_t i = 0; i < 8; i++)
        desk_send(&pair.b, 0, i);
    assert_int_equal(mail_flush(pair.b.room), 1);
    assert_true(mail_may_sleep(pair.b.room));
    desk_expect(&pair.a, 1, 0);
    assert_int_equal(woken, 0);
    mail_flush(pair.a.room);
    assert_int_equal(woken, 1);
    mail_awake(pair.b.room);
    assert_false(mail_may_sleep(pair.b.room));
    assert_int_equal(mail_flush(pair.b.room), 0);

    /* Who does not wait for room is not woken by it. */
    assert_true(mail_may_sleep(pair.b.room));
    for (uint32_t i = 1; i < 8; i++)
        desk_expect(&pair.a, 1, i);
    mail_flush(pair.a.room);
    assert_int_equal(woken, 1);
    mail_awake(pair.b.room);
    pair_close(&pair);
}

static void nobody_sleeps_before_the_flush_that_tells_of_room(void **state) {
    struct pair pair;
    pair_open(&pair);
    desk_send(&pair.a, 1, 1);
    mail_flush(pair.a.room);
    desk_expect(&pair.b, 0, 1);
    assert_false(mail_may_sleep(pair.b.room));
    mail_flush(pair.b.room);
    assert_true(mail_may_sleep(pair.b.room));
    mail_awake(pair.b.room);
    pair_close(&pair);
}

static void a_thread_that_cannot_be_woken_does_not_sleep(void **state) {
    struct pair pair;
    pair_open(&pair);
    assert_false(mail_may_sleep(pair.a.room));
    desk_send(&pair.b, 0, 1);
    mail_flush(pair.b.room);
    assert_int_equal(woken, 0);
    desk_expect(&pair.a, 1, 1);
    pair_close(&pair);
}

static void an_announcement_taken_back_wakes_nobody(void **state) {
    struct pair pair;
    pair_open(&pair);
    assert_true(mail_may_sleep(pair.b.room));
    mail_awake(pair.b.room);
    desk_send(&pair.a, 1, 1);
    mail_flush(pair.a.room);
    assert_int_equal(woken, 0);
    desk_expect(&pair.b, 0, 1);
    pair_close(&pair);
}

/*
 * Two threads play a message to and fro, each sleeping on an eventfd whenever it may; on top, each
 * sends bursts the other does not ask for. A lost wake shows as a poll that runs into its time
 * limit, a lost or reordered mail as a wrong number.
 */
enum { STRESS_ROUNDS = 50000, STRESS_PATIENCE_MS = 20000 };

struct player {
    struct desk desk;
    unsigned self;
    int event;
    bool failed;
    unsigned sleeps;
};

static void wake_event(void *argument) {
    uint64_t one = 1;
    ssize_t written = write(*(int *)argument, &one, sizeof one);
    (void)written;
}

static void *play(void *argument) {
    struct player *player = argument;
    unsigned other = 1 - player->self;
    uint32_t sent = 0, got = 0, answered = 0, random = player->self;
    uint32_t parcels_out = 0, parcels_back = 0;
    unsigned waiting = 0;
    struct mail mails[32];

    while (got < STRESS_ROUNDS || sent < STRESS_ROUNDS || parcels_back < parcels_out ||
           waiting != 0) {
        unsigned n = mail_receive(player->desk.room, mails, 32);
        for (unsigned i = 0; i < n; i++) {
            if (mails[i].type == MAIL_RELEASE) {
                for (unsigned j = 0; j < 6 && mails[i].release.parcels[j]; j++, parcels_back++)
                    parcel_came_home(&player->desk.parcels, mails[i].release.parcels[j]);
                continue;
            }
            struct message *message = mails[i].publish.message;
            player->failed |= mails[i].session != got || mails[i].from != other;
            player->failed |= load_be32(message_payload(message)) != got++;
            parcel_release(&player->desk.parcels, message);
        }
        /* One for each that arrived, one to begin with, and a burst from time to time. */
        random = random * 1664525 + 1013904223;
        uint32_t want = got + (player->self == 0) + (random >> 22 == 0 ? 100 : 0);
        if (want > answered)
            answered = want;
        while (sent < answered && sent < STRESS_ROUNDS &&
               !mail_pressure(player->desk.room, 1u << other)) {
            struct message *message = message_new(&player->desk.parcels, 1, 4);
            struct mail mail = {.type = MAIL_PUBLISH, .session = sent, .publish.message = message};
            if (!message)
                break;
            store_be32(message->bytes + 3, sent);
            if (!mail_send(player->desk.room, other, &mail)) {
                player->failed = true;
                return NULL;
            }
            parcels_out++;
            sent++;
        }
        waiting = mail_flush(player->desk.room);
        if (n != 0 || !mail_may_sleep(player->desk.room))
            continue;
        struct pollfd poll_fd = {.fd = player->event, .events = POLLIN};
        if (poll(&poll_fd, 1, STRESS_PATIENCE_MS) != 1) {
            player->failed = true;
            return NULL;
        }
        uint64_t value;
        player->failed |= read(player->event, &value, sizeof value) != sizeof value;
        mail_awake(player->desk.room);
        player->sleeps++;
    }
    return NULL;
}

static void no_wake_and_no_mail_is_lost_between_two_threads(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(2, 16);
    static struct player players[2];
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        players[i] = (struct player){.self = i, .event = eventfd(0, EFD_CLOEXEC)};
        desk_open(&players[i].desk, mailboxes, i, 255);
        mailboxes_set_wake(mailboxes, i, wake_event, &players[i].event);
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, play, &players[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(players[i].failed);
        assert_true(mail_received(players[i].desk.room, 1 - i) >= STRESS_ROUNDS);
        close(players[i].event);
        desk_close(&players[i].desk);
    }
    assert_true(players[0].sleeps + players[1].sleeps > 0);
    mailboxes_destroy(mailboxes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receiver_that_is_awake_is_not_woken),
        cmocka_unit_test(a_sleeping_receiver_is_woken_once),
        cmocka_unit_test(nobody_sleeps_over_mail),
        cmocka_unit_test(nobody_sleeps_over_mail_it_could_send),
        cmocka_unit_test(a_sender_may_sleep_over_a_full_ring_and_is_woken_by_room),
        cmocka_unit_test(nobody_sleeps_before_the_flush_that_tells_of_room),
        cmocka_unit_test(a_thread_that_cannot_be_woken_does_not_sleep),
        cmocka_unit_test(an_announcement_taken_back_wakes_nobody),
        cmocka_unit_test(no_wake_and_no_mail_is_lost_between_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
