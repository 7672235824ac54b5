/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions for retained messages (mail.h, MAIL_RETAINED_QUERY): what a new subscription has
 * missed.
 *
 *   token    every thread has to pass the asker's epoch, then
 *   drain    the mail that was in the boxes at that moment has to be handled: from then on all
 *            messages that were matched before the epoch are in the store
 *   run      messages matched before the epoch are sent, a batch for each MAIL_RETAINED_MORE
 *
 * Thread: the shard.
 */
#ifndef LINEMQ_CONTROL_RETAINED_QUERY_H
#define LINEMQ_CONTROL_RETAINED_QUERY_H

#include "control/retained/retained.h"
#include "control/sessions/table.h"
#include "dataplane/base/counters.h"
#include "dataplane/mail/mail.h"

struct routes;
struct query;

enum {
    QUERIES_STEPS = 512, /* topics looked at in one turn, for all questions together */
};

struct query_list {
    struct query *first, *last;
};

/* What the questions need from their surroundings. */
struct queries_use {
    struct retained *retained;
    struct parcels *parcels;
    struct routes *routes;
    struct counters *counters;
    /* Sends what must not get lost. */
    void (*send)(void *owner, unsigned to, const struct mail *mail);
    /* Mail to that thread should wait. */
    bool (*pressed)(void *owner, unsigned to);
    void *owner;
};

struct queries {
    struct queries_use use;
    struct slab slab;
    struct table table; /* by asker and operation */
    struct query_list token, drain, run, idle;
    unsigned drain_turns; /* of the questions in `drain` */
};

void queries_init(struct queries *queries, const struct queries_use *use);
void queries_free(struct queries *queries);

/* MAIL_RETAINED_QUERY and MAIL_RETAINED_MORE. The filter is consumed. */
void queries_mail(struct queries *queries, const struct mail *mail);

/* Once a turn, after its mail. `drained`: every box has been seen empty in this turn. True: more
 * could be done at once. */
bool queries_turn(struct queries *queries, bool drained);

static inline bool queries_waiting(const struct queries *queries) {
    return queries->token.first != NULL || queries->drain.first != NULL ||
           queries->run.first != NULL;
}

#endif
