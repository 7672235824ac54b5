/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/client.h"

#include <stdlib.h>

#include "dataplane/base/bytes.h"
#include "dataplane/tcp/header.h"
#include "dataplane/tcp/seq.h"
#include "tests/sim/stream.h"

enum { RTO_FIRST = 500000, RTO_MAX = 8000000, CWND_FIRST = 10, CWND_MAX = 40 };

static uint32_t clock_of(const struct sim_client *client, uint64_t now) {
    return (uint32_t)(now / 1000 +
                      (uint64_t)((int64_t)(now / 1000) * client->plan.drift / 1000000) +
                      client->plan.clock);
}

static uint32_t unread(const struct sim_client *client) {
    return client->rcv_nxt - client->fin_seen - client->irs - 1 - (uint32_t)client->read;
}

/* The right edge never goes back, and moves in steps worth sending. */
static uint32_t window(struct sim_client *client) {
    uint32_t edge = client->rcv_nxt + client->plan.window - unread(client);
    uint32_t step =
        client->plan.window / 2 < client->plan.mss ? client->plan.window / 2 : client->plan.mss;
    if (seq_geq(edge, client->rcv_adv + step))
        client->rcv_adv = edge;
    return client->rcv_adv - client->rcv_nxt;
}

static void send(struct sim_client *client, uint8_t flags, uint32_t seq, uint32_t len,
                 uint64_t now) {
    uint8_t bytes[PIPE_FRAME_MAX];
    size_t at = 20;
    if (flags & TCP_SYN) {
        bytes[at++] = TCP_OPTION_MSS;
        bytes[at++] = 4;
        store_be16(bytes + at, client->plan.mss);
        at += 2;
        if (client->plan.sack) {
            const uint8_t sack[4] = {1, 1, TCP_OPTION_SACK_PERMITTED, 2};
            memcpy(bytes + at, sack, 4);
            at += 4;
        }
        if (client->plan.wscale >= 0) {
            const uint8_t scale[4] = {1, TCP_OPTION_WSCALE, 3, (uint8_t)client->plan.wscale};
            memcpy(bytes + at, scale, 4);
            at += 4;
        }
    }
    if (flags & TCP_SYN ? client->plan.timestamps : client->timestamps)
        at += tcp_options_put_timestamp(bytes + at, clock_of(client, now), client->ts_recent);
    if (client->sack && len == 0 && (client->has_twice || client->ranges_count)) {
        struct tcp_sack_block blocks[TCP_SACK_BLOCKS_MAX];
        unsigned count = 0;
        if (client->has_twice)
            blocks[count++] = client->twice;
        for (unsigned i = 0; i < client->ranges_count && count < TCP_SACK_BLOCKS_MAX; i++)
            blocks[count++] = client->ranges[i];
        client->has_twice = false;
        at += tcp_options_put_sack(bytes + at, blocks, count);
    }
    client->ack_at = 0;
    uint32_t wnd = window(client);
    if (!(flags & TCP_SYN) && client->shift >= 0 && client->plan.wscale > 0)
        wnd >>= client->plan.wscale;
    if (wnd > UINT16_MAX)
        wnd = UINT16_MAX;
    header_write(bytes, &client->tuple, seq, flags & TCP_ACK ? client->rcv_nxt : 0, flags,
                 (uint16_t)wnd, at - 20);
    store_be16(bytes, client->tuple.remote_port);
    store_be16(bytes + 2, client->tuple.local_port);
    for (uint32_t i = 0; i < len; i++)
        bytes[at + i] = stream_to_broker(client->number, seq + i - client->iss - 1);
    pipe_send(client->pipe, PIPE_TO_SERVER, client->number, bytes, (uint32_t)at + len, now);
}

static void send_ack(struct sim_client *client, uint64_t now) {
    send(client, TCP_ACK, client->snd_max, 0, now);
}

static bool wants_fin(const struct sim_client *client) {
    return client->plan.close_first || client->fin_seen;
}

static uint32_t data_end(const struct sim_client *client) {
    return client->iss + 1 + client->plan.to_send;
}

