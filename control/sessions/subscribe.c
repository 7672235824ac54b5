/* SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBE and UNSUBSCRIBE of persistent sessions (OASIS MQTT 3.1.1, 3.8 to 3.11). */
#include <stdlib.h>
#include <string.h>

#include "control/sessions/session.h"
#include "control/sessions/state.h"

enum {
    ENTRY_HEADER = 3, /* QoS, length */
    REFUSED = 0x80,
    CODES_IN_MAIL = sizeof((struct mail){0}).subscribe.codes,
};

/* The filters of a request, in an array from the heap. NULL: no memory, or the request is not
 * whole. */
static struct filter *read_filters(const struct subscribe_request *request) {
    struct filter *filters = calloc(request->count > 0 ? request->count : 1, sizeof *filters);
    const uint8_t *at = request->bytes, *end = at + request->len;
    for (unsigned i = 0; filters != NULL && i < request->count; i++) {
        if (end - at < ENTRY_HEADER || end - at - ENTRY_HEADER < load_be16(at + 1)) {
            free(filters);
            return NULL;
        }
        filters[i] = (struct filter){.bytes = at + ENTRY_HEADER,
                                     .len = load_be16(at + 1),
                                     .qos = at[0],
                                     .code = at[0] == REFUSED ? REFUSED : 0};
        at += ENTRY_HEADER + filters[i].len;
    }
    return filters;
}

/* Answers; takes over the request. With more codes than a mail holds they travel in the request's
 * QoS fields. */
static void send_suback(struct shard *shard, const struct subscribe_pending *to,
                        const uint8_t *codes, unsigned count, uint32_t session) {
    struct mail mail = {.type = MAIL_SUBACK,
                        .conn = to->conn,
                        .generation = to->generation,
                        .session = session,
                        .subscribe = {.packet_id = to->packet_id, .count = (uint16_t)count}};
    if (count <= CODES_IN_MAIL) {
        memcpy(mail.subscribe.codes, codes, count);
        parcel_release(&shard->parcels, to->request);
    } else {
        uint8_t *at = to->request->bytes;
        for (unsigned i = 0; i < count; i++) {
            at[0] = codes[i];
            at += ENTRY_HEADER + load_be16(at + 1);
        }
        mail.subscribe.filters = &to->request->parcel;
    }
    shard_send(shard, to->worker, &mail);
}

void shard_subscribed(void *owner, struct subscriber who, uint16_t packet_id, const uint8_t *codes,
                      unsigned count) {
    struct shard *shard = owner;
    struct session *session = session_of(shard, who);
    if (session == NULL)
        return;
    for (ref_t *link = &session->pending; *link != 0;) {
        struct subscribe_pending *pending = arena_at(shard->pool.base, *link);
        if (pending->packet_id == packet_id && pending->request->count == count) {
            *link = pending->next;
            send_suback(shard, pending, codes, count, session->client);
            slab_free(&shard->sessions.requests, pending);
            return;
        }
        link = &pending->next;
    }
}

void subscribe_pending_drop(struct shard *shard, struct session *session) {
    while (session->pending != 0) {
        struct subscribe_pending *pending = arena_at(shard->pool.base, session->pending);
        session->pending = pending->next;
        parcel_release(&shard->parcels, pending->request);
        slab_free(&shard->sessions.requests, pending);
    }
}

/* The hashes of a session's filters, to see at once which of many it has. */
struct known {
    uint64_t *hashes; /* 0: empty; heap */
    size_t mask;
    uint32_t count;
};

static bool know(struct known *known, uint64_t hash, bool add) {
    size_t i = hash & known->mask;
    hash |= 1; /* not 0 */
    while (known->hashes[i] != 0 && known->hashes[i] != hash)
        i = (i + 1) & known->mask;
    if (known->hashes[i] == hash)
        return true;
    if (add) {
        known->hashes[i] = hash;
        known->count++;
    }
    return false;
}

/* Room for `extra` more than the session has. False: no memory. */
static bool know_filters(struct shard *shard, const struct session *session, uint32_t extra,
                         struct known *known) {
    size_t size = 16;
    while (size < 2 * ((size_t)session->subscribed + extra))
        size *= 2;
    *known = (struct known){.hashes = calloc(size, sizeof(uint64_t)), .mask = size - 1};
    ref_t position = session->subscriptions;
    struct filter filter;
    while (known->hashes != NULL && router_list(shard->router, &position, &filter))
        know(known, topic_hash(filter.bytes, filter.len), true);
    return known->hashes != NULL;
}

