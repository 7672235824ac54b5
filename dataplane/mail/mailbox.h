/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mailboxes: a ring of struct mail (rte_ring, one producer, one consumer) for each ordered pair of
 * threads. A mailroom is one thread's desk: what it has to send, what it has received.
 *
 * mail_send puts a mail into the backlog of its destination; mail_flush, once a turn, moves
 * backlogs to the rings in one burst each. What does not fit stays in the backlog, in order;
 * nothing is lost and nobody waits. A sender that takes work from outside asks mail_pressure first
 * and takes less.
 *
 * Uses only DPDK's inline ring code: no EAL is needed, unit tests link it as it is.
 *
 * Thread: a mailroom belongs to its thread; mailboxes are shared by all.
 */
#ifndef LINEMQ_MAIL_MAILBOX_H
#define LINEMQ_MAIL_MAILBOX_H

#include "dataplane/mail/mail.h"

struct mailboxes; /* all rings of the process */
struct mailroom;

/* `threads` at most THREADS_MAX, `slots` mails in each ring (a power of two). NULL: no memory.
 * Set-up only (heap). */
struct mailboxes *mailboxes_create(unsigned threads, unsigned slots);
void mailboxes_destroy(struct mailboxes *mailboxes);

/* How a sleeping thread is woken: set by the thread's owner before it starts. `wake(argument)` may
 * be called by any thread and only when the receiver has said that it sleeps. NULL: it never
 * sleeps. */
void mailboxes_set_wake(struct mailboxes *mailboxes, unsigned thread, void (*wake)(void *argument),
                        void *argument);

/* The desk of thread `self`. Backlogs are kept in `pool`. NULL: no memory. Set-up only. */
struct mailroom *mailroom_create(struct mailboxes *mailboxes, unsigned self, struct pool *pool);
void mailroom_destroy(struct mailroom *room);

/*
 * Sends `mail` (its `from` is filled in) to thread `to`; to itself too. False only when backlog
 * memory is exhausted: nothing was sent, the caller still holds the parcels. Room for
 * MAILROOM_RESERVE mails to each destination is set aside, and mail_pressure reports long before.
 */
bool mail_send(struct mailroom *room, unsigned to, const struct mail *mail);

/* True when the backlog of some destination in `destinations` (a bitmap of threads) is so long that
 * taking more work for it should wait. */
bool mail_pressure(const struct mailroom *room, uint32_t destinations);

/* Queues a parcel to go home: gathered, up to six in a MAIL_RELEASE. Never fails (the list is
 * threaded through the parcels themselves). */
void mail_release(struct mailroom *room, void *parcel);

/* Moves backlogs into rings, one burst a destination, and wakes receivers that sleep.
 * Returns the mails still waiting. */
unsigned mail_flush(struct mailroom *room);

/* Takes up to `max` mails, in turn from each sender, each sender's in order. Returns the number. */
unsigned mail_receive(struct mailroom *room, struct mail *mails, unsigned max);

/* Before sleeping: announces it, then says whether there is mail after all (then do not sleep).
 * mail_awake ends the announcement. Pairs with the check in mail_flush by full fences. */
bool mail_may_sleep(struct mailroom *room);
void mail_awake(struct mailroom *room);

/* Mails sent to / received from `thread` since the start; any thread may read (relaxed). */
uint64_t mail_sent(const struct mailroom *room, unsigned thread);
uint64_t mail_received(const struct mailroom *room, unsigned thread);

unsigned mailboxes_threads(const struct mailboxes *mailboxes);

enum { MAILROOM_RESERVE = 256 };

#endif