static void output(struct sim_client *client, uint64_t now) {
    if (client->state != CLIENT_OPEN)
        return;
    uint32_t mss = client->plan.mss - (client->timestamps ? 12u : 0u);
    uint32_t limit = client->cwnd * mss;
    if (client->snd_wnd < limit)
        limit = client->snd_wnd;
    for (;;) {
        uint32_t flight = client->snd_nxt - client->snd_una;
        uint32_t room = limit > flight ? limit - flight : 0;
        uint32_t len =
            seq_lt(client->snd_nxt, data_end(client)) ? data_end(client) - client->snd_nxt : 0;
        if (len > mss)
            len = mss;
        if (len > room)
            len = room;
        bool fin = wants_fin(client) && client->snd_nxt + len == data_end(client);
        if (len == 0 && !fin)
            break;
        if (seq_lt(client->snd_nxt, client->snd_max))
            client->retransmissions++;
        send(client, (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0) | (len ? TCP_PSH : 0)),
             client->snd_nxt, len, now);
        client->snd_nxt += len + fin;
        client->fin_sent |= fin;
        client->snd_max = seq_max(client->snd_max, client->snd_nxt);
        if (!client->rto_at)
            client->rto_at = now + client->rto;
        if (fin)
            break;
    }
    /* Blocked by a closed window: the timer probes. */
    if (client->snd_una == client->snd_max && seq_lt(client->snd_una, data_end(client)) &&
        !client->rto_at)
        client->rto_at = now + client->rto;
}

static void timeout(struct sim_client *client, uint64_t now) {
    client->rto_at = 0;
    client->rto = client->rto * 2 < RTO_MAX ? client->rto * 2 : RTO_MAX;
    if (client->state == CLIENT_SYN_SENT) {
        send(client, TCP_SYN, client->iss, 0, now);
        client->rto_at = now + client->rto;
        return;
    }
    if (client->snd_wnd == 0 && seq_lt(client->snd_una, data_end(client))) {
        send(client, TCP_ACK, client->snd_una, 1, now);
        client->snd_max = seq_max(client->snd_max, client->snd_una + 1);
        client->snd_nxt = client->snd_una;
        client->rto_at = now + client->rto;
        return;
    }
    client->cwnd = 2;
    client->duplicates = 0;
    client->snd_nxt = client->snd_una;
    output(client, now);
}

static void read_some(struct sim_client *client, uint64_t now) {
    uint32_t take = unread(client);
    if (client->plan.read_every && take > client->plan.read_max)
        take = client->plan.read_max;
    for (uint32_t i = 0; i < take; i++) {
        uint32_t at = (uint32_t)(client->read % CLIENT_BUFFER);
        client->wrong_bytes += client->data[at] != stream_to_client(client->number, client->read);
        client->read++;
    }
    client->read_at = client->plan.read_every ? now + client->plan.read_every : 0;
    uint32_t edge = client->rcv_nxt + client->plan.window - unread(client);
    /* A window update when it is worth one. */
    if (take && edge - client->rcv_adv >= client->plan.window / 2 &&
        client->rcv_adv - client->rcv_nxt < client->plan.window / 2)
        send_ack(client, now);
}

/* [left, right) is out of order: in front of the ranges, with what touches it. */
static void add_range(struct sim_client *client, uint32_t left, uint32_t right) {
    struct tcp_sack_block kept[CLIENT_RANGES + 1];
    unsigned count = 1;
    for (unsigned i = 0; i < client->ranges_count; i++) {
        struct tcp_sack_block range = client->ranges[i];
        if (seq_leq(range.left, right) && seq_geq(range.right, left)) {
            left = seq_lt(range.left, left) ? range.left : left;
            right = seq_max(range.right, right);
        } else {
            kept[count++] = range;
        }
    }
    kept[0] = (struct tcp_sack_block){left, right};
    client->ranges_count = count < CLIENT_RANGES ? count : CLIENT_RANGES;
    memcpy(client->ranges, kept, client->ranges_count * sizeof kept[0]);
}

static void drop_ranges(struct sim_client *client) {
    unsigned count = 0;
    for (unsigned i = 0; i < client->ranges_count; i++)
        if (seq_gt(client->ranges[i].left, client->rcv_nxt))
            client->ranges[count++] = client->ranges[i];
    client->ranges_count = count;
}

/* It may: SACK is advice (RFC 2018 8). */
static void renege(struct sim_client *client) {
    memset(client->here, 0, sizeof client->here);
    client->ranges_count = 0;
}

