/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mail/mailbox.h"

#include <rte_ring_elem.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* No more work is taken from outside for a destination with this many mails waiting. What has
     * begun then still finds room for as many in the reserve. */
    PRESSURE = MAILROOM_RESERVE / 2,
    CHUNK_BYTES = 4096,
    CHUNK_MAILS = CHUNK_BYTES / sizeof(struct mail) - 1,
    RELEASE_PARCELS = 6, /* in one MAIL_RELEASE */
    RELEASE_BURST = 16,  /* MAIL_RELEASEs made up at a time */
    /* Two lines: neighbouring lines are fetched in pairs. */
    SHARING = 128,
};
_Static_assert((MAILROOM_RESERVE & (MAILROOM_RESERVE - 1)) == 0, "indices are masked");

enum sleeping {
    AWAKE,
    ASLEEP,         /* waits for mail */
    ASLEEP_WAITING, /* waits for mail, or for room in the rings it sends to */
};

/* Written by the thread when it goes to sleep and wakes up, read by the others. */
struct sleeper {
    _Alignas(SHARING) uint32_t sleeping; /* enum sleeping */
    void (*wake)(void *argument);
    void *argument;
};

struct mailboxes {
    unsigned threads, slots;
    struct rte_ring *rings[THREADS_MAX][THREADS_MAX]; /* [from][to] */
    struct sleeper sleepers[THREADS_MAX];
};

/* Backlog behind the reserve. */
struct chunk {
    struct chunk *next;
    uint32_t head, tail; /* mails[head .. tail) wait */
    uint8_t pad[48];
    struct mail mails[CHUNK_MAILS];
};
_Static_assert(sizeof(struct chunk) == CHUNK_BYTES, "a chunk fills a class of the pool");

/*
 * What waits for one destination, oldest first: the reserve, a circular buffer; then the chunks.
 * There are chunks only while the reserve is full, so that the reserve is room for
 * MAILROOM_RESERVE mails whatever the memory.
 */
struct outbox {
    struct rte_ring *ring;
    struct mail *reserve;
    uint32_t head, tail; /* of the reserve, running freely */
    uint32_t in_chunks;  /* mails */
    uint32_t going_home_count;
    struct chunk *first, *last;
    struct parcel *going_home;
    uint64_t sent;
};

struct mailroom {
    struct mailboxes *mailboxes;
    struct pool *pool;
    unsigned self, threads;
    unsigned next;    /* sender whose turn it is to be received from */
    uint32_t waiting; /* bitmap of destinations for which something waits */
    uint32_t pressed; /* bitmap of destinations with PRESSURE mails or more waiting */
    uint32_t drained; /* bitmap of senders whose rings have more room since the last flush */
    struct rte_ring *inbox[THREADS_MAX];
    uint64_t received[THREADS_MAX];
    struct outbox outbox[THREADS_MAX];
};

/* rte_ring_init is in DPDK's library; this is the same for one producer and one consumer. */
static struct rte_ring *ring_create(unsigned from, unsigned to, unsigned slots) {
    size_t size = sizeof(struct rte_ring) + (size_t)slots * sizeof(struct mail);
    struct rte_ring *ring = aligned_alloc(SHARING, (size + SHARING - 1) & ~(size_t)(SHARING - 1));
    if (!ring)
        return NULL;
    memset(ring, 0, sizeof *ring);
    snprintf(ring->name, sizeof ring->name, "mail-%u-%u", from, to);
    ring->flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
    ring->prod.sync_type = RTE_RING_SYNC_ST;
    ring->cons.sync_type = RTE_RING_SYNC_ST;
    ring->size = slots;
    ring->mask = slots - 1;
    ring->capacity = slots - 1;
    return ring;
}

