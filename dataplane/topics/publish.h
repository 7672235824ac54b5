/* SPDX-License-Identifier: Apache-2.0 */
/* PUBLISH (router.h), and what other threads publish. Thread: the router's owner. */
#ifndef LINEMQ_TOPICS_PUBLISH_H
#define LINEMQ_TOPICS_PUBLISH_H

#include "dataplane/topics/router.h"

/* MAIL_PUBLISH with MAIL_PUBLISH_MATCH. The message's reference is consumed. */
void publish_arrived(struct router *router, const struct mail *mail);

#endif
