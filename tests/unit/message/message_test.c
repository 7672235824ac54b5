/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mail/mailbox.h"
#include "tests/unit/message/memory.h"

struct thread {
    struct memory memory;
    struct pool pool;
    struct parcels parcels;
};

static void thread_open(struct thread *thread, struct mailboxes *mailboxes, unsigned self) {
    memory_open(&thread->memory, 31, 0);
    pool_init(&thread->pool, thread->memory.arena);
    thread->parcels.pool = &thread->pool;
    thread->parcels.self = (uint8_t)self;
    thread->parcels.mailroom = mailboxes ? mailroom_create(mailboxes, self, &thread->pool) : NULL;
}

static void thread_close(struct thread *thread) {
    mailroom_destroy(thread->parcels.mailroom);
    memory_close(&thread->memory);
}

static uint64_t pool_objects(const struct pool *pool) {
    uint64_t objects = 0;
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        objects += pool->classes[i].used;
    return objects;
}

static void a_message_is_laid_out_as_on_the_wire(void **state) {
    struct thread thread;
    thread_open(&thread, NULL, 3);
    struct message *message = message_new(&thread.parcels, 7, 5);
    assert_non_null(message);
    memcpy(message->bytes + 2, "a/topichello", 12);
    assert_memory_equal(message->bytes, "\0\7a/topichello", 14);
    assert_int_equal(message_body_len(message), 14);
    assert_memory_equal(message_topic(message), "a/topic", 7);
    assert_memory_equal(message_payload(message), "hello", 5);
    assert_int_equal(message->topic_len, 7);
    assert_int_equal(message->payload_len, 5);
    assert_int_equal(message->qos, 0);
    assert_int_equal(message->flags, 0);
    assert_int_equal(message->topic_hash, 0);
    assert_int_equal(message->published, 0);
    assert_int_equal(message->parcel.refs, 1);
    assert_int_equal(message->parcel.home, 3);
    parcel_release(&thread.parcels, message);
    thread_close(&thread);
}

static void the_last_reference_frees_a_parcel_at_home(void **state) {
    struct thread thread;
    thread_open(&thread, NULL, 0);
    struct message *message = message_new(&thread.parcels, 1, 100);
    for (unsigned i = 0; i < 1000; i++)
        message_ref(message);
    for (unsigned i = 0; i < 1000; i++)
        parcel_release(&thread.parcels, message);
    assert_int_equal(pool_objects(&thread.pool), 1);
    parcel_release(&thread.parcels, message);
    assert_int_equal(pool_objects(&thread.pool), 0);
    thread_close(&thread);
}

static void a_copy_is_equal_but_has_its_own_life(void **state) {
    struct thread first, second;
    thread_open(&first, NULL, 0);
    thread_open(&second, NULL, 1);
    struct message *message = message_new(&first.parcels, 3, 70000);
    memcpy(message->bytes + 2, "a/b", 3);
    memset(message->bytes + 5, 'x', 70000);
    message->topic_hash = 42;
    message->qos = 2;
    message->flags = MESSAGE_RETAIN;
    message->published = 99;
    message_ref(message);
    struct message *copy = message_copy(&second.parcels, message);
    assert_non_null(copy);
    assert_int_equal(copy->parcel.refs, 1);
    assert_int_equal(copy->parcel.home, 1);
    assert_int_equal(copy->parcel.size, message->parcel.size);
    assert_memory_equal(&copy->topic_hash, &message->topic_hash,
                        message->parcel.size - sizeof message->parcel);
    parcel_release(&first.parcels, message);
    parcel_release(&first.parcels, message);
    assert_memory_equal(message_topic(copy), "a/b", 3);
    parcel_release(&second.parcels, copy);
    assert_int_equal(pool_objects(&first.pool) + pool_objects(&second.pool), 0);
    assert_int_equal(arena_used(second.memory.arena), 0);
    thread_close(&first);
    thread_close(&second);
}