struct mailboxes *mailboxes_create(unsigned threads, unsigned slots) {
    if (threads == 0 || threads > THREADS_MAX || slots < 2 || (slots & (slots - 1)) != 0)
        return NULL;
    struct mailboxes *mailboxes = aligned_alloc(SHARING, sizeof *mailboxes);
    if (!mailboxes)
        return NULL;
    memset(mailboxes, 0, sizeof *mailboxes);
    mailboxes->threads = threads;
    mailboxes->slots = slots;
    for (unsigned from = 0; from < threads; from++) {
        for (unsigned to = 0; to < threads; to++) {
            mailboxes->rings[from][to] = ring_create(from, to, slots);
            if (!mailboxes->rings[from][to]) {
                mailboxes_destroy(mailboxes);
                return NULL;
            }
        }
    }
    return mailboxes;
}

void mailboxes_destroy(struct mailboxes *mailboxes) {
    if (!mailboxes)
        return;
    for (unsigned from = 0; from < mailboxes->threads; from++)
        for (unsigned to = 0; to < mailboxes->threads; to++)
            free(mailboxes->rings[from][to]);
    free(mailboxes);
}

unsigned mailboxes_threads(const struct mailboxes *mailboxes) {
    return mailboxes->threads;
}

void mailboxes_set_wake(struct mailboxes *mailboxes, unsigned thread, void (*wake)(void *argument),
                        void *argument) {
    mailboxes->sleepers[thread].wake = wake;
    mailboxes->sleepers[thread].argument = argument;
}

struct mailroom *mailroom_create(struct mailboxes *mailboxes, unsigned self, struct pool *pool) {
    size_t size = (sizeof(struct mailroom) + SHARING - 1) & ~(size_t)(SHARING - 1);
    struct mailroom *room = aligned_alloc(SHARING, size);
    if (!room)
        return NULL;
    memset(room, 0, sizeof *room);
    room->mailboxes = mailboxes;
    room->pool = pool;
    room->self = self;
    room->threads = mailboxes->threads;
    for (unsigned i = 0; i < room->threads; i++) {
        room->inbox[i] = mailboxes->rings[i][self];
        room->outbox[i].ring = mailboxes->rings[self][i];
        room->outbox[i].reserve = aligned_alloc(SHARING, MAILROOM_RESERVE * sizeof(struct mail));
        if (!room->outbox[i].reserve) {
            mailroom_destroy(room);
            return NULL;
        }
    }
    return room;
}

void mailroom_destroy(struct mailroom *room) {
    if (!room)
        return;
    for (unsigned i = 0; i < room->threads; i++) {
        struct outbox *outbox = &room->outbox[i];
        while (outbox->first) {
            struct chunk *chunk = outbox->first;
            outbox->first = chunk->next;
            pool_free(room->pool, chunk, sizeof *chunk);
        }
        free(outbox->reserve);
    }
    free(room);
}

static uint32_t in_reserve(const struct outbox *outbox) {
    return outbox->tail - outbox->head;
}

static struct mail *reserve_at(struct outbox *outbox, uint32_t index) {
    return &outbox->reserve[index & (MAILROOM_RESERVE - 1)];
}

/* The place for one more mail, or NULL. */
static struct mail *place(struct mailroom *room, struct outbox *outbox) {
    if (in_reserve(outbox) < MAILROOM_RESERVE)
        return reserve_at(outbox, outbox->tail++);
    struct chunk *chunk = outbox->last;
    if (!chunk || chunk->tail == CHUNK_MAILS) {
        chunk = pool_alloc(room->pool, sizeof *chunk);
        if (!chunk)
            return NULL;
        chunk->next = NULL;
        chunk->head = chunk->tail = 0;
        if (outbox->last)
            outbox->last->next = chunk;
        else
            outbox->first = chunk;
        outbox->last = chunk;
    }
    outbox->in_chunks++;
    return &chunk->mails[chunk->tail++];
}

static void add(uint64_t *value, uint64_t n) {
    __atomic_store_n(value, *value + n, __ATOMIC_RELAXED);
}

