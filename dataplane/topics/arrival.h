/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscriptions that are arriving, and the SUBSCRIBEs that brought them.
 *
 *   routing    its SUBSCRIBE waits for the route writer: the epoch it is in force from is unknown
 *   retained   the stores are being asked for what was published before that epoch
 *
 * Meanwhile a message with RETAIN may have to wait (it is held): while routing, because the store
 * may send it too; then, because an older one of its topic may be on its way from the store. A
 * subscription that replaces another is in force as before while it arrives again.
 *
 * More may come than can be held. While routing, the oldest held message with RETAIN is left to the
 * stores then: the subscription comes into force after its epoch, and if the route writer's answer
 * is not as young as that, the writer is asked once more before the SUBACK. Later all that is held
 * is delivered, and what a store still sends of those topics is older and dropped (overtaken.h).
 * Only beyond the bounds of that can a retained message come after a live one of its topic; a
 * counter tells (topics.held_misordered). Holding back publishers instead would not help: what
 * comes by mail has been accepted, and the stores' answers come behind it.
 *
 * A SUBSCRIBE and an arrival are known to other threads by a number, `operation` in mail.
 *
 * Thread: the router's owner.
 */
#ifndef LINEMQ_TOPICS_ARRIVAL_H
#define LINEMQ_TOPICS_ARRIVAL_H

#include "dataplane/topics/overtaken.h"
#include "dataplane/topics/reftable.h"
#include "dataplane/topics/subscription.h"

enum {
    ARRIVAL_HELD_MAX = 64,          /* messages held for one arrival */
    ARRIVALS_HELD_MAX = 16384,      /* for all of a router's */
    ARRIVALS_OVERTAKEN_MAX = 65536, /* topics known as overtaken, for all of a router's */
    ARRIVALS_TURN = 32,             /* arrivals looked after in one turn */

    /* What all arrivals of one subscriber may have of these. Subscribers are counted in classes by
     * hash of their ref, so a few may have to share. */
    SHARES = 1024,
    SHARE_HELD_MAX = 512,
    SHARE_OVERTAKEN_MAX = 4096,
};

enum ticket_kind { TICKET_SUBSCRIBE, TICKET_ARRIVAL };

/* What both have in common. */
struct ticket {
    uint32_t operation;
    uint8_t kind; /* enum ticket_kind */
    struct subscriber who;
};

/* A SUBSCRIBE that waits for the route writer. */
struct subscribing {
    struct ticket ticket;
    uint16_t packet_id;
    uint32_t count;
    ref_t first, last; /* its arrivals */
    ref_t ask_next;
    bool asking; /* in the list of those that must ask the route writer once more */
    uint8_t codes[];
};

struct held {
    struct message *message; /* a reference */
    uint64_t epoch;
    ref_t next;
};

struct arrival {
    struct ticket ticket;
    ref_t subscription;   /* 0: it is gone; kept until the stores have ended */
    ref_t subscribing;    /* while routing, else 0 */
    ref_t next, previous; /* of the same SUBSCRIBE */
    uint64_t from;        /* live from this epoch on, by the subscription replaced; or UINT64_MAX */
    uint64_t epoch;       /* in force from here on; 0 until it is known */
    uint64_t quiescent;   /* RCU token of `epoch` or a later one */
    uint64_t lost;        /* `epoch` must not be before this: what was younger is still held */
    struct overtaken overtaken;
    /* Shards, by bit: query not sent yet; sent and not ended; its batch has come, MORE is due. */
    uint32_t unsent, open, due;
    uint32_t held_shards; /* of the topics of held messages */
    ref_t held_first, held_last;
    uint16_t held;
    uint16_t stores;     /* queried: 1 or all */
    bool first;          /* its filter brought a new route key ... */
    bool routed;         /* ... and the route writer was told */
    bool again;          /* subscribed to again meanwhile: ask the stores once more */
    bool listed;         /* in the list of those that have something to send */
    ref_t later, sooner; /* that list */
    uint16_t received[]; /* messages of the current batch, by shard */
};

