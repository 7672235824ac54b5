/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "dataplane/base/bytes.h"
#include "tests/packet/state.h"

static uint32_t ts_base(const struct run *run, const struct remote *remote) {
    struct cookie_base base = cookie_base(run->world->config.secret, &remote->peer.tuple);
    return (uint32_t)(EPOCH >> TCP_FAST_SHIFT) + base.ts_offset;
}

static unsigned peer_number(const struct run *run, const struct remote *remote) {
    return (unsigned)(remote - run->remotes) + 1;
}

/* --- from the stack -------------------------------------------------------------------------- */

void wire_take_sent(struct run *run, struct world *world) {
    const struct sent *sent;
    while ((sent = world_sent(world)) != NULL) {
        unsigned number = sent->tuple.remote_port - 40000u;
        struct remote *remote = &run->remotes[number - 1];
        if (number < 1 || number > PEERS || run->seen_end == WORLD_SENT_MAX)
            abort();
        if (sent->header.flags & TCP_SYN) {
            remote->peer.irs = sent->header.seq;
            remote->peer.timestamps = remote->asks_timestamps && sent->header.options.has_timestamp;
        }
        if (sent->header.options.has_timestamp)
            remote->latest = sent->header.options.tsval;
        struct seen *seen = &run->seen[run->seen_end++];
        struct segment_base base = {
            .seq = remote->peer.irs,
            .ack = remote->peer.iss,
            .tsval = ts_base(run, remote),
        };
        segment_read(&seen->segment, sent->bytes, sent->len, &base);
        seen->at = run->now;
        seen->peer = number;
        seen->is_stream = sent_is_stream(&remote->peer, sent);
        char text[SEGMENT_TEXT_MAX];
        segment_text(text, &seen->segment);
        run_trace(run, run->now, "> %s%s", text, number == 1 ? "" : " (another peer)");
    }
}

/* --- to the stack ---------------------------------------------------------------------------- */

void wire_input(struct run *run) {
    tcp_input(run->world->tcp, run->burst, run->burst_count, run->now);
    for (unsigned i = 0; i < run->burst_count; i++)
        free((void *)(uintptr_t)run->burst[i].header);
    run->burst_count = 0;
}

/* The SYN's number such that the stack's own will be the one asked for. */
static void choose_isn(struct run *run, struct remote *remote, const struct segment *syn) {
    const struct tcp_config *config = &run->world->config;
    uint16_t mss = tuple_is_mapped(remote->peer.tuple.remote) ? 536 : 1220;
    for (unsigned i = 0; i < syn->options_count; i++)
        if (syn->options[i].kind == TCP_OPTION_MSS)
            mss = (uint16_t)syn->options[i].first;
    struct cookie_base base = cookie_base(config->secret, &remote->peer.tuple);
    remote->peer.iss =
        run->stack_isn - cookie_make(config->secret, &base, 0, mss, config->mss, run->now);
    remote->has_stack_isn = true;
}

/* What an honest peer writes where the script says nothing. */
static void complete(struct run *run, struct remote *remote, struct segment *segment) {
    if (!segment->has_options && remote->peer.timestamps && !(segment->flags & TCP_SYN)) {
        segment->options_count = 3;
        segment->options[0].kind = segment->options[1].kind = TCP_OPTION_NOP;
        segment->options[2].kind = TCP_OPTION_TIMESTAMP;
    }
    segment->has_options = true;
    for (unsigned i = 0; i < segment->options_count; i++) {
        struct option *option = &segment->options[i];
        if (option->kind != TCP_OPTION_TIMESTAMP)
            continue;
        if (!option->has_first)
            option->first = 1000 + (uint32_t)((run->now - EPOCH) / 1000);
        if (!option->has_second)
            option->second = segment->flags & TCP_SYN ? 0 : remote->latest - ts_base(run, remote);
        option->has_first = option->has_second = true;
    }
    if (segment->has_wnd)
        remote->peer.wnd = segment->wnd;
    segment->wnd = remote->peer.wnd;
    segment->has_wnd = true;
}

