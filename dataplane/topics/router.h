/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A router is one thread's part in carrying messages from publishers to subscribers: its own topic
 * tables (exact table, wildcard trie, result cache), its view of the routes to other threads, and
 * the protocol by which a subscription becomes known to them. Workers have one for their clean
 * sessions, control shards for their persistent ones; whoever only publishes has one too.
 *
 *     publish in ── router_publish ──> match own tables ──> deliver callback (own subscribers)
 *                                 └──> route table ──> MAIL_PUBLISH to each thread that may match
 *     MAIL_PUBLISH ── router_mail ──> match own tables ──> deliver callback
 *
 * Epochs. The route table carries an epoch that its writer advances with every change. A thread
 * reads it once for each burst, after it has taken the burst from its NIC (router_begin), and all
 * it publishes then is stamped with it. A subscription asks the writer for its route and is
 * answered with epoch r: a message stamped r or later is routed to it for sure. Messages published
 * with RETAIN and stamped r or later reach it live; those before r come from the retained store,
 * which answers once every thread has passed r. So each reaches it once, and none is missed. A
 * message without RETAIN is delivered as soon as it arrives. SUBACK waits for r.
 *
 * Order. Messages of one publisher on one topic are delivered in the order published, whichever
 * threads they cross: mail is in order, and a fan-out too large for one turn makes later messages
 * of this router wait behind it.
 *
 * Thread: the owner only. Pure: no EAL, no clock.
 */
#ifndef LINEMQ_TOPICS_ROUTER_H
#define LINEMQ_TOPICS_ROUTER_H

#include "dataplane/base/counters.h"
#include "dataplane/mail/mailbox.h"
#include "dataplane/topics/routes.h"
#include "dataplane/topics/topic.h"

/* Who subscribes, in the owner's terms: on a worker the connection, on a shard the session. The
 * owner compares the generation on delivery and ignores what is gone. */
struct subscriber {
    uint32_t ref;
    uint32_t generation;
};

struct router;

struct router_owner {
    /* None of these may call back into the router.
     *
     * One message for one subscriber: `qos` is the lower of the message's and the subscription's;
     * `retain` the RETAIN flag to send. The callee takes its own reference if it keeps the message.
     */
    void (*deliver)(void *owner, struct subscriber to, struct message *message, uint8_t qos,
                    bool retain);
    /* All filters of a SUBSCRIBE are in force: answer it. `codes` are in the order given. */
    void (*subscribed)(void *owner, struct subscriber who, uint16_t packet_id, const uint8_t *codes,
                       unsigned count);
    /* May this subscriber take the next batch of retained messages now? (false: ask again with
     * router_retained_resume) */
    bool (*retained_ready)(void *owner, struct subscriber who);
    void *owner;
    /* What was delivered in this turn fills whatever takes it: live messages wait, in order, until
     * a later router_turn. NULL: never. */
    bool (*full)(void *owner);
};

struct router_limits {
    unsigned topic_levels;   /* of names and filters */
    unsigned visits;         /* trie nodes visited for one match, then it is cut and counted */
    unsigned fanout_slice;   /* deliveries in one turn before a fan-out is continued later */
    unsigned retained_batch; /* retained messages asked for at a time */
};

/* Set-up only. `shards`: thread numbers [first_shard, first_shard + shards) have retained stores,
 * first_shard also writes the routes. NULL: no memory. */
struct router *router_create(struct parcels *parcels, struct mailroom *mailroom,
                             struct routes *routes, unsigned first_shard, unsigned shards,
                             const struct router_limits *limits, const struct router_owner *owner,
                             struct counters *counters);
void router_destroy(struct router *router);

/* Notes the epoch. After taking packets or mail, before handling them, and in every turn before
 * anything is published, by timers too: a message must not be stamped with an epoch from before the
 * thread's last quiescent state. */
void router_begin(struct router *router);

/* What is being published. `topic` has passed topic_name_valid. */
struct publish {
    const uint8_t *topic;
    const uint8_t *payload;
    uint16_t topic_len;
    uint32_t payload_len;
    uint8_t qos;
    bool retain;
    uint8_t flags;         /* more enum message_flags for the message made */
    uint64_t wall_clock;   /* microseconds since the epoch */
    struct message *ready; /* the same, already assembled in a message of this thread's, or NULL;
                            * the router takes over this reference in every case but TRY_AGAIN */
};