static void note_segment(struct sim_client *client, const struct tcp_header *header) {
    uint32_t left = header->seq, right = header->seq + header->len;
    uint32_t at = (left - client->irs - 1) % CLIENT_BUFFER;
    if (header->len == 0)
        return;
    if (seq_lt(left, client->rcv_nxt)) {
        client->twice.left = left;
        client->twice.right = seq_lt(right, client->rcv_nxt) ? right : client->rcv_nxt;
        client->has_twice = true;
        return;
    }
    if (left == client->rcv_nxt)
        return;
    if (client->here[at]) {
        client->twice = (struct tcp_sack_block){left, right};
        client->has_twice = true;
    }
    if (seq_leq(right, client->rcv_adv))
        add_range(client, left, right);
}

static void take_text(struct sim_client *client, const struct tcp_header *header, uint64_t now) {
    if (header->len == 0 && !(header->flags & TCP_FIN))
        return;
    if (client->plan.reneges && sim_chance(client->pipe->random, client->plan.reneges))
        renege(client);
    bool in_order = header->seq == client->rcv_nxt && client->ranges_count == 0;
    note_segment(client, header);
    for (uint32_t i = 0; i < header->len; i++) {
        uint32_t seq = header->seq + i;
        if (!seq_within(seq, client->rcv_nxt, client->rcv_adv - client->rcv_nxt))
            continue;
        uint32_t at = (seq - client->irs - 1) % CLIENT_BUFFER;
        client->data[at] = header->payload[i];
        client->here[at] = 1;
    }
    if (header->flags & TCP_FIN) {
        client->fin_at = header->seq + header->len;
        client->fin_known = true;
    }
    for (;;) {
        uint32_t at = (client->rcv_nxt - client->irs - 1) % CLIENT_BUFFER;
        if (client->fin_seen || !client->here[at])
            break;
        client->here[at] = 0;
        client->rcv_nxt++;
    }
    if (client->fin_known && !client->fin_seen && client->rcv_nxt == client->fin_at) {
        client->rcv_nxt++;
        client->fin_seen = true;
    }
    drop_ranges(client);
    if (!client->plan.read_every)
        read_some(client, now);
    if (client->plan.ack_delay && in_order && !client->fin_seen && !client->ack_at)
        client->ack_at = now + client->plan.ack_delay;
    else
        send_ack(client, now);
}

static void established(struct sim_client *client, const struct tcp_header *header, uint64_t now) {
    client->irs = header->seq;
    client->rcv_nxt = client->rcv_adv = header->seq + 1;
    client->timestamps = client->plan.timestamps && header->options.has_timestamp;
    client->sack = client->plan.sack && header->options.sack_permitted;
    client->shift = header->options.has_wscale ? header->options.wscale : -1;
    if (client->shift < 0)
        client->plan.wscale = -1;
    client->snd_una = client->snd_nxt = client->snd_max = client->iss + 1;
    client->snd_wnd = header->wnd;
    client->snd_wl1 = header->seq;
    client->snd_wl2 = header->ack;
    client->state = CLIENT_OPEN;
    client->rto = RTO_FIRST;
    client->rto_at = 0;
    client->ts_recent = header->options.tsval;
    if (client->plan.read_every)
        client->read_at = now + client->plan.read_every;
    send_ack(client, now);
    output(client, now);
}

