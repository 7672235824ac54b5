/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/loss.h"

#include "dataplane/base/min.h"
#include "dataplane/tcp/recovery.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/timeout.h"
#include "dataplane/tcp/timer.h"

/* An ACK as it is worked through. */
struct ack {
    const struct tcp_header *header;
    uint32_t acked, mss;
    uint32_t pipe;          /* before it */
    uint32_t flight;        /* before it */
    bool duplicate, missed; /* missed: a SACK block found no memory */
    bool dsack;
    struct tcp_sack_block twice; /* with `dsack`: what arrived twice */
    struct delivery delivery;
    struct rack_loss loss;
};

static uint32_t clock32(const struct tcp *tcp) {
    return (uint32_t)tcp->now;
}

/* Our time stamp at an earlier time. */
static uint32_t timestamp_at(const struct tcp *tcp, const struct tcp_conn *conn, uint32_t at) {
    uint64_t age = clock32(tcp) - at;
    return (uint32_t)((tcp->now - age) >> TCP_FAST_SHIFT) + conn->ts_offset;
}

/* Losses are found by counting duplicate ACKs. */
static bool counts_duplicates(const struct tcp_conn *conn, const struct tcp_extension *extension) {
    return !(conn->flags & CONN_SACK) || extension->flags & EXTENSION_SHORT;
}

static bool rack_on(const struct tcp *tcp, const struct tcp_conn *conn) {
    return conn->flags & CONN_SACK && tcp->config.rack;
}

/* --- an ACK ---------------------------------------------------------------------------------- */

/* An RTT sample from the ACK of what was sent at `at`, if it gives one (RFC 6298 3, RFC 7323 4.1);
 * then the timeout is no longer backed off. `once`: the ACK is not ambiguous. */
static void sample(struct tcp *tcp, struct tcp_conn *conn, const struct tcp_header *header,
                   uint32_t flight, bool once, uint32_t at) {
    uint32_t microseconds, mss = conn_payload_max(conn);
    if (conn->flags & CONN_TIMESTAMPS) {
        uint32_t ticks = timestamp_now(tcp, conn->ts_offset) - header->options.tsecr;
        uint64_t rtt = (uint64_t)ticks << TCP_FAST_SHIFT;
        /* An echo of what was not sent, or absurdly old. */
        if (rtt > tcp->rto_limits.max)
            return;
        microseconds = (uint32_t)rtt;
    } else if (once) {
        microseconds = clock32(tcp) - at;
    } else {
        return;
    }
    uint32_t expected = flight > 2 * mss ? (flight + 2 * mss - 1) / (2 * mss) : 1;
    rto_sample(&conn->srtt, &conn->rttvar, microseconds, expected);
    conn->backoff = 0;
    conn->flags &= (uint16_t)~CONN_PATIENT;
}

/* RFC 2883 4: the first block is below the ACK, or within the second. */
static bool is_dsack(const struct tcp_header *header, const struct tcp_sack_block *first) {
    if (seq_lt(first->left, header->ack))
        return true;
    if (header->options.sack_count < 2)
        return false;
    struct tcp_sack_block second = tcp_options_sack(&header->options, 1);
    return seq_leq(second.left, first->left) && seq_leq(first->right, second.right);
}

/* The blocks, lowest first; those that make no sense are ignored. */
static void take_sack(struct tcp *tcp, struct tcp_extension *extension, struct ack *ack) {
    struct tcp_sack_block blocks[4];
    struct scoreboard *board = &extension->sent;
    unsigned count = 0;
    for (unsigned i = 0; i < ack->header->options.sack_count; i++) {
        struct tcp_sack_block block = tcp_options_sack(&ack->header->options, i);
        if (!seq_lt(block.left, block.right))
            continue;
        if (i == 0 && is_dsack(ack->header, &block)) {
            ack->dsack = true;
            ack->twice = block;
            continue;
        }
        if (!seq_gt(block.left, board->una) || seq_gt(block.right, board->end))
            continue;
        unsigned at = count++;
        for (; at && seq_gt(blocks[at - 1].left, block.left); at--)
            blocks[at] = blocks[at - 1];
        blocks[at] = block;
    }
    for (unsigned i = 0; i < count; i++)
        if (!scoreboard_sack(board, &tcp->sent_memory, blocks[i].left, blocks[i].right,
                             &ack->delivery))
            ack->missed = true;
}