/* One per connection: remembers where its last topic's result stands. Zero at the start. */
struct topic_memo {
    uint64_t topic_hash;
    uint32_t slot;
    uint32_t generation;
};

enum publish_result {
    PUBLISH_DONE,      /* handed to every subscriber (there may have been none) */
    PUBLISH_TRY_AGAIN, /* memory or a mailbox is short: nothing was done, offer it again later */
};

/* Delivers to own subscribers and sends to every thread that may have some; a retained message also
 * to the shard that stores its topic. All or nothing. `memo` may be NULL. */
enum publish_result router_publish(struct router *router, const struct publish *publish,
                                   struct topic_memo *memo);

/* True: so much waits for its turn to be delivered here that router_publish would say TRY_AGAIN.
 * Cheap; ask before taking input, and before mail_receive: mail that waits presses its senders,
 * mail that is handled nevertheless is worked off in a long turn when the queue is full. (Memory
 * and the mailboxes that a message needs are known only when it is matched.) */
bool router_pressed(const struct router *router);

/* Handles MAIL_PUBLISH (the matching part), MAIL_ROUTE_CHANGED, MAIL_RETAINED and
 * MAIL_RETAINED_END. A message's reference is consumed. */
void router_mail(struct router *router, const struct mail *mail);

struct filter {
    const uint8_t *bytes; /* has passed topic_filter_valid */
    uint16_t len;
    uint8_t qos;
    uint8_t code; /* out: return code for SUBACK (granted QoS or 0x80) */
};

/*
 * Subscribes to `count` filters at once. *head is the subscriber's list of subscriptions (0 at the
 * start), kept by the owner and changed here. A filter whose `code` is 0x80 on entry is refused and
 * only reported. A subscription to the same filter is replaced, keeping its place, and its retained
 * messages are sent again (MQTT-3.8.4-3). `owner->subscribed` is called when all are in force, or
 * before this returns if all were refused. Out of memory: code 0x80. At most 65535 filters.
 */
void router_subscribe(struct router *router, struct subscriber who, ref_t *head, uint16_t packet_id,
                      struct filter *filters, unsigned count);

/* Removes one; in force at return. False: there was none. */
bool router_unsubscribe(struct router *router, struct subscriber who, ref_t *head,
                        const uint8_t *filter, uint16_t len);

/* Removes up to `budget` subscriptions of a list whose owner goes. True when none is left. Pending
 * SUBSCRIBEs and retained queries of the subscriber are dropped. */
bool router_unsubscribe_all(struct router *router, struct subscriber who, ref_t *head,
                            unsigned budget);

/* Moves subscriptions to a new name of the same subscriber (a session that came back with another
 * generation). */
void router_rename(struct router *router, ref_t head, struct subscriber to);

/* Gives retained queries that wait for retained_ready another chance. */
void router_retained_resume(struct router *router, struct subscriber who);

/* Continues fan-outs, at most limits.fanout_slice deliveries, and what could not be sent for
 * arriving subscriptions. True when more could be done at once. Once a turn, also in a turn without
 * input: deliveries are counted from one call to the next. */
bool router_turn(struct router *router);

/* Walks a subscriber's list: the filter and QoS of *position (start with the list's head), which is
 * advanced; false at the end. For `ctl` and for moving sessions. */
bool router_list(const struct router *router, ref_t *position, struct filter *filter);

/* Calls `visit` for each subscription that matches `topic`, once a subscription. For `ctl`; does
 * not touch the caches. */
void router_match(const struct router *router, const uint8_t *topic, uint16_t len,
                  void (*visit)(void *argument, struct subscriber who, const struct filter *filter),
                  void *argument);

struct router_stats {
    uint64_t subscriptions, exact_filters, wildcard_filters, trie_nodes;
    uint64_t cache_hits, cache_misses, memo_hits;
    uint64_t bytes; /* tables and subscriptions, by size used */
};
void router_stats(const struct router *router, struct router_stats *stats); /* owner thread */

#endif
