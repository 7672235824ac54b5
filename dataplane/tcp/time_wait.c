/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/time_wait.h"

#include "dataplane/tcp/cookie.h"
#include "dataplane/tcp/header.h"
#include "dataplane/tcp/reply.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/stack.h"

static struct time_wait *record_at(const struct tcp *tcp, ref_t ref) {
    return ref ? (struct time_wait *)arena_at(tcp->base, ref) : NULL;
}

static uint32_t ticks(uint64_t microseconds) {
    return (uint32_t)(microseconds >> TCP_FAST_SHIFT) + 1;
}

static uint32_t expiry(const struct tcp *tcp) {
    return fast_tick(tcp) + ticks((uint64_t)tcp->config.time_wait_ms * 1000);
}

static void append(struct tcp *tcp, struct time_wait *record) {
    struct time_waits *all = &tcp->time_waits;
    ref_t ref = arena_ref(tcp->base, record);
    record->next = 0;
    if (all->last)
        record_at(tcp, all->last)->next = ref;
    else
        all->first = ref;
    all->last = ref;
}

static struct time_wait *take_first(struct tcp *tcp) {
    struct time_waits *all = &tcp->time_waits;
    struct time_wait *record = record_at(tcp, all->first);
    all->first = record->next;
    if (!all->first)
        all->last = 0;
    return record;
}

/* Out of the flow table; the memory stays in the queue. */
static void forget(struct tcp *tcp, struct time_wait *record) {
    if (record->endpoint.state == TCP_STATE_CLOSED)
        return;
    flow_remove(&tcp->flow, endpoint_hash(tcp, &record->endpoint), arena_ref(tcp->base, record));
    record->endpoint.state = TCP_STATE_CLOSED;
}

static void drop_first(struct tcp *tcp) {
    struct time_wait *record = take_first(tcp);
    forget(tcp, record);
    if (record->endpoint.flags & CONN_IPV6)
        slab_free(&tcp->addresses, arena_at(tcp->base, record->endpoint.remote));
    slab_free(&tcp->records, record);
    tcp->time_waits.count--;
}

/* A record for the connection, not yet in the flow table, or NULL. */
static struct time_wait *record_new(struct tcp *tcp, const struct tcp_conn *conn) {
    if (tcp->config.time_wait_max == 0)
        return NULL;
    if (tcp->time_waits.count >= tcp->config.time_wait_max) {
        count(tcp->counters, COUNTER_TCP_TIME_WAIT_EVICTED);
        drop_first(tcp);
    }
    struct time_wait *record = slab_alloc(&tcp->records);
    if (!record)
        return NULL;
    *record = (struct time_wait){
        .endpoint = {.remote = conn->remote,
                     .remote_port = conn->remote_port,
                     .local = conn->local,
                     .state = TCP_STATE_RECORD,
                     .flags = conn->flags & (CONN_IPV6 | CONN_TIMESTAMPS)},
        .rcv_nxt = conn->rcv_nxt,
        .snd_nxt = conn->snd_nxt,
        .ts_recent = conn->ts_recent,
    };
    if (conn->flags & CONN_IPV6) {
        uint8_t *address = slab_alloc(&tcp->addresses);
        if (!address) {
            slab_free(&tcp->records, record);
            return NULL;
        }
        memcpy(address, arena_at(tcp->base, conn->remote), 16);
        record->endpoint.remote = arena_ref(tcp->base, address);
    }
    return record;
}

void time_wait_remember(struct tcp *tcp, const struct tcp_conn *conn) {
    /* Microseconds that the cookie may still be good for. */
    uint64_t age = (uint64_t)(idle_tick(tcp->now) - conn->created) << TCP_IDLE_SHIFT;
    uint64_t cookie = age < COOKIE_LIFE_US ? COOKIE_LIFE_US - age : 0;
    bool waits = conn->state == TCP_STATE_TIME_WAIT;
    if (!waits && cookie == 0)
        return;
    struct time_wait *record = record_new(tcp, conn);
    if (!record)
        return;
    tcp->time_waits.count++;
    append(tcp, record);
    record->expires = fast_tick(tcp) + ticks(cookie);
    if (waits) {
        record->expires = seq_max(record->expires, expiry(tcp));
        count(tcp->counters, COUNTER_TCP_TIME_WAITS);
    } else {
        record->endpoint.state = TCP_STATE_ENDED;
    }
    if (!flow_insert(&tcp->flow, endpoint_hash(tcp, &record->endpoint),
                     arena_ref(tcp->base, record)))
        record->endpoint.state = TCP_STATE_CLOSED;
}

