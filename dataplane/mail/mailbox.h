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
 * Thread: a mailroom belongs to its thread; mailboxes are shared by all. Nothing in a mailroom is
 * written by another thread: they meet in the rings and in the flags of who sleeps.
 */
#ifndef LINEMQ_MAIL_MAILBOX_H
#define LINEMQ_MAIL_MAILBOX_H

#include "dataplane/mail/mail.h"

struct mailboxes; /* all rings of the process */
struct mailroom;

/* `threads` at most THREADS_MAX, `slots` mails in each ring (a power of two; one stays free). NULL:
 * no memory. Set-up only (heap). */
struct mailboxes *mailboxes_create(unsigned threads, unsigned slots);
void mailboxes_destroy(struct mailboxes *mailboxes);

/* How a sleeping thread is woken: set by the thread's owner before it starts. `wake(argument)` may
 * be called by any thread and only when the receiver has said that it sleeps, once for each time
 * it says so. NULL: it never sleeps, mail_may_sleep says false. */
void mailboxes_set_wake(struct mailboxes *mailboxes, unsigned thread, void (*wake)(void *argument),
                        void *argument);

/* The desk of thread `self`. Backlogs are kept in `pool`. NULL: no memory. Set-up only. */
struct mailroom *mailroom_create(struct mailboxes *mailboxes, unsigned self, struct pool *pool);
void mailroom_destroy(struct mailroom *room);

/*
 * Sends `mail` (its `from` is filled in) to thread `to`; to itself too. False only when backlog
 * memory is exhausted: nothing was sent, the caller still holds the parcels. Room for
 * MAILROOM_RESERVE mails to each destination is set aside, and mail_pressure reports at half of it:
 * while it says false, at least MAILROOM_RESERVE / 2 more are accepted whatever the memory.
 */
bool mail_send(struct mailroom *room, unsigned to, const struct mail *mail);

/* True when the backlog of some destination in `destinations` (a bitmap of threads) is so long that
 * taking more work for it should wait. */
bool mail_pressure(const struct mailroom *room, uint32_t destinations);

/* Queues a parcel to go home: gathered, up to six in a MAIL_RELEASE. Never fails (the list is
 * threaded through the parcels themselves). */
void mail_release(struct mailroom *room, void *parcel);

/* Moves backlogs into rings, one burst a destination (at most MAILROOM_RESERVE mails), and wakes
 * receivers that sleep, and senders that sleep because their rings to this thread were full.
 * Returns the mails still waiting: they need not keep the thread awake (mail_may_sleep knows). */
unsigned mail_flush(struct mailroom *room);

/* Takes up to `max` mails, in turn from each sender (equal shares, then what is left), each
 * sender's in order. Returns the number. */
unsigned mail_receive(struct mailroom *room, struct mail *mails, unsigned max);

/* Before sleeping, after mail_flush: announces it and says whether sleeping is safe: no mail has
 * arrived, and what still waits here waits for full rings. The thread is woken for mail, and by a
 * receiver that made room. False: the announcement is withdrawn, do not sleep. mail_awake ends the
 * announcement after true. Pairs with the check in mail_flush by full fences. */
bool mail_may_sleep(struct mailroom *room);
void mail_awake(struct mailroom *room);

/* Mails sent to / received from `thread` since the start, MAIL_RELEASE included; any thread may
 * read (relaxed). */
uint64_t mail_sent(const struct mailroom *room, unsigned thread);
uint64_t mail_received(const struct mailroom *room, unsigned thread);

unsigned mailboxes_threads(const struct mailboxes *mailboxes);

enum { MAILROOM_RESERVE = 1024 };

#endif
