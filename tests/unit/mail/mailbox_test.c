/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/desk.h"

static void mail_is_not_seen_before_the_flush(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(2, 8);
    struct desk a, b;
    desk_open(&a, mailboxes, 0, 1);
    desk_open(&b, mailboxes, 1, 1);
    struct mail mail;
    assert_true(desk_send(&a, 1, 5));
    assert_int_equal(mail_receive(b.room, &mail, 1), 0);
    assert_int_equal(mail_flush(a.room), 0);
    desk_expect(&b, 0, 5);
    assert_int_equal(mail_receive(b.room, &mail, 1), 0);
    desk_close(&a);
    desk_close(&b);
    mailboxes_destroy(mailboxes);
}

static void a_mail_arrives_whole(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(3, 8);
    struct desk a, b;
    desk_open(&a, mailboxes, 2, 1);
    desk_open(&b, mailboxes, 1, 1);
    struct mail sent, got;
    memset(&sent, 0xc3, sizeof sent);
    assert_true(mail_send(a.room, 1, &sent));
    mail_flush(a.room);
    assert_int_equal(mail_receive(b.room, &got, 1), 1);
    sent.from = 2;
    assert_memory_equal(&sent, &got, sizeof sent);
    desk_close(&a);
    desk_close(&b);
    mailboxes_destroy(mailboxes);
}

static void a_thread_may_write_to_itself(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(1, 8);
    struct desk a;
    desk_open(&a, mailboxes, 0, 1);
    for (uint32_t i = 0; i < 20; i++)
        assert_true(desk_send(&a, 0, i));
    for (uint32_t i = 0; i < 20; i++) {
        mail_flush(a.room);
        desk_expect(&a, 0, i);
    }
    desk_close(&a);
    mailboxes_destroy(mailboxes);
}

static void order_holds_over_full_rings_and_long_backlogs(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(2, 64);
    struct desk a, b;
    desk_open(&a, mailboxes, 0, 63);
    desk_open(&b, mailboxes, 1, 1);
    uint32_t sent = 0, got = 0, random = 3;
    /* Bursts grow the backlog into its chunks and let it run empty again, several times over. */
    for (unsigned round = 0; round < 400; round++) {
        random = random * 1664525 + 1013904223;
        unsigned burst = round % 100 < 60 ? random >> 23 : random >> 28;
        for (unsigned i = 0; i < burst; i++)
            assert_true(desk_send(&a, 1, sent++));
        unsigned left = mail_flush(a.room);
        struct mail mails[50];
        unsigned n = mail_receive(b.room, mails, round % 100 < 60 ? 7 : 50);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(mails[i].session, got++);
        assert_true(sent - got - left <= 63);
    }
    while (got != sent) {
        mail_flush(a.room);
        desk_expect(&b, 0, got++);
    }
    assert_int_equal(mail_flush(a.room), 0);
    assert_int_equal(mail_sent(a.room, 1), sent);
    assert_int_equal(mail_received(b.room, 0), sent);
    assert_true(sent > 20000);
    desk_close(&a);
    desk_close(&b);
    mailboxes_destroy(mailboxes);
}

static void a_full_mailbox_does_not_hold_up_the_others(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(3, 8);
    struct desk a, b;
    desk_open(&a, mailboxes, 0, 15);
    desk_open(&b, mailboxes, 2, 1);
    for (uint32_t i = 0; i < 5000; i++)
        assert_true(desk_send(&a, 1, i));
    assert_true(desk_send(&a, 2, 9));
    assert_int_equal(mail_flush(a.room), 5000 - 7);
    desk_expect(&b, 0, 9);
    desk_close(&a);
    desk_close(&b);
    mailboxes_destroy(mailboxes);
}

static void without_memory_the_reserve_is_still_accepted(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(2, 8);
    struct desk a, b;
    desk_open(&a, mailboxes, 0, 1);
    desk_open(&b, mailboxes, 1, 1);
    void *all = arena_span_alloc(a.memory.arena, 0);
    assert_non_null(all);
    uint32_t sent = 0, got = 0;
    while (desk_send(&a, 1, sent))
        sent++;
    assert_int_equal(sent, MAILROOM_RESERVE);
    assert_int_equal(mail_sent(a.room, 1), MAILROOM_RESERVE);

    /* After a flush there is room for exactly as many as have left. */
    mail_flush(a.room);
    for (unsigned i = 0; i < 7; i++)
        assert_true(desk_send(&a, 1, sent++));
    assert_false(desk_send(&a, 1, sent));
    while (got < sent) {
        mail_flush(a.room);
        desk_expect(&b, 0, got++);
    }
    arena_span_free(a.memory.arena, all, 0);
    desk_close(&a);
    desk_close(&b);
    mailboxes_destroy(mailboxes);
}

