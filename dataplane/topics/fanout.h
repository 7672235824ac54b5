/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery to this thread's subscribers, bounded: a turn has a budget of deliveries. A message that
 * does not fit into what is left waits in a queue, and so does every message after it, so that none
 * overtakes another.
 *
 * The recipients of one message are gathered first (match.h), each subscriber once. If they are
 * more than a turn's budget, the message becomes the running fan-out: it goes through the
 * subscriptions themselves, with a cursor that stays from turn to turn; then a subscriber of
 * several matching filters is recognised by a set of those already served, and the highest QoS is
 * served first.
 *
 * Thread: the router's owner.
 */
#ifndef LINEMQ_TOPICS_FANOUT_H
#define LINEMQ_TOPICS_FANOUT_H

#include "dataplane/topics/match.h"

enum {
    FANOUT_QUEUE = 4096,   /* messages waiting */
    FANOUT_PRESSED = 1024, /* from here on no more are taken from publishers */
};

struct waiting {
    struct message *message; /* a reference */
    uint64_t epoch;
};

struct fanouts {
    uint32_t budget; /* deliveries left in this turn */
    bool rushing;    /* neither the budget nor the owner is asked */
    uint32_t head, count;
    struct waiting *queue; /* a ring, set-up heap */

    /* The running fan-out. */
    struct waiting running; /* message NULL: none */
    ref_t *interests;       /* set-up heap; 0: gone meanwhile */
    unsigned interests_count;
    unsigned at;  /* the interest that `cursor` is in */
    ref_t cursor; /* next subscription */
    uint8_t pass; /* QoS served in this pass, highest first; in pass 0 all that are left */
    bool several; /* interests: subscribers may come up again */
    struct reftable served; /* subscribers, when there are several interests */
};

/* False: no memory. */
bool fanouts_init(struct fanouts *fanouts, struct topic_memory *memory,
                  const struct router_limits *limits);
void fanouts_free(struct router *router); /* drops what waits */

static inline bool fanouts_busy(const struct fanouts *fanouts) {
    return fanouts->running.message != NULL || fanouts->count != 0;
}

static inline bool fanouts_pressed(const struct fanouts *fanouts) {
    return fanouts->count >= FANOUT_PRESSED;
}

/* Delivers a message that matched, now or later. Takes its own references. */
void fanout_local(struct router *router, struct message *message, uint64_t epoch,
                  const struct match *match);

/* Queues a message: it is matched again when its turn comes. */
void fanout_queue(struct router *router, struct message *message, uint64_t epoch);

/* Goes on with what waits, as far as the budget reaches. True when more is left. */
bool fanouts_turn(struct router *router);

/* A subscription, or an interest, is about to go. */
void fanout_forget_subscription(struct router *router, const struct subscription *subscription);
void fanout_forget_interest(struct router *router, const struct interest *interest);

#endif
