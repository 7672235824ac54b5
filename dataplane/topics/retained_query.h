/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an arriving subscription has missed: questions to the retained stores of the shards
 * (mail.h: MAIL_RETAINED_QUERY and what follows it). A filter without wildcards is asked for where
 * its topic is stored, one with wildcards everywhere. A store sends a batch and then waits until
 * the subscriber can take the next.
 *
 * Thread: the router's owner.
 */
#ifndef LINEMQ_TOPICS_RETAINED_QUERY_H
#define LINEMQ_TOPICS_RETAINED_QUERY_H

#include "dataplane/topics/arrival.h"

/* The arrival's epoch is known: its questions go out as soon as mailboxes and memory allow. */
void retained_query_start(struct router *router, struct arrival *arrival);

/* Sends what the arrival has to send. */
void retained_query_go_on(struct router *router, struct arrival *arrival);

/* MAIL_RETAINED (the message's reference is consumed) and MAIL_RETAINED_END. */
void retained_query_mail(struct router *router, const struct mail *mail);

/* Looks after some of those that have something to send. True: some could not send it now. */
bool retained_query_turn(struct router *router);

#endif
