/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail: sent, flushed and received by one thread in turn (what the code costs), and from one thread
 * to another (what the machine's cache coherence adds; needs two cores to mean anything).
 */
#include "dataplane/mail/mailbox.h"

#include <pthread.h>
#include <sched.h>

#include "bench/micro/bench.h"

enum { SLOTS = 1024, BURST_MAX = 64, IDLE_TURNS = 64 };

struct post {
    struct mailboxes *mailboxes;
    struct bench_memory memory[2];
    struct mailroom *room[2];
    struct parcels parcels[2];
    unsigned threads;
};

static bool post_open(struct bench_run *run, struct post *post, unsigned threads) {
    post->mailboxes = mailboxes_create(threads, SLOTS);
    for (unsigned i = 0; i < 2; i++) {
        if (!post->mailboxes || !bench_memory_open(&post->memory[i], (size_t)64 << 20)) {
            bench_failed(run, "no memory");
            return false;
        }
        post->room[i] = mailroom_create(post->mailboxes, i, &post->memory[i].pool);
        post->parcels[i] = (struct parcels){&post->memory[i].pool, post->room[i], (uint8_t)i};
    }
    return true;
}

static void post_close(struct post *post) {
    for (unsigned i = 0; i < 2; i++) {
        mailroom_destroy(post->room[i]);
        bench_memory_close(&post->memory[i]);
    }
    mailboxes_destroy(post->mailboxes);
}

/* The argument is the burst between flushes; 8 threads, as a receiver looks into 8 rings. */
static void in_turn(struct bench_run *run, int64_t burst) {
    struct post post;
    if (!post_open(run, &post, 8))
        return;
    struct mail mail = {.type = MAIL_ACK}, mails[BURST_MAX];
    while (bench_running(run, burst)) {
        for (int64_t i = 0; i < burst; i++)
            mail_send(post.room[0], 1, &mail);
        mail_flush(post.room[0]);
        bench_use(mail_receive(post.room[1], mails, BURST_MAX));
    }
    post_close(&post);
}

/* A turn without mail, with that many threads. */
static void nothing(struct bench_run *run, int64_t threads) {
    struct post post;
    if (!post_open(run, &post, (unsigned)threads))
        return;
    struct mail mails[BURST_MAX];
    while (bench_running(run, 1)) {
        bench_use(mail_receive(post.room[1], mails, BURST_MAX));
        bench_use(mail_flush(post.room[1]));
    }
    post_close(&post);
}

/* A message's whole way: made, mailed, released, mailed home, freed. */
static void message_home(struct bench_run *run, int64_t burst) {
    struct post post;
    if (!post_open(run, &post, 8))
        return;
    struct mail mails[BURST_MAX];
    while (bench_running(run, burst)) {
        for (int64_t i = 0; i < burst; i++) {
            struct mail mail = {.type = MAIL_PUBLISH,
                                .publish.message = message_new(&post.parcels[0], 20, 64)};
            mail_send(post.room[0], 1, &mail);
        }
        mail_flush(post.room[0]);
        unsigned got = mail_receive(post.room[1], mails, BURST_MAX);
        for (unsigned i = 0; i < got; i++)
            parcel_release(&post.parcels[1], mails[i].publish.message);
        mail_flush(post.room[1]);
        got = mail_receive(post.room[0], mails, BURST_MAX);
        for (unsigned i = 0; i < got; i++)
            for (unsigned j = 0; j < 6 && mails[i].release.parcels[j]; j++)
                parcel_came_home(&post.parcels[0], mails[i].release.parcels[j]);
    }
    post_close(&post);
}

struct consumer {
    struct mailroom *room;
    uint64_t received; /* relaxed */
    bool stop;         /* relaxed */
};

static void *consume(void *argument) {
    struct consumer *consumer = argument;
    struct mail mails[BURST_MAX];
    unsigned empty = 0;
    while (!__atomic_load_n(&consumer->stop, __ATOMIC_RELAXED)) {
        unsigned got = mail_receive(consumer->room, mails, BURST_MAX);
        mail_flush(consumer->room);
        if (got != 0) {
            __atomic_store_n(&consumer->received, consumer->received + got, __ATOMIC_RELAXED);
            empty = 0;
        } else if (++empty % IDLE_TURNS == 0) {
            sched_yield();
        }
    }
    return NULL;
}

static void between_threads(struct bench_run *run, int64_t burst) {
    struct post post;
    if (!post_open(run, &post, 2))
        return;
    struct consumer consumer = {.room = post.room[1]};
    pthread_t thread;
    if (pthread_create(&thread, NULL, consume, &consumer) != 0) {
        bench_failed(run, "no thread");
        post_close(&post);
        return;
    }
    struct mail mail = {.type = MAIL_ACK};
    uint64_t sent = 0;
    while (bench_running(run, burst)) {
        for (unsigned turn = 0; mail_pressure(post.room[0], 1u << 1); turn++) {
            mail_flush(post.room[0]);
            if (turn % IDLE_TURNS == IDLE_TURNS - 1)
                sched_yield();
        }
        for (int64_t i = 0; i < burst; i++)
            mail_send(post.room[0], 1, &mail);
        mail_flush(post.room[0]);
        sent += (uint64_t)burst;
    }
    while (__atomic_load_n(&consumer.received, __ATOMIC_RELAXED) < sent)
        mail_flush(post.room[0]);
    __atomic_store_n(&consumer.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    post_close(&post);
}

void bench_mailbox(void) {
    bench_add("mailbox_send_receive", in_turn, 1);
    bench_add("mailbox_send_receive", in_turn, 32);
    bench_add("mailbox_empty_turn", nothing, 8);
    bench_add("mailbox_empty_turn", nothing, 32);
    bench_add("mailbox_message_and_home", message_home, 32);
    bench_add_threaded("mailbox_two_threads", between_threads, 32);
}