struct arrivals {
    struct topic_memory *memory;
    struct reftable by_operation, by_subscriber; /* tickets */
    uint32_t operation;                          /* last number given out */
    ref_t list_first, list_last;
    uint64_t count;     /* arrivals whose subscription exists */
    uint64_t held;      /* messages */
    uint64_t overtaken; /* topics */
    ref_t ask_first;    /* SUBSCRIBEs */
    struct share {
        uint32_t held, overtaken;
    } shares[SHARES]; /* by subscriber */
};

struct router;

void arrivals_init(struct arrivals *arrivals, struct topic_memory *memory);
void arrivals_free(struct router *router); /* drops what there is, without mail */

/* NULL: no memory. */
struct subscribing *subscribing_new(struct arrivals *arrivals, struct subscriber who,
                                    uint16_t packet_id, uint32_t count);
void subscribing_free(struct arrivals *arrivals, struct subscribing *subscribing);
struct subscribing *subscribing_find(const struct arrivals *arrivals, uint32_t operation);

/* Makes `subscription` an arriving one, part of `subscribing`. NULL: no memory. */
struct arrival *arrival_new(struct router *router, struct subscribing *subscribing,
                            struct subscription *subscription, uint64_t from);
void arrival_free(struct router *router, struct arrival *arrival);
struct arrival *arrival_find(const struct arrivals *arrivals, uint32_t operation);
struct arrival *arrival_of(const struct arrivals *arrivals,
                           const struct subscription *subscription);

/* Its subscription goes. Held messages are dropped. */
void arrival_abandon(struct router *router, struct arrival *arrival);

/* All tickets of a subscriber in turn; *probe starts zeroed. NULL at the end. */
struct ticket *ticket_next_of(const struct arrivals *arrivals, struct subscriber who,
                              struct reftable_probe *probe);
void ticket_rename(struct arrivals *arrivals, struct ticket *ticket, struct subscriber to);

enum verdict { VERDICT_NO, VERDICT_DELIVER, VERDICT_HOLD };

/* What happens to a message of `epoch` whose topic is stored with shard number `shard`. */
enum verdict arrival_verdict(const struct arrival *arrival, bool retain, uint64_t epoch,
                             uint32_t shard);

/* Keeps a message back; or, where that is not needed or not possible, delivers it or leaves it to
 * the stores. */
void arrival_hold(struct router *router, struct arrival *arrival, struct message *message,
                  uint64_t epoch);

/* Delivers what is held of the topics of `shards`, in order. */
void arrival_let_go(struct router *router, struct arrival *arrival, uint32_t shards);

/* Is what a store has sent of this topic older than what was delivered? */
bool arrival_overtaken(const struct router *router, const struct arrival *arrival,
                       uint64_t topic_hash);

/* The route has been there since `epoch`: settles arrival->epoch, which may be a later one that the
 * writer has to be asked for, and drops held messages that the stores have. */
void arrival_routed(struct router *router, struct arrival *arrival, uint64_t epoch);

/* Routing is over: takes it out of its SUBSCRIBE. */
void arrival_answered(struct router *router, struct arrival *arrival, uint64_t quiescent);

/* SUBSCRIBEs that must ask the route writer once more. */
void subscribing_ask(struct arrivals *arrivals, struct subscribing *subscribing);
struct subscribing *subscribing_first_to_ask(const struct arrivals *arrivals);
void subscribing_asked(struct arrivals *arrivals, struct subscribing *subscribing);

/* The list of those that have something to send. */
void arrival_list(struct arrivals *arrivals, struct arrival *arrival);
void arrival_unlist(struct arrivals *arrivals, struct arrival *arrival);

static inline bool arrival_urgent(const struct arrival *arrival) {
    return arrival->unsent != 0 || (arrival->due != 0 && arrival->subscription == 0);
}

#endif