/*
 * Refuses what would be above the limit; a filter that is only replaced is not. `subscribed` counts
 * up by every filter, so it is exact only after the walk that it leads to here.
 */
static void limit_filters(struct shard *shard, struct session *session, struct filter *filters,
                          unsigned count_) {
    uint32_t limit = shard->registry->config->mqtt.subscriptions;
    uint32_t most = limit;
    if (limit > SHORT_SUBSCRIPTIONS && shard_short(shard, SHORT_PART))
        most = SHORT_SUBSCRIPTIONS;
    if (count_ <= most && session->subscribed <= most - count_) {
        session->subscribed += count_;
        return;
    }
    /* No more than `most` are added, whatever is asked for. */
    struct known known;
    bool good = know_filters(shard, session, most, &known);
    for (unsigned i = 0; i < count_; i++) {
        if (filters[i].code == REFUSED)
            continue;
        uint64_t hash = topic_hash(filters[i].bytes, filters[i].len);
        if (good && (know(&known, hash, false) || known.count < most)) {
            know(&known, hash, true);
        } else {
            filters[i].code = REFUSED;
            count(&shard->counters, most < limit ? COUNTER_CONTROL_SUBSCRIBE_NO_MEMORY
                                                 : COUNTER_CONTROL_SUBSCRIPTIONS_LIMIT);
        }
    }
    if (good)
        session->subscribed = known.count;
    free(known.hashes);
}

static void refuse_all(struct shard *shard, const struct subscribe_pending *to, uint32_t session) {
    unsigned entries = to->request->count;
    uint8_t *codes = malloc(entries > 0 ? entries : 1);
    if (codes == NULL) {
        parcel_release(&shard->parcels, to->request);
        return; /* the client asks again when it gets no answer */
    }
    memset(codes, REFUSED, entries);
    count_add(&shard->counters, COUNTER_CONTROL_SUBSCRIBE_NO_MEMORY, entries);
    send_suback(shard, to, codes, entries, session);
    free(codes);
}

void subscribe_mail(struct shard *shard, const struct mail *mail) {
    struct subscribe_request *request = (struct subscribe_request *)mail->subscribe.filters;
    struct session *session = mail_session(shard, mail);
    if (session == NULL) {
        parcel_release(&shard->parcels, request);
        return;
    }
    struct subscribe_pending asked = {.conn = mail->conn,
                                      .generation = mail->generation,
                                      .packet_id = mail->subscribe.packet_id,
                                      .worker = mail->from,
                                      .request = request};
    struct filter *filters = read_filters(request);
    struct subscribe_pending *pending =
        filters != NULL ? slab_alloc(&shard->sessions.requests) : NULL;
    if (pending == NULL) {
        free(filters);
        refuse_all(shard, &asked, session->client);
        return;
    }
    *pending = asked;
    ref_t *link = &session->pending;
    while (*link != 0)
        link = &((struct subscribe_pending *)arena_at(shard->pool.base, *link))->next;
    *link = arena_ref(shard->pool.base, pending);
    limit_filters(shard, session, filters, request->count);
    router_subscribe(shard->router, session_name(shard, session), &session->subscriptions,
                     pending->packet_id, filters, request->count);
    free(filters);
}

void unsubscribe_mail(struct shard *shard, const struct mail *mail) {
    struct subscribe_request *request = (struct subscribe_request *)mail->subscribe.filters;
    struct session *session = mail_session(shard, mail);
    if (session != NULL) {
        const uint8_t *at = request->bytes, *end = at + request->len;
        for (unsigned i = 0; i < request->count && end - at >= ENTRY_HEADER; i++) {
            uint16_t len = load_be16(at + 1);
            if (end - at - ENTRY_HEADER < len)
                break;
            if (router_unsubscribe(shard->router, session_name(shard, session),
                                   &session->subscriptions, at + ENTRY_HEADER, len) &&
                session->subscribed > 0)
                session->subscribed--;
            at += ENTRY_HEADER + len;
        }
        struct mail answer = {.type = MAIL_UNSUBACK,
                              .conn = mail->conn,
                              .generation = mail->generation,
                              .session = mail->session,
                              .subscribe = {.packet_id = mail->subscribe.packet_id}};
        shard_send(shard, mail->from, &answer);
    }
    parcel_release(&shard->parcels, request);
}