static void take_delivery(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                          const struct ack *ack) {
    const struct delivery *delivery = &ack->delivery;
    bool again = delivery->again;
    /* RFC 8985 6.2 step 2: the ACK of what was sent twice may be that of the first time. */
    if (again && conn->flags & CONN_TIMESTAMPS)
        again = !seq_lt(ack->header->options.tsecr, timestamp_at(tcp, conn, delivery->again_at));
    else if (again)
        again = clock32(tcp) - delivery->again_at >= extension->rack.min_rtt;
    rack_delivered(&extension->rack, delivery, clock32(tcp), again);
    if (delivery->reordered && conn->flags & CONN_SACK)
        conn->flags |= CONN_REORDERED;
}

/* RFC 8985 7.4: the probe was acknowledged. If it repaired a loss, that counts as one. */
static void take_probe(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                       const struct ack *ack) {
    struct tail_probe *probe = &extension->probe;
    if (!probe->out || seq_lt(ack->header->ack, probe->end))
        return;
    probe->out = false;
    bool original = ack->dsack || (conn->flags & CONN_TIMESTAMPS &&
                                   seq_lt(ack->header->options.tsecr, probe->timestamp));
    if (ack->dsack)
        conn->flags |= CONN_PATIENT;
    if (!probe->again || original || ack->acked == 0)
        return;
    conn_count(tcp, conn, COUNTER_TCP_TAIL_PROBES_REPAIRED);
    if (extension->recovery != RECOVERY_NONE)
        return;
    conn->congestion.ssthresh = tcp->congestion->reduce(
        &conn->congestion, &extension->cubic, min(ack->flight, conn->congestion.cwnd), ack->mss);
    conn->congestion.cwnd = min(conn->congestion.cwnd, conn->congestion.ssthresh);
}

/* Segments in flight, as far as the records tell. */
static unsigned segments_in_flight(struct tcp *tcp, struct tcp_extension *extension) {
    unsigned segments = 0;
    for (unsigned i = 0; i < extension->sent.count; i++)
        segments += scoreboard_record(&extension->sent, tcp->base, i)->segments;
    return segments;
}

/* Duplicate ACKs in place of SACK. Each delivers a segment; a partial ACK of several shows which of
 * them had been counted before (RFC 9937 6). */
static void count_duplicates(struct tcp *tcp, struct tcp_conn *conn,
                             struct tcp_extension *extension, struct ack *ack) {
    if (ack->acked) {
        uint32_t segments = (ack->acked + ack->mss - 1) / ack->mss;
        uint32_t counted = min(extension->duplicates, segments - 1);
        if (extension->recovery != RECOVERY_FAST)
            extension->duplicates = 0;
        else
            extension->duplicates = (uint16_t)(extension->duplicates - counted);
        ack->delivery.bytes -= min(ack->delivery.bytes, counted * ack->mss);
        return;
    }
    if (!ack->duplicate || extension->recovery == RECOVERY_AGAIN)
        return;
    if (extension->duplicates + 1u < segments_in_flight(tcp, extension)) {
        extension->duplicates++;
        ack->delivery.bytes += ack->mss;
    }
}

/* Marks what the ACK shows to be lost. */
static void detect(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                   struct ack *ack) {
    struct scoreboard *board = &extension->sent;
    if (counts_duplicates(conn, extension)) {
        bool third = extension->recovery == RECOVERY_NONE && extension->duplicates >= DUP_THRESH &&
                     seq_gt(conn->snd_una, extension->recover);
        /* RFC 6582 3.2 step 3: a partial ACK shows the next hole, which is filled at once. */
        bool partial = extension->recovery == RECOVERY_FAST && ack->acked &&
                       seq_lt(conn->snd_una, extension->recover);
        if (partial)
            extension->flags |= EXTENSION_FORCE;
        if (third || partial) {
            scoreboard_lose_first(board, &tcp->sent_memory, ack->mss);
            ack->loss.segments = 1;
        }
    }
    if (!(conn->flags & CONN_SACK))
        return;
    if (!tcp->config.rack) {
        ack->loss.segments = scoreboard_lose_by_sack(board, tcp->base, ack->mss);
        return;
    }
    /* In the order they were sent, nothing overtakes anything. */
    if (board->sacked == 0 && extension->recovery == RECOVERY_NONE && !extension->probe.out)
        return;
    struct rack_view view = {
        .now = clock32(tcp),
        .srtt = conn->srtt,
        .reordered = conn->flags & CONN_REORDERED,
        .recovering = extension->recovery != RECOVERY_NONE,
    };
    ack->loss = rack_detect(&extension->rack, board, tcp->base, &view);
    count_add(tcp->counters, COUNTER_TCP_RACK_LOST, ack->loss.segments);
}