static void an_exhausted_backlog_says_so_and_loses_nothing(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(2, 8);
    struct desk a, b;
    desk_open(&a, mailboxes, 0, 1); /* 16 chunks of 63 mails */
    desk_open(&b, mailboxes, 1, 1);
    uint32_t sent = 0, got = 0;
    while (desk_send(&a, 1, sent))
        sent++;
    assert_int_equal(sent, MAILROOM_RESERVE + 16 * 63);
    assert_false(desk_send(&a, 1, sent));
    assert_true(desk_send(&a, 0, 1)); /* another destination has its own reserve */
    while (got < sent) {
        mail_flush(a.room);
        desk_expect(&b, 0, got++);
    }
    mail_flush(a.room);
    assert_true(desk_send(&a, 1, sent));
    mail_flush(a.room);
    desk_expect(&b, 0, sent);
    desk_close(&a);
    desk_close(&b);
    mailboxes_destroy(mailboxes);
}

static void the_reserve_is_whole_again_while_chunks_drain(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(2, 4096);
    struct desk a, b;
    desk_open(&a, mailboxes, 0, 1);
    desk_open(&b, mailboxes, 1, 1);
    uint32_t sent = 0, got = 0;
    for (; sent < MAILROOM_RESERVE + 100; sent++)
        assert_true(desk_send(&a, 1, sent));
    arena_fail_after(a.memory.arena, 1);
    assert_int_equal(mail_flush(a.room), 100);
    for (unsigned i = 0; i < MAILROOM_RESERVE - 100; i++)
        assert_true(desk_send(&a, 1, sent++));
    assert_false(desk_send(&a, 1, sent));
    mail_flush(a.room);
    while (got < sent)
        desk_expect(&b, 0, got++);
    desk_close(&a);
    desk_close(&b);
    mailboxes_destroy(mailboxes);
}

static void pressure_is_reported_for_the_destination_that_is_slow(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(3, 8);
    struct desk a, b;
    desk_open(&a, mailboxes, 0, 1);
    desk_open(&b, mailboxes, 1, 1);
    uint32_t sent = 0, got = 0;
    while (!mail_pressure(a.room, 1u << 1))
        assert_true(desk_send(&a, 1, sent++));
    assert_int_equal(sent, MAILROOM_RESERVE / 2);
    assert_false(mail_pressure(a.room, 1u << 0 | 1u << 2));
    assert_true(mail_pressure(a.room, UINT32_MAX));
    assert_false(mail_pressure(a.room, 0));
    mail_flush(a.room);
    assert_false(mail_pressure(a.room, 1u << 1));
    for (unsigned i = 0; i < 7; i++)
        assert_true(desk_send(&a, 1, sent++));
    assert_true(mail_pressure(a.room, 1u << 1));
    mail_flush(a.room); /* the ring is full: nothing moves */
    assert_true(mail_pressure(a.room, 1u << 1));
    for (unsigned i = 0; i < 7; i++)
        desk_expect(&b, 0, got++);
    mail_flush(a.room);
    assert_false(mail_pressure(a.room, 1u << 1));
    while (got < sent) {
        mail_flush(a.room);
        desk_expect(&b, 0, got++);
    }
    desk_close(&a);
    desk_close(&b);
    mailboxes_destroy(mailboxes);
}

static void before_pressure_is_reported_half_the_reserve_is_certain(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(2, 8);
    struct desk a;
    desk_open(&a, mailboxes, 0, 1);
    void *all = arena_span_alloc(a.memory.arena, 0);
    uint32_t sent = 0;
    while (sent < MAILROOM_RESERVE / 2 - 1)
        assert_true(desk_send(&a, 1, sent++));
    assert_false(mail_pressure(a.room, 1u << 1));
    for (unsigned i = 0; i < MAILROOM_RESERVE / 2; i++)
        assert_true(desk_send(&a, 1, sent++));
    arena_span_free(a.memory.arena, all, 0);
    desk_close(&a);
    mailboxes_destroy(mailboxes);
}

