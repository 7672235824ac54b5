/* SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBE and UNSUBSCRIBE (router.h), and the route writer's answer. Thread: router's owner. */
#ifndef LINEMQ_TOPICS_SUBSCRIBE_H
#define LINEMQ_TOPICS_SUBSCRIBE_H

#include "dataplane/topics/router.h"

/* MAIL_ROUTE_CHANGED. */
void subscribe_route_changed(struct router *router, const struct mail *mail);

/* Asks the route writer once more for those that need it. True: some are left. */
bool subscribe_turn(struct router *router);

#endif
