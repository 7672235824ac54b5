/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side: a small TCP client with active open, as correct as it must be to judge the
 * broker's. It goes back N on a timeout, retransmits once after three duplicate ACKs, keeps
 * out-of-order bytes, and reads as slowly as it is told. It shares no code with the stack under
 * test but the header and option formats.
 */
#ifndef LINEMQ_TESTS_SIM_CLIENT_H
#define LINEMQ_TESTS_SIM_CLIENT_H

#include "dataplane/tcp/options.h"
#include "dataplane/tcp/tcp.h"
#include "tests/sim/pipe.h"

enum client_state {
    CLIENT_SYN_SENT,
    CLIENT_OPEN,
    CLIENT_RESET, /* the broker sent RST */
};

enum { CLIENT_BUFFER = 1 << 18, CLIENT_RANGES = 8 };

struct client_plan {
    uint32_t to_send, to_receive; /* bytes */
    uint32_t window;              /* receive buffer, bytes, at most CLIENT_BUFFER */
    uint32_t read_max;            /* bytes it reads at a time ... */
    uint32_t read_every;          /* ... in so many microseconds; 0 = at once */
    uint16_t mss;
    bool timestamps, sack, close_first; /* FIN after the last byte, not waiting for the broker's */
    int wscale;
    uint32_t reneges;   /* per mille of segments at which it forgets what is out of order */
    uint32_t ack_delay; /* microseconds that the ACK of a single segment waits, 0 = none does */
    int32_t drift;      /* of its clock, parts per million */
    uint32_t clock;     /* what that says at time 0, ms */
};

struct sim_client {
    uint32_t number;
    struct client_plan plan;
    struct pipe *pipe;
    struct tcp_tuple tuple; /* as the broker sees it: remote is the client */
    enum client_state state;
    bool timestamps, sack; /* negotiated */
    int shift;             /* of the broker's window; ours is plan.wscale */

    uint32_t iss, snd_una, snd_nxt, snd_max, snd_wnd, snd_wl1, snd_wl2;
    uint32_t duplicates, cwnd;
    uint64_t rto, rto_at; /* rto_at 0 = off */
    bool fin_sent, fin_acked;

    uint32_t irs, rcv_nxt, rcv_adv;
    uint64_t read;            /* bytes taken from the buffer */
    uint64_t read_at, ack_at; /* ack_at 0 = none is delayed */
    uint32_t ts_recent;
    bool fin_seen;
    uint8_t data[CLIENT_BUFFER];
    uint8_t here[CLIENT_BUFFER];
    uint32_t fin_at; /* 0 = unknown */
    bool fin_known;

    /* Ranges for SACK, the latest first, and what arrived twice. */
    struct tcp_sack_block ranges[CLIENT_RANGES];
    unsigned ranges_count;
    struct tcp_sack_block twice;
    bool has_twice;

    uint64_t wrong_bytes, retransmissions;
};

void client_open(struct sim_client *client, uint32_t number, const struct client_plan *plan,
                 struct pipe *pipe, uint32_t iss, uint64_t now);
void client_input(struct sim_client *client, const uint8_t *bytes, uint32_t len, uint64_t now);
/* What is due; and when the next is. */
void client_run(struct sim_client *client, uint64_t now);
uint64_t client_next(const struct sim_client *client);
/* Both streams are complete and both FINs acknowledged. */
bool client_done(const struct sim_client *client);

#endif