/* RFC 5682 2.1 steps 2 and 3. True: the timeout was needless. */
static bool frto(struct tcp_conn *conn, struct tcp_extension *extension, const struct ack *ack) {
    struct undo *undo = &extension->undo;
    bool all = seq_geq(conn->snd_una, extension->recover);
    if (ack->acked && undo->frto == FRTO_SECOND)
        return true;
    /* The new segments fill the window: one more goes with them, the first that is lost (3a). */
    if (ack->duplicate && undo->frto == FRTO_SECOND)
        conn->congestion.cwnd = 3 * ack->mss;
    if (ack->duplicate || all || conn->snd_nxt == conn_send_limit(conn))
        undo->frto = FRTO_OFF;
    else if (ack->acked)
        undo->frto = FRTO_SECOND;
    return false;
}

/* Was what was sent again not lost? True: the recovery is over. */
static bool spurious(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                     const struct ack *ack) {
    struct undo *undo = &extension->undo;
    if (undo->state == UNDO_OFF)
        return false;
    if (extension->recovery == RECOVERY_NONE && seq_gt(conn->snd_una, undo->until)) {
        undo->state = UNDO_OFF;
        return false;
    }
    bool found = false;
    if (ack->dsack) {
        uint32_t segments = (ack->twice.right - ack->twice.left + ack->mss - 1) / ack->mss;
        found = undo_dsack(undo, ack->twice.left, segments);
    }
    if (ack->acked && conn->flags & CONN_TIMESTAMPS && extension->recovery != RECOVERY_NONE)
        found |= undo_acked(undo, ack->header->options.tsecr);

    if (undo->frto != FRTO_OFF && extension->recovery == RECOVERY_AGAIN)
        found |= frto(conn, extension, ack);
    /* What waited for the verdict goes out. */
    if (undo->frto == FRTO_OFF && extension->sent.lost)
        conn_touch(tcp, conn);
    if (found)
        recovery_take_back(tcp, conn, extension, ack->acked);
    return found;
}

static void grow(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                 uint32_t acked, uint32_t pipe) {
    struct congestion_ack event = {
        .acked = acked, .mss = conn_payload_max(conn), .srtt = conn->srtt, .now = clock32(tcp)};
    congestion_acked(tcp->congestion, &conn->congestion, &extension->cubic, pipe, &event);
    /* Kept near, lest it comes to lie ahead after 2^31 bytes. */
    if (seq_gt(conn->snd_una, extension->recover))
        extension->recover = conn->snd_una - 1;
}

/* What was sent again and lost again is a second loss (RFC 5681 4.3), once a round trip. */
static void reduce_again(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                         const struct rack_loss *loss, uint32_t delivered) {
    if (!loss->again || seq_lt(loss->again_at, extension->reduced_at))
        return;
    extension->recover = conn->snd_nxt;
    recovery_reduce(tcp, conn, extension, delivered);
}

static void respond(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                    const struct ack *ack) {
    bool done = ack->acked && seq_geq(conn->snd_una, extension->recover);
    uint32_t delivered = ack->delivery.bytes;
    switch (extension->recovery) {
    case RECOVERY_FAST:
        if (done) {
            recovery_leave(tcp, conn, extension);
            break;
        }
        reduce_again(tcp, conn, extension, &ack->loss, delivered);
        recovery_govern(tcp, conn, extension, delivered, ack->acked && ack->loss.segments == 0);
        return;
    case RECOVERY_AGAIN:
        if (done)
            recovery_leave(tcp, conn, extension);
        /* fall through */
    default:
        if (ack->acked)
            grow(tcp, conn, extension, ack->acked, ack->pipe);
    }
    if (extension->recovery == RECOVERY_NONE && extension->sent.lost) {
        recovery_enter_fast(tcp, conn, extension, delivered);
        recovery_govern(tcp, conn, extension, delivered, false);
    } else if (delivered && !ack->acked) {
        conn_touch(tcp, conn);
    }
}