void wire_inject(struct run *run, const struct segment *written) {
    struct remote *remote = run->remote;
    struct segment segment = *written;
    complete(run, remote, &segment);
    bool syn = segment.flags & TCP_SYN;
    if (syn) {
        remote->asks_timestamps = false;
        for (unsigned i = 0; i < segment.options_count; i++)
            remote->asks_timestamps |= segment.options[i].kind == TCP_OPTION_TIMESTAMP;
        if (run->stack_isn && !remote->has_stack_isn)
            choose_isn(run, remote, &segment);
    }
    struct segment_base base = {
        .seq = remote->peer.iss,
        .ack = remote->peer.irs,
        .tsecr = syn ? 0 : ts_base(run, remote),
    };
    uint8_t header[SEGMENT_HEADER_MAX];
    size_t header_len = segment_write(header, &segment, &base);
    if (header_len == 0) {
        run_fail(run, "the options do not fit into a header");
        return;
    }
    store_be16(header, remote->peer.tuple.remote_port);
    store_be16(header + 2, remote->peer.tuple.local_port);

    /* In memory of its own, so that a read past the end is seen. */
    uint8_t *bytes = malloc(header_len + segment.len);
    if (!bytes)
        abort();
    memcpy(bytes, header, header_len);
    uint32_t position = segment.seq + syn - 1;
    for (uint32_t i = 0; i < segment.len; i++)
        bytes[header_len + i] = stream_byte(position + i) ^ (segment.garbled ? 0xff : 0);
    run->burst[run->burst_count++] = (struct tcp_segment){
        .tuple = remote->peer.tuple,
        .header = bytes,
        .len = (uint32_t)(header_len + segment.len),
        .hop = 7,
        .hash = remote->peer.hash,
    };
    char text[SEGMENT_TEXT_MAX];
    segment_text(text, &segment);
    run_trace(run, run->now, "< %s", text);
    if (run->burst_count == BURST)
        wire_input(run);
}

void wire_icmp(struct run *run, const struct statement *statement) {
    const struct peer *peer = &run->remote->peer;
    uint32_t headers = tuple_is_mapped(peer->tuple.remote) ? 40 : 60;
    struct tcp_icmp icmp = {
        .tuple = peer->tuple,
        .hash = peer->hash,
        .seq = statement->segment.seq + peer->irs,
        .mtu = (uint32_t)statement->number,
        .len = (uint16_t)(statement->segment.len + headers +
                          (peer->timestamps ? TCP_TIMESTAMP_BYTES : 0)),
        .kind = (uint8_t)(statement->word == 0 ? TCP_ICMP_TOO_BIG : TCP_ICMP_UNREACHABLE),
    };
    tcp_icmp(run->world->tcp, &icmp, run->now);
}

/* --- judgement ------------------------------------------------------------------------------- */

void wire_expect(struct run *run, const struct segment *segment, uint64_t from, uint64_t to) {
    uint64_t tolerance = run->tolerance_ms * UINT64_C(1000);
    char wanted[SEGMENT_TEXT_MAX], text[SEGMENT_TEXT_MAX];
    segment_text(wanted, segment);
    run_pass(run, to + tolerance);
    if (run->seen_first == run->seen_end) {
        run_fail(run, "expected  > %s\nnothing was sent until %.6f", wanted, run_time(run->now));
        return;
    }
    const struct seen *seen = &run->seen[run->seen_first++];
    segment_text(text, &seen->segment);
    if (seen->peer != peer_number(run, run->remote))
        run_fail(run, "expected  > %s\nseen      > %s to peer %u", wanted, text, seen->peer);
    else if (!segment_matches(segment, &seen->segment, run->remote->peer.timestamps))
        run_fail(run, "expected  > %s\nseen      > %s", wanted, text);
    else if (seen->at + tolerance < from || seen->at > to + tolerance)
        run_fail(run, "expected  > %s\nat %.6f to %.6f, it came at %.6f", wanted, run_time(from),
                 run_time(to), run_time(seen->at));
    else if (!seen->is_stream)
        run_fail(run, "the payload is not the stream's: > %s", text);
    run->last = seen->at;
    if (run->seen_first == run->seen_end)
        run->seen_first = run->seen_end = 0;
}