/* The initial sequence number that the SYN would get: without time stamps, it must lie beyond what
 * the old connection has sent (RFC 1122 4.2.2.13). */
static uint32_t next_isn(const struct tcp *tcp, const struct tcp_segment *segment,
                         const struct tcp_header *header) {
    struct cookie_base base = cookie_base(tcp->config.secret, &segment->tuple);
    return cookie_make(tcp->config.secret, &base, header->seq, reply_mss(segment, header),
                       tcp->config.mss, tcp->now);
}

bool time_wait_input(struct tcp *tcp, struct time_wait *record, const struct tcp_segment *segment,
                     const struct tcp_header *header) {
    if (record->endpoint.state == TCP_STATE_ENDED) {
        if ((header->flags & (TCP_SYN | TCP_RST)) == TCP_SYN)
            forget(tcp, record);
        else if (!(header->flags & TCP_RST))
            reply_reset(tcp, segment, header);
        count(tcp->counters, COUNTER_TCP_DROP_ENDED);
        return header->flags & TCP_SYN;
    }
    bool timestamps = record->endpoint.flags & CONN_TIMESTAMPS && header->options.has_timestamp;

    /* A RST here would end the wait early (RFC 1337). */
    if (header->flags & TCP_RST) {
        count(tcp->counters, COUNTER_TCP_DROP_TIME_WAIT);
        return false;
    }
    if ((header->flags & (TCP_SYN | TCP_ACK | TCP_FIN)) == TCP_SYN) {
        /* RFC 6191 2: newer by its time stamp, or else by its sequence number. */
        bool newer = timestamps && header->options.tsval != record->ts_recent
                         ? seq_gt(header->options.tsval, record->ts_recent)
                         : seq_gt(header->seq, record->rcv_nxt) &&
                               seq_gt(next_isn(tcp, segment, header), record->snd_nxt);
        if (newer) {
            count(tcp->counters, COUNTER_TCP_TIME_WAIT_REUSED);
            forget(tcp, record);
            return true;
        }
    }
    /* A pure ACK in place needs no answer; a FIN again starts the wait again (3.10.7.4). */
    if (header_segment_length(header) == 0 && header->seq == record->rcv_nxt) {
        count(tcp->counters, COUNTER_TCP_DROP_TIME_WAIT);
        return false;
    }
    if (header->flags & TCP_FIN && header->seq + header->len + 1 == record->rcv_nxt) {
        record->expires = seq_max(record->expires, expiry(tcp));
        record->endpoint.spare = 1;
    }
    if (header->flags & TCP_ACK || header->flags & TCP_SYN)
        reply_time_wait(tcp, record, segment);
    count(tcp->counters, COUNTER_TCP_DROP_TIME_WAIT);
    return false;
}

bool time_wait_expire(struct tcp *tcp, unsigned *budget) {
    struct time_wait *record;
    uint32_t tick = fast_tick(tcp);
    while ((record = record_at(tcp, tcp->time_waits.first)) != NULL) {
        bool gone = record->endpoint.state == TCP_STATE_CLOSED;
        if (!gone && seq_gt(record->expires, tick) && !record->endpoint.spare)
            return false;
        if (*budget == 0)
            return true;
        --*budget;
        if (gone || seq_leq(record->expires, tick)) {
            drop_first(tcp);
            continue;
        }
        /* Its wait was started again: it must not hold up those behind it. */
        record->endpoint.spare = 0;
        take_first(tcp);
        append(tcp, record);
    }
    return false;
}

uint64_t time_wait_next(const struct tcp *tcp) {
    const struct time_wait *record = record_at(tcp, tcp->time_waits.first);
    if (!record)
        return UINT64_MAX;
    int64_t ahead = (int32_t)(record->expires - fast_tick(tcp));
    if (record->endpoint.state == TCP_STATE_CLOSED || ahead <= 0)
        return tcp->now;
    return ((tcp->now >> TCP_FAST_SHIFT) + (uint64_t)ahead) << TCP_FAST_SHIFT;
}