/* Nothing is lost, sacked or doubtful, which is so with nearly every ACK. */
static bool plain(const struct tcp_extension *extension, const struct tcp_header *header) {
    const struct scoreboard *board = &extension->sent;
    return !header->options.sack_count && !(board->sacked | board->lost) &&
           extension->recovery == RECOVERY_NONE && extension->undo.state == UNDO_OFF &&
           !extension->probe.out && !extension->duplicates;
}

static void work_through(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                         struct ack *ack) {
    if (ack->header->options.sack_count && conn->flags & CONN_SACK)
        take_sack(tcp, extension, ack);
    /* With a D-SACK it is the second transmission that is answered, but the echo may be that of the
     * first, whose ACK was lost: a time outside the window moves no TS.Recent (RFC 7323 5.3). */
    if (ack->acked && !ack->dsack)
        sample(tcp, conn, ack->header, ack->flight, ack->delivery.once && !ack->delivery.again,
               ack->delivery.first_at);
    else if (ack->acked)
        conn->backoff = 0;
    take_delivery(tcp, conn, extension, ack);
    if (ack->dsack) {
        conn_count(tcp, conn, COUNTER_TCP_DSACKS_IN);
        rack_dsack(&extension->rack, conn->snd_una, conn->snd_nxt);
        ack->duplicate = false;
    }
    if (ack->missed) {
        extension->flags |= EXTENSION_SHORT;
        conn_count(tcp, conn, COUNTER_TCP_DROP_SACK);
    }
    if (counts_duplicates(conn, extension))
        count_duplicates(tcp, conn, extension, ack);
    take_probe(tcp, conn, extension, ack);
    if (!spurious(tcp, conn, extension, ack))
        detect(tcp, conn, extension, ack);
    respond(tcp, conn, extension, ack);
}

/* The retransmission timer begins anew (RFC 6298 5.3). */
static void move_timeout(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    /* Without SACK only the first partial ACK restarts it, the impatient variant of RFC 6582 3.2.
     */
    if (extension->recovery == RECOVERY_FAST && !(conn->flags & CONN_SACK)) {
        if (extension->flags & EXTENSION_PARTIAL)
            return;
        extension->flags |= EXTENSION_PARTIAL;
    }
    timeout_restart(tcp, conn, extension);
}

void loss_ack(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
              const struct tcp_header *header, uint32_t acked, bool duplicate) {
    struct scoreboard *board = &extension->sent;
    uint32_t flight = board->end - board->una;
    uint32_t pipe = loss_pipe(tcp, conn, extension);
    bool usual = acked && plain(extension, header);
    if (acked)
        extension->stalled = fast_tick(tcp);
    if (usual && acked == flight && scoreboard_is_one(board, tcp->base)) {
        uint32_t at = scoreboard_ack_one(board, tcp->base);
        sample(tcp, conn, header, flight, true, at);
        grow(tcp, conn, extension, acked, pipe);
        timer_fast_stop(conn);
        return;
    }

    struct ack ack = {
        .header = header,
        .acked = acked,
        .mss = conn_payload_max(conn),
        .pipe = pipe,
        .flight = flight,
        .duplicate = duplicate,
    };
    if (acked)
        scoreboard_ack(board, tcp->base, conn->snd_una, &ack.delivery);
    if (usual) {
        sample(tcp, conn, header, flight, ack.delivery.once && !ack.delivery.again,
               ack.delivery.first_at);
        rack_delivered(&extension->rack, &ack.delivery, clock32(tcp), false);
        grow(tcp, conn, extension, acked, pipe);
    } else {
        work_through(tcp, conn, extension, &ack);
    }
    if (conn_flight(conn) == 0) {
        timer_fast_stop(conn);
        return;
    }
    if (acked)
        move_timeout(tcp, conn, extension);
    if (acked || ack.delivery.bytes || ack.loss.segments)
        timeout_arm(tcp, conn, extension, ack.loss.timeout);
}

/* --- timers that run out --------------------------------------------------------------------- */

