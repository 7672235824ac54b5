/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PUBLISH: everything it needs is made sure of first, memory for the copies and room in the
 * mailboxes, then it is handed out. So it is done wholly, or put off without a trace.
 */
#include "dataplane/topics/publish.h"

#include "dataplane/topics/router_internal.h"

/* In a memo's `generation`, beside match.c's: these are routes of that epoch. */
enum { MEMO_EPOCH_MASK = (1u << 31) - 1 };

static uint32_t look_up_routes(const struct router *router, const struct topic_name *topic) {
    return routes_lookup(router->routes, topic->hash, topic_prefix_hash(topic->bytes, topic->len),
                         topic->bytes[0] == '$');
}

/* Other threads that may have subscribers. What was looked up in this epoch is still right: bits
 * that were set since belong to a later one, and one cleared since costs a mail in vain. */
static uint32_t threads_of(struct router *router, const struct topic_name *topic,
                           struct topic_memo *memo, const struct match *match) {
    uint32_t others = ~(UINT32_C(1) << router->self);
    struct cache_slot *slot = match->slot;
    if (slot) {
        if (slot->routes_epoch != router->epoch) {
            slot->threads = look_up_routes(router, topic);
            slot->routes_epoch = router->epoch;
        }
        return slot->threads & others;
    }
    uint32_t epoch = (uint32_t)router->epoch & MEMO_EPOCH_MASK;
    if (memo && memo->topic_hash == topic->hash && memo->generation == epoch) {
        router->memo_hits++;
        return memo->slot & others;
    }
    uint32_t threads = look_up_routes(router, topic);
    if (memo)
        *memo = (struct topic_memo){topic->hash, threads, epoch};
    return threads & others;
}

static struct message *assemble(struct router *router, const struct publish *publish,
                                uint64_t hash) {
    struct message *message = publish->ready;
    if (!message) {
        message = message_new(router->parcels, publish->topic_len, publish->payload_len);
        if (!message)
            return NULL;
        memcpy(message->bytes + 2, publish->topic, publish->topic_len);
        if (publish->payload_len != 0)
            memcpy(message->bytes + 2 + publish->topic_len, publish->payload, publish->payload_len);
    }
    message->topic_hash = hash;
    message->qos = publish->qos;
    message->flags = (uint8_t)(publish->flags | (publish->retain ? MESSAGE_RETAIN : 0));
    message->published = publish->wall_clock;
    return message;
}

/* `copies` of the message. False: no memory, none is left. */
static bool copy(struct router *router, const struct message *message, struct message **copies,
                 unsigned wanted) {
    for (unsigned i = 0; i < wanted; i++) {
        copies[i] = message_copy(router->parcels, message);
        if (copies[i])
            continue;
        while (i-- > 0)
            parcel_release(router->parcels, copies[i]);
        return false;
    }
    return true;
}

static void send(struct router *router, struct message **messages, uint32_t matching,
                 uint32_t storing) {
    for (uint32_t todo = matching | storing; todo != 0; todo &= todo - 1) {
        uint32_t bit = todo & -todo;
        struct mail mail = {
            .type = MAIL_PUBLISH,
            .flags = (uint8_t)((matching & bit ? MAIL_PUBLISH_MATCH : 0) |
                               (storing & bit ? MAIL_PUBLISH_STORE : 0)),
            .publish = {.message = *messages++, .epoch = router->epoch},
        };
        if (matching & bit)
            count(router->counters, COUNTER_TOPICS_MAIL_PUBLISH);
        if (storing & bit)
            count(router->counters, COUNTER_TOPICS_MAIL_STORE);
        if (!mail_send(router->mailroom, (unsigned)__builtin_ctz(todo), &mail)) {
            /* The mailbox had said that there is room. */
            count(router->counters, COUNTER_TOPICS_MAIL_REFUSED);
            parcel_release(router->parcels, mail.publish.message);
        }
    }
}

static enum publish_result put_off(struct router *router) {
    count(router->counters, COUNTER_TOPICS_PUT_OFF);
    return PUBLISH_TRY_AGAIN;
}

enum publish_result router_publish(struct router *router, const struct publish *publish,
                                   struct topic_memo *memo) {
    if (fanouts_pressed(&router->fanouts))
        return put_off(router);
    struct topic_name topic = {publish->topic, publish->topic_len,
                               topic_hash(publish->topic, publish->topic_len)};
    /* Own tables and routes are out of cache when there are millions: the misses overlap. */
    if (!memo || memo->topic_hash != topic.hash)
        routes_prefetch(router->routes, topic.hash);
    struct match match;
    match_topic(router, &topic, router_careful(router, publish->retain, router->epoch), memo,
                &match);
    uint32_t matching = threads_of(router, &topic, memo, &match);
    uint32_t storing = 0;
    if (publish->retain)
        storing = UINT32_C(1) << (router->first_shard + router_shard_of(router, topic.hash));
    uint32_t to = matching | storing;
    bool local = match_wanted(&router->cache, &match);
    if (!local && to == 0) {
        count(router->counters, COUNTER_TOPICS_NOBODY);
        if (publish->ready)
            parcel_release(router->parcels, publish->ready);
        return PUBLISH_DONE;
    }

    if (to != 0 && mail_pressure(router->mailroom, to))
        return put_off(router);
    struct message *message = assemble(router, publish, topic.hash);
    if (!message)
        return put_off(router);
    /* A message has one holder. Without a use for it here, the last of the others gets it. */
    unsigned others = (unsigned)__builtin_popcount(to);
    bool give = !local && message->parcel.refs == 1;
    struct message *messages[THREADS_MAX];
    if (!copy(router, message, messages, give ? others - 1 : others)) {
        if (!publish->ready)
            parcel_release(router->parcels, message);
        return put_off(router);
    }
    if (give)
        messages[others - 1] = message;

    send(router, messages, matching, storing);
    if (local)
        fanout_local(router, message, router->epoch, &match);
    else if (match.keep)
        cache_put(&router->cache, topic.bytes, topic.len, topic.hash, NULL, 0);
    if (!give)
        parcel_release(router->parcels, message);
    return PUBLISH_DONE;
}

void publish_arrived(struct router *router, const struct mail *mail) {
    struct message *message = mail->publish.message;
    uint64_t epoch = mail->publish.epoch;
    struct topic_name topic = {message_topic(message), message->topic_len, message->topic_hash};
    struct match match;
    if (fanouts_busy(&router->fanouts)) {
        /* It is matched when its turn comes. */
        fanout_queue(router, message, epoch);
    } else {
        match_topic(router, &topic, router_careful(router, message->flags & MESSAGE_RETAIN, epoch),
                    NULL, &match);
        if (match_wanted(&router->cache, &match))
            fanout_local(router, message, epoch, &match);
        else
            count(router->counters, COUNTER_TOPICS_MAIL_IN_VAIN);
        if (!match.slot && match.count == 0 && match.keep)
            cache_put(&router->cache, topic.bytes, topic.len, topic.hash, NULL, 0);
    }
    parcel_release(router->parcels, message);
}