bool mail_send(struct mailroom *room, unsigned to, const struct mail *mail) {
    struct outbox *outbox = &room->outbox[to];
    struct mail *copy = place(room, outbox);
    if (__builtin_expect(!copy, 0))
        return false;
    *copy = *mail;
    copy->from = (uint8_t)room->self;
    room->waiting |= 1u << to;
    if (in_reserve(outbox) >= PRESSURE)
        room->pressed |= 1u << to;
    add(&outbox->sent, 1);
    return true;
}

bool mail_pressure(const struct mailroom *room, uint32_t destinations) {
    return (room->pressed & destinations) != 0;
}

void mail_release(struct mailroom *room, void *memory) {
    struct parcel *parcel = memory;
    unsigned home = parcel->home;
    struct outbox *outbox = &room->outbox[home];
    parcel->next = outbox->going_home;
    outbox->going_home = parcel;
    outbox->going_home_count++;
    room->waiting |= 1u << home;
}

/* From the chunks into the reserve, as much as has room. */
static void refill(struct mailroom *room, struct outbox *outbox) {
    while (outbox->first && in_reserve(outbox) < MAILROOM_RESERVE) {
        struct chunk *chunk = outbox->first;
        while (chunk->head != chunk->tail && in_reserve(outbox) < MAILROOM_RESERVE) {
            *reserve_at(outbox, outbox->tail++) = chunk->mails[chunk->head++];
            outbox->in_chunks--;
        }
        if (chunk->head != chunk->tail)
            return;
        outbox->first = chunk->next;
        if (!outbox->first)
            outbox->last = NULL;
        pool_free(room->pool, chunk, sizeof *chunk);
    }
}

/* From the reserve into the ring, as much as has room. What a destination can get in one turn is
 * bounded by the reserve, however fast it takes. */
static void burst(struct outbox *outbox) {
    while (in_reserve(outbox) != 0) {
        uint32_t start = outbox->head & (MAILROOM_RESERVE - 1);
        uint32_t count = MAILROOM_RESERVE - start;
        if (count > in_reserve(outbox))
            count = in_reserve(outbox);
        uint32_t done = rte_ring_sp_enqueue_burst_elem(outbox->ring, &outbox->reserve[start],
                                                       sizeof(struct mail), count, NULL);
        outbox->head += done;
        if (done < count)
            return;
    }
    /* The same few lines of memory again next turn. */
    outbox->head = outbox->tail = 0;
}

static void send_home(struct mailroom *room, struct outbox *outbox, unsigned home) {
    struct mail mails[RELEASE_BURST];
    unsigned room_left = rte_ring_free_count(outbox->ring);
    while (outbox->going_home && room_left != 0) {
        unsigned count = 0;
        while (outbox->going_home && count < RELEASE_BURST && count < room_left) {
            struct mail *mail = &mails[count++];
            *mail = (struct mail){.type = MAIL_RELEASE, .from = (uint8_t)room->self};
            for (unsigned i = 0; i < RELEASE_PARCELS && outbox->going_home; i++) {
                struct parcel *parcel = outbox->going_home;
                outbox->going_home = parcel->next;
                outbox->going_home_count--;
                parcel->next = NULL;
                parcel->home = (uint8_t)home;
                mail->release.parcels[i] = parcel;
            }
        }
        /* All fit: the consumer can only have made more room. */
        rte_ring_sp_enqueue_bulk_elem(outbox->ring, mails, sizeof(struct mail), count, NULL);
        room_left -= count;
        add(&outbox->sent, count);
    }
}

static unsigned waiting_in(const struct outbox *outbox) {
    return in_reserve(outbox) + outbox->in_chunks +
           (outbox->going_home_count + RELEASE_PARCELS - 1) / RELEASE_PARCELS;
}

/* Wakes those of `threads` that sleep, at least as deep as `sleeping`. */
static void wake(struct mailroom *room, uint32_t threads, enum sleeping sleeping) {
    for (; threads != 0; threads &= threads - 1) {
        struct sleeper *sleeper = &room->mailboxes->sleepers[__builtin_ctz(threads)];
        if (__atomic_load_n(&sleeper->sleeping, __ATOMIC_RELAXED) >= sleeping &&
            __atomic_exchange_n(&sleeper->sleeping, AWAKE, __ATOMIC_ACQ_REL) != AWAKE)
            sleeper->wake(sleeper->argument);
    }
}