void client_input(struct sim_client *client, const uint8_t *bytes, uint32_t len, uint64_t now) {
    struct tcp_segment segment = {.header = bytes, .len = len};
    struct tcp_header header;
    if (!header_parse(&header, &segment))
        abort();
    if (header.flags & TCP_RST) {
        /* In TIME-WAIT it is ignored (RFC 1337), and where that is CLOSED it is no news. */
        if (client->fin_acked && client->fin_seen)
            return;
        client->state = CLIENT_RESET;
        client->rto_at = 0;
        return;
    }
    if (client->state == CLIENT_SYN_SENT) {
        if ((header.flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) &&
            header.ack == client->iss + 1)
            established(client, &header, now);
        return;
    }
    if (client->state != CLIENT_OPEN)
        return;
    if (header.flags & TCP_SYN) {
        /* A second SYN-ACK: the cookie may differ, ours is the first. */
        send_ack(client, now);
        return;
    }
    uint32_t length = header_segment_length(&header);
    uint32_t wnd = client->rcv_adv - client->rcv_nxt;
    bool fits = length == 0 ? (wnd ? seq_within(header.seq, client->rcv_nxt, wnd)
                                   : header.seq == client->rcv_nxt)
                            : seq_within(header.seq, client->rcv_nxt, wnd) ||
                                  seq_within(header.seq + length - 1, client->rcv_nxt, wnd);
    if (!fits) {
        if (header.len && seq_leq(header.seq + header.len, client->rcv_nxt))
            note_segment(client, &header);
        if (length || header.seq != client->rcv_nxt)
            send_ack(client, now);
        return;
    }
    if (header.options.has_timestamp && seq_leq(header.seq, client->rcv_nxt) &&
        seq_geq(header.options.tsval, client->ts_recent))
        client->ts_recent = header.options.tsval;
    if (seq_gt(header.ack, client->snd_max))
        abort(); /* the broker acknowledged what was never sent */
    if (seq_geq(header.ack, client->snd_una)) {
        uint32_t theirs = (uint32_t)header.wnd << (client->shift > 0 ? client->shift : 0);
        bool same = theirs == client->snd_wnd;
        if (seq_lt(client->snd_wl1, header.seq) ||
            (client->snd_wl1 == header.seq && seq_leq(client->snd_wl2, header.ack))) {
            if (client->snd_wnd == 0 && header.wnd && client->snd_una != client->snd_max) {
                client->snd_nxt = header.ack;
                client->rto_at = now + RTO_FIRST;
            }
            client->snd_wnd = theirs;
            client->snd_wl1 = header.seq;
            client->snd_wl2 = header.ack;
        }
        if (header.ack != client->snd_una) {
            client->snd_una = header.ack;
            if (seq_lt(client->snd_nxt, client->snd_una))
                client->snd_nxt = client->snd_una;
            client->duplicates = 0;
            client->rto = RTO_FIRST;
            client->rto_at = client->snd_una == client->snd_max ? 0 : now + client->rto;
            if (client->cwnd < CWND_MAX)
                client->cwnd++;
        } else if (length == 0 && same && client->snd_una != client->snd_max &&
                   ++client->duplicates == 3) {
            uint32_t mss = client->plan.mss - 12u;
            uint32_t rest = client->snd_max - client->snd_una - client->fin_sent;
            if (rest && seq_lt(client->snd_una, data_end(client))) {
                send(client, TCP_ACK, client->snd_una, rest < mss ? rest : mss, now);
                client->retransmissions++;
            }
        }
        client->fin_acked = client->fin_sent && client->snd_una == data_end(client) + 1;
    }
    take_text(client, &header, now);
    output(client, now);
}

void client_open(struct sim_client *client, uint32_t number, const struct client_plan *plan,
                 struct pipe *pipe, uint32_t iss, uint64_t now) {
    memset(client, 0, sizeof *client);
    client->number = number;
    client->plan = *plan;
    client->pipe = pipe;
    client->iss = iss;
    client->rto = RTO_FIRST;
    client->cwnd = CWND_FIRST;
    client->shift = -1;
    uint8_t remote[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 0, 2};
    uint8_t local[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 0, 1};
    memcpy(client->tuple.remote, remote, 16);
    memcpy(client->tuple.local, local, 16);
    client->tuple.remote_port = (uint16_t)(50000 + number);
    client->tuple.local_port = 1883;
    client->rcv_adv = client->rcv_nxt + plan->window;
    send(client, TCP_SYN, client->iss, 0, now);
    client->rto_at = now + client->rto;
}

void client_run(struct sim_client *client, uint64_t now) {
    if (client->ack_at && client->ack_at <= now && client->state == CLIENT_OPEN)
        send_ack(client, now);
    if (client->rto_at && client->rto_at <= now)
        timeout(client, now);
    if (client->read_at && client->read_at <= now && client->state == CLIENT_OPEN) {
        read_some(client, now);
        output(client, now);
    }
}

uint64_t client_next(const struct sim_client *client) {
    uint64_t next = UINT64_MAX;
    if (client->state == CLIENT_RESET)
        return next;
    if (client->rto_at)
        next = client->rto_at;
    if (client->ack_at && client->ack_at < next)
        next = client->ack_at;
    bool reading = client->read < client->plan.to_receive;
    if (client->read_at && reading && client->read_at < next)
        next = client->read_at;
    return next;
}

bool client_done(const struct sim_client *client) {
    return client->state == CLIENT_OPEN && client->fin_acked && client->fin_seen &&
           client->read == client->plan.to_receive;
}