static void shortage_is_told_by_null(void **state) {
    struct thread thread;
    thread_open(&thread, NULL, 0);
    arena_fail_after(thread.memory.arena, 1);
    assert_null(message_new(&thread.parcels, 1, 1));
    struct message *message = message_new(&thread.parcels, 1, 1);
    assert_non_null(message);
    arena_fail_after(thread.memory.arena, 1);
    assert_null(message_copy(&thread.parcels, message));
    assert_int_equal(message->parcel.refs, 1);
    parcel_release(&thread.parcels, message);
    assert_null(message_new(&thread.parcels, 65535, UINT32_MAX));
    assert_null(message_new(&thread.parcels, 65535, 1u << 30));
    assert_null(parcel_new(&thread.parcels, (size_t)UINT32_MAX + 17));
    thread_close(&thread);
}

static void a_parcel_released_elsewhere_goes_home(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(2, 64);
    struct thread home, away;
    thread_open(&home, mailboxes, 0);
    thread_open(&away, mailboxes, 1);
    struct mail mails[64];

    enum { PARCELS = 20 };
    for (unsigned i = 0; i < PARCELS; i++) {
        struct mail mail = {.type = MAIL_PUBLISH,
                            .publish.message = message_new(&home.parcels, 1, i * 10)};
        assert_true(mail_send(home.parcels.mailroom, 1, &mail));
    }
    mail_flush(home.parcels.mailroom);
    assert_int_equal(pool_objects(&home.pool), PARCELS);

    unsigned got = mail_receive(away.parcels.mailroom, mails, 64);
    assert_int_equal(got, PARCELS);
    for (unsigned i = 0; i < got; i++) {
        message_ref(mails[i].publish.message);
        parcel_release(&away.parcels, mails[i].publish.message);
        parcel_release(&away.parcels, mails[i].publish.message);
    }
    assert_int_equal(pool_objects(&away.pool), 0);
    assert_int_equal(mail_flush(away.parcels.mailroom), 0);

    /* Six to a mail. */
    got = mail_receive(home.parcels.mailroom, mails, 64);
    assert_int_equal(got, (PARCELS + 5) / 6);
    for (unsigned i = 0; i < got; i++) {
        assert_int_equal(mails[i].type, MAIL_RELEASE);
        assert_int_equal(mails[i].from, 1);
        for (unsigned j = 0; j < 6 && mails[i].release.parcels[j]; j++) {
            struct parcel *parcel = mails[i].release.parcels[j];
            assert_int_equal(parcel->home, 0);
            parcel_came_home(&home.parcels, parcel);
        }
    }
    assert_int_equal(pool_objects(&home.pool), 0);
    thread_close(&home);
    thread_close(&away);
    mailboxes_destroy(mailboxes);
}

static void a_parcel_goes_home_by_way_of_a_third_thread(void **state) {
    struct mailboxes *mailboxes = mailboxes_create(3, 16);
    struct thread threads[3];
    for (unsigned i = 0; i < 3; i++)
        thread_open(&threads[i], mailboxes, i);
    struct mail mail = {.type = MAIL_DELIVER,
                        .deliver.message = message_new(&threads[0].parcels, 1, 1)};
    struct mail got;
    for (unsigned i = 0; i < 2; i++) {
        assert_true(mail_send(threads[i].parcels.mailroom, i + 1, &mail));
        mail_flush(threads[i].parcels.mailroom);
        assert_int_equal(mail_receive(threads[i + 1].parcels.mailroom, &got, 1), 1);
        assert_ptr_equal(got.deliver.message, mail.deliver.message);
    }
    parcel_release(&threads[2].parcels, got.deliver.message);
    mail_flush(threads[2].parcels.mailroom);
    assert_int_equal(mail_receive(threads[1].parcels.mailroom, &got, 1), 0);
    assert_int_equal(mail_receive(threads[0].parcels.mailroom, &got, 1), 1);
    parcel_came_home(&threads[0].parcels, got.release.parcels[0]);
    assert_null(got.release.parcels[1]);
    assert_int_equal(pool_objects(&threads[0].pool), 0);
    for (unsigned i = 0; i < 3; i++)
        thread_close(&threads[i]);
    mailboxes_destroy(mailboxes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_laid_out_as_on_the_wire),
        cmocka_unit_test(the_last_reference_frees_a_parcel_at_home),
        cmocka_unit_test(a_copy_is_equal_but_has_its_own_life),
        cmocka_unit_test(shortage_is_told_by_null),
        cmocka_unit_test(a_parcel_released_elsewhere_goes_home),
        cmocka_unit_test(a_parcel_goes_home_by_way_of_a_third_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