unsigned mail_flush(struct mailroom *room) {
    uint32_t sent = room->waiting, drained = room->drained;
    if ((sent | drained) == 0)
        return 0;
    unsigned left = 0;
    for (uint32_t todo = sent; todo != 0; todo &= todo - 1) {
        unsigned to = (unsigned)__builtin_ctz(todo);
        struct outbox *outbox = &room->outbox[to];
        burst(outbox);
        refill(room, outbox);
        if (outbox->going_home)
            send_home(room, outbox, to);
        unsigned waiting = waiting_in(outbox);
        if (waiting == 0)
            room->waiting &= ~(1u << to);
        if (in_reserve(outbox) < PRESSURE)
            room->pressed &= ~(1u << to);
        left += waiting;
    }
    room->drained = 0;

    /* What was done to the rings must be visible before the flags are read, as a sleeper's flag is
     * before it looks at the rings: one of the two sees the other. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    wake(room, sent, ASLEEP);
    wake(room, drained, ASLEEP_WAITING);
    return left;
}

unsigned mail_receive(struct mailroom *room, struct mail *mails, unsigned max) {
    unsigned got = 0;
    /* First an equal share for each sender, the one whose turn it is first; then what is left, in
     * the same order. */
    unsigned share = max / room->threads;
    if (share == 0)
        share = 1;
    uint32_t more = 0;
    unsigned sender = room->next;
    for (unsigned i = 0; i < room->threads && got < max; i++) {
        unsigned want = max - got < share ? max - got : share;
        unsigned n = rte_ring_sc_dequeue_burst_elem(room->inbox[sender], mails + got,
                                                    sizeof(struct mail), want, NULL);
        if (n != 0) {
            add(&room->received[sender], n);
            room->drained |= 1u << sender;
        }
        if (n == want)
            more |= 1u << sender;
        got += n;
        sender = sender + 1 == room->threads ? 0 : sender + 1;
    }
    room->next = sender == room->next ? sender + 1 : sender;
    if (room->next >= room->threads)
        room->next = 0;
    while (more != 0 && got < max) {
        unsigned from = (unsigned)__builtin_ctz(more);
        more &= more - 1;
        unsigned n = rte_ring_sc_dequeue_burst_elem(room->inbox[from], mails + got,
                                                    sizeof(struct mail), max - got, NULL);
        add(&room->received[from], n);
        got += n;
    }
    return got;
}

bool mail_may_sleep(struct mailroom *room) {
    struct sleeper *sleeper = &room->mailboxes->sleepers[room->self];
    if (!sleeper->wake || room->drained != 0)
        return false;
    __atomic_store_n(&sleeper->sleeping, room->waiting != 0 ? ASLEEP_WAITING : ASLEEP,
                     __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    bool work = false;
    for (unsigned i = 0; i < room->threads; i++)
        work |= !rte_ring_empty(room->inbox[i]);
    for (uint32_t todo = room->waiting; todo != 0; todo &= todo - 1)
        work |= !rte_ring_full(room->outbox[__builtin_ctz(todo)].ring);
    if (work)
        mail_awake(room);
    return !work;
}

void mail_awake(struct mailroom *room) {
    __atomic_store_n(&room->mailboxes->sleepers[room->self].sleeping, AWAKE, __ATOMIC_RELAXED);
}

uint64_t mail_sent(const struct mailroom *room, unsigned thread) {
    return __atomic_load_n(&room->outbox[thread].sent, __ATOMIC_RELAXED);
}

uint64_t mail_received(const struct mailroom *room, unsigned thread) {
    return __atomic_load_n(&room->received[thread], __ATOMIC_RELAXED);
}
