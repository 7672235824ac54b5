/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds of every segment that the stack sends, as it is handed to the link:
 *
 *  - nothing beyond the peer's window, but for the byte of a window probe (RFC 9293 3.8.6.1);
 *  - pipe never exceeds cwnd (and Seastar's did for seven years), but for the single segments that
 *    dataplane/tcp/loss.h names: EXTENSION_FORCE, EXTENSION_TAIL_PROBE, and window probes;
 *  - nothing that the application has not announced;
 *  - the scoreboard's books add up.
 */
#ifndef LINEMQ_TESTS_SIM_CHECK_H
#define LINEMQ_TESTS_SIM_CHECK_H

#include "dataplane/tcp/loss.h"
#include "dataplane/tcp/seq.h"
#include "tests/sim/pipe.h"

static inline const char *check_scoreboard(void *base, struct tcp_extension *extension) {
    struct scoreboard *board = &extension->sent;
    uint32_t at = board->una, sacked = 0, lost = 0;
    if (board->first + board->count > board->room)
        return "more records than there is room";
    for (unsigned i = 0; i < board->count; i++) {
        const struct sent_record *sent = scoreboard_record(board, base, i);
        if (!seq_lt(at, sent->end))
            return "a record without bytes";
        sacked += sent->flags & SENT_SACKED ? sent->end - at : 0;
        lost += sent->flags & SENT_LOST ? sent->end - at : 0;
        at = sent->end;
    }
    if (at != board->end || sacked != board->sacked || lost != board->lost)
        return "the scoreboard does not add up";
    return NULL;
}

/* NULL, or what is wrong. */
static inline const char *check_segment(const struct tcp *tcp, const struct tcp_conn *conn,
                                        const struct tcp_header *header) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    uint32_t length = header_segment_length(header);
    if (!extension || length == 0 || conn->flags & CONN_ABORT)
        return NULL;
    if (seq_gt(header->seq + length, conn->snd_end + 1))
        return "sent what was not announced";
    const char *what = check_scoreboard(tcp->base, extension);
    if (what || (conn_send_window(conn) == 0 && header->seq == conn->snd_una && length == 1))
        return what;
    if (header->seq + length - conn->snd_una > conn_send_window(conn))
        return "beyond the send window";
    if (!(extension->flags & (EXTENSION_FORCE | EXTENSION_TAIL_PROBE)) &&
        loss_pipe(tcp, conn, extension) + length > conn->congestion.cwnd)
        return "more in flight than the congestion window allows";
    return NULL;
}

/* All that is due at this time; NULL, or what goes on for ever. */
static inline const char *check_settle(struct tcp *tcp, uint64_t now) {
    unsigned rounds = 0;
    while (tcp_timers(tcp, now, 64))
        if (++rounds > 1000)
            return "timers never come to rest";
    while (tcp_output(tcp, now, 32))
        if (++rounds > 10000)
            return "output never comes to rest";
    return NULL;
}

/* Objects that a stack still has, which is alone in its pool. */
static inline uint64_t check_in_use(const struct tcp *tcp, const struct pool *pool) {
    uint64_t used = tcp->conns.used + tcp->extensions.used + tcp->addresses.used +
                    tcp->records.used + tcp->flow.entries + tcp->fast.linked + tcp->slow.linked +
                    tcp->sent_memory.bytes;
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        used += pool->classes[i].used;
    return used;
}

/* Any mixture of mechanisms; most of them on. */
static inline void check_configure(struct tcp_config *config, struct sim_random *random) {
    config->sack = sim_chance(random, 900);
    config->rack = sim_chance(random, 800);
    config->tail_loss_probe = sim_chance(random, 800);
    config->prr = sim_chance(random, 800);
    config->undo = sim_chance(random, 800);
    config->frto = sim_chance(random, 500);
    config->limited_transmit = sim_chance(random, 800);
    config->congestion = sim_chance(random, 500) ? TCP_CUBIC : TCP_NEWRENO;
    config->rto_min_ms = sim_between(random, 100, 1000);
}

#endif