static void every_sender_has_its_turn(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(4, 64);
    struct desk desks[4];
    for (unsigned i = 0; i < 4; i++)
        desk_open(&desks[i], mailboxes, i, 1);
    for (unsigned from = 1; from < 4; from++) {
        for (uint32_t i = 0; i < (from == 1 ? 60 : 10); i++)
            assert_true(desk_send(&desks[from], 0, i));
        mail_flush(desks[from].room);
    }
    /* An equal share first, the rest to whoever has more. */
    struct mail mails[16];
    unsigned from_sender[4] = {0};
    assert_int_equal(mail_receive(desks[0].room, mails, 16), 16);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(mails[i].session, from_sender[mails[i].from]++);
    for (unsigned from = 1; from < 4; from++)
        assert_true(from_sender[from] >= 4);
    /* Fewer than senders: within as many calls as there are senders, each was heard. */
    uint32_t heard = 0;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(mail_receive(desks[0].room, mails, 1), 1);
        heard |= 1u << mails[0].from;
    }
    assert_int_equal(heard, 0xe);
    for (unsigned i = 0; i < 4; i++)
        desk_close(&desks[i]);
    mailboxes_destroy(mailboxes);
}

static void no_more_is_taken_than_asked_for(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(2, 64);
    struct desk a, b;
    desk_open(&a, mailboxes, 0, 1);
    desk_open(&b, mailboxes, 1, 1);
    for (uint32_t i = 0; i < 63; i++)
        assert_true(desk_send(&a, 1, i));
    mail_flush(a.room);
    struct mail mails[64];
    unsigned got = 0;
    for (unsigned max = 0; max < 9; max++)
        got += mail_receive(b.room, mails, max);
    assert_int_equal(got, 36);
    assert_int_equal(mail_receive(b.room, mails, 64), 27);
    desk_close(&a);
    desk_close(&b);
    mailboxes_destroy(mailboxes);
}

static void releases_never_fail_and_need_no_memory(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(2, 8);
    struct desk home, away;
    desk_open(&home, mailboxes, 0, 63);
    desk_open(&away, mailboxes, 1, 1);
    enum { PARCELS = 10000 };
    static struct parcel *parcels[PARCELS];
    for (unsigned i = 0; i < PARCELS; i++)
        parcels[i] = parcel_new(&home.parcels, sizeof(struct parcel) + i % 200);
    void *all = arena_span_alloc(away.memory.arena, 0);
    assert_non_null(all);
    for (unsigned i = 0; i < PARCELS; i++)
        parcel_release(&away.parcels, parcels[i]);
    unsigned back = 0, left;
    do {
        left = mail_flush(away.room);
        assert_int_equal(left, (PARCELS - back + 5) / 6 < 7 ? 0 : (PARCELS - back + 5) / 6 - 7);
        struct mail mails[8];
        unsigned got = mail_receive(home.room, mails, 8);
        for (unsigned i = 0; i < got; i++) {
            assert_int_equal(mails[i].type, MAIL_RELEASE);
            for (unsigned j = 0; j < 6 && mails[i].release.parcels[j]; j++, back++)
                parcel_came_home(&home.parcels, mails[i].release.parcels[j]);
        }
    } while (left != 0);
    assert_int_equal(back, PARCELS);
    arena_span_free(away.memory.arena, all, 0);
    desk_close(&home);
    desk_close(&away);
    mailboxes_destroy(mailboxes);
}

static void sizes_out_of_range_are_refused(void **state) {
    assert_null(mailboxes_create(0, 8));
    assert_null(mailboxes_create(THREADS_MAX + 1, 8));
    assert_null(mailboxes_create(1, 9));
    assert_null(mailboxes_create(1, 0));
    struct mailboxes *mailboxes = mailboxes_create(THREADS_MAX, 2);
    assert_non_null(mailboxes);
    assert_int_equal(mailboxes_threads(mailboxes), THREADS_MAX);
    mailboxes_destroy(mailboxes);
    mailboxes_destroy(NULL);
    mailroom_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_is_not_seen_before_the_flush),
        cmocka_unit_test(a_mail_arrives_whole),
        cmocka_unit_test(a_thread_may_write_to_itself),
        cmocka_unit_test(order_holds_over_full_rings_and_long_backlogs),
        cmocka_unit_test(a_full_mailbox_does_not_hold_up_the_others),
        cmocka_unit_test(without_memory_the_reserve_is_still_accepted),
        cmocka_unit_test(an_exhausted_backlog_says_so_and_loses_nothing),
        cmocka_unit_test(the_reserve_is_whole_again_while_chunks_drain),
        cmocka_unit_test(pressure_is_reported_for_the_destination_that_is_slow),
        cmocka_unit_test(before_pressure_is_reported_half_the_reserve_is_certain),
        cmocka_unit_test(every_sender_has_its_turn),
        cmocka_unit_test(no_more_is_taken_than_asked_for),
        cmocka_unit_test(releases_never_fail_and_need_no_memory),
        cmocka_unit_test(sizes_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
