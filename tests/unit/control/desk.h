/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread played by a test: its memory, its mailroom, and the mail that it has received.
 */
#ifndef LINEMQ_TESTS_CONTROL_DESK_H
#define LINEMQ_TESTS_CONTROL_DESK_H

#include "dataplane/mail/mailbox.h"
#include "dataplane/message/region.h"

enum { DESK_MAILS = 65536 };

struct desk {
    struct region region;
    void *arena_state;
    struct arena *arena;
    struct pool pool;
    struct parcels parcels;
    struct mailroom *mailroom;
    struct mail *mails; /* received, in order; taken ones have type 0 */
    unsigned count;
};

void desk_open(struct desk *desk, struct mailboxes *mailboxes, unsigned self);
/* Fails the test when memory of the desk's is still in use. */
void desk_close(struct desk *desk);

/* Receives what there is; parcels that came home are put away. */
void desk_receive(struct desk *desk);

/* The first mail of that type that has not been taken; fails the test when there is none. */
struct mail desk_take(struct desk *desk, enum mail_type type);
/* How many of that type there are. */
unsigned desk_has(const struct desk *desk, enum mail_type type);

/* A message of the desk's own. */
struct message *desk_message(struct desk *desk, const char *topic, const char *payload,
                             uint8_t qos);

/* Memory handed out and not given back. */
uint64_t pool_in_use(const struct pool *pool);

#endif