void loss_timeout(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    struct scoreboard *board = &extension->sent;
    bool again = conn->backoff > 0;
    bool first = extension->recovery == RECOVERY_NONE;
    conn_count(tcp, conn, COUNTER_TCP_RETRANSMISSION_TIMEOUTS);
    if (tcp->config.undo && first)
        undo_arm(&extension->undo, &conn->congestion, &extension->cubic, conn->snd_una, true);
    congestion_timeout(tcp->congestion, &conn->congestion, &extension->cubic,
                       recovery_flight_size(conn), conn_payload_max(conn), again);
    /* What was sent a short while ago may still arrive (RFC 8985 6.3). */
    uint32_t before = clock32(tcp);
    if (rack_on(tcp, conn) && extension->rack.rtt) {
        struct rack_view view = {
            .srtt = conn->srtt, .reordered = conn->flags & CONN_REORDERED, .recovering = !first};
        before -= extension->rack.rtt + rack_window(&extension->rack, board, &view);
    }
    scoreboard_forget(board, tcp->base, before);
    recovery_enter_again(conn, extension);
    if (tcp->config.undo && tcp->config.frto && first && !again && !(conn->flags & CONN_TIMESTAMPS))
        extension->undo.frto = FRTO_FIRST;
}

void loss_reordering_over(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    struct ack ack = {.mss = conn_payload_max(conn)};
    detect(tcp, conn, extension, &ack);
    if (ack.loss.segments) {
        if (extension->recovery == RECOVERY_NONE)
            recovery_enter_fast(tcp, conn, extension, 0);
        else if (extension->recovery == RECOVERY_FAST)
            reduce_again(tcp, conn, extension, &ack.loss, 0);
        if (extension->recovery == RECOVERY_FAST)
            recovery_govern(tcp, conn, extension, 0, false);
    }
    timeout_arm(tcp, conn, extension, ack.loss.timeout);
}

void loss_probe_due(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    extension->flags |= EXTENSION_TAIL_PROBE;
    extension->probe.out = true;
    extension->probe.end = conn->snd_nxt;
    extension->probe.again = false; /* until it has left */
    /* Whatever becomes of the probe, the retransmission timer is the last resort. */
    timeout_restart(tcp, conn, extension);
    timeout_arm(tcp, conn, extension, 0);
}

void loss_resend(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    scoreboard_lose_all(&extension->sent, tcp->base);
    recovery_enter_again(conn, extension);
    extension->undo.state = UNDO_OFF;
    timeout_restart(tcp, conn, extension);
    timeout_arm(tcp, conn, extension, 0);
    conn_touch(tcp, conn);
}

/* --- sending --------------------------------------------------------------------------------- */

struct loss_range loss_next_lost(const struct tcp *tcp, const struct tcp_conn *conn,
                                 struct tcp_extension *extension) {
    struct loss_range range;
    scoreboard_next_lost(&extension->sent, tcp->base, &range.seq, &range.end);
    /* What follows may fill up the last segment. */
    if (range.end == conn->snd_nxt)
        range.end = conn_send_limit(conn);
    return range;
}

void loss_sent(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
               uint32_t seq, uint32_t end, uint32_t before) {
    bool again = seq_lt(seq, before);
    if (before == conn->snd_una) {
        extension->stalled = fast_tick(tcp);
        timeout_restart(tcp, conn, extension);
    } else if (again && seq == conn->snd_una && conn->flags & CONN_SACK) {
        /* RACK finds out when it is lost again; the timer is for when nothing arrives at all. */
        timeout_restart(tcp, conn, extension);
    }
    scoreboard_sent(&extension->sent, &tcp->sent_memory, seq, end, clock32(tcp));
    extension->flags &= (uint8_t)~EXTENSION_FORCE;
    extension->prr.out += end - seq;
    if (!again)
        return;
    conn_count_out(tcp, conn, COUNTER_TCP_RETRANSMISSIONS, seq, end - seq);
    if (conn->fast.user < UINT16_MAX)
        conn->fast.user++;
    if (extension->recovery != RECOVERY_NONE)
        undo_sent(&extension->undo, timestamp_now(tcp, conn->ts_offset));
}

void loss_sent_all(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    conn->last_sent = fast_tick(tcp);
    if (extension->timer == TIMER_REORDERING && timer_fast_running(conn))
        return;
    timeout_arm(tcp, conn, extension, 0);
}
