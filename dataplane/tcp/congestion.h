/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The congestion window: what all algorithms share (RFC 5681, initial window of RFC 6928), and the
 * table through which one is chosen. Who is in recovery, and until when, is recovery.h's business;
 * how the window moves there is prr.h's. All in bytes; `mss` is the payload of a full segment.
 * Pure.
 */
#ifndef LINEMQ_TCP_CONGESTION_H
#define LINEMQ_TCP_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

enum { CWND_MAX = 1 << 28 };

/* What outlives a flight: it is all that is known of a path when the next one begins. */
struct congestion {
    uint32_t cwnd, ssthresh; /* ssthresh CWND_MAX: nothing was ever lost */
};

/* What CUBIC keeps besides, as long as something is in flight (RFC 9438 4.1.2). When that ends and
 * begins again, W_max is had back from ssthresh, which was made from it, and the epoch begins anew
 * (5.8: the time that the application did not use does not count). */
struct cubic {
    uint32_t w_max; /* 0 = not known */
    uint32_t
        epoch;  /* when this stage of congestion avoidance began, microseconds; 0 = it did not */
    uint32_t k; /* milliseconds from there to w_max */
    uint32_t w_est; /* what NewReno's window would be by now */
    uint32_t prior; /* cwnd_prior */
    bool timed_out; /* the next stage is the first after a timeout: K is 0 (4.8) */
};

struct congestion_ack {
    uint32_t acked; /* bytes acknowledged for the first time, outside fast recovery */
    uint32_t mss;
    uint32_t srtt; /* microseconds, 0 = not known */
    uint32_t now;  /* microseconds modulo 2^32 */
};

struct congestion_algorithm {
    const char *name;
    /* Congestion avoidance: cwnd grows for an ACK. */
    void (*avoid)(struct congestion *congestion, struct cubic *cubic,
                  const struct congestion_ack *ack);
    /* A loss with `flight` in the network: the new ssthresh. */
    uint32_t (*reduce)(const struct congestion *congestion, struct cubic *cubic, uint32_t flight,
                       uint32_t mss);
    /* cwnd was set by other means than these: a timeout, the end of idleness. */
    void (*restart)(struct cubic *cubic, bool timed_out);
};

extern const struct congestion_algorithm congestion_newreno, congestion_cubic;

uint32_t congestion_initial_window(uint32_t mss);
struct congestion congestion_start(uint32_t mss);

/* An ACK outside fast recovery; `pipe` was in the network before it. A window that the sender does
 * not use does not grow (RFC 7661 4.3). */
void congestion_acked(const struct congestion_algorithm *algorithm, struct congestion *congestion,
                      struct cubic *cubic, uint32_t pipe, const struct congestion_ack *ack);

/* The retransmission timer (RFC 5681 3.1, equation 4). `again`: the same segment timed out before,
 * then ssthresh stays. */
void congestion_timeout(const struct congestion_algorithm *algorithm, struct congestion *congestion,
                        struct cubic *cubic, uint32_t flight, uint32_t mss, bool again);

/* Nothing was sent for longer than a retransmission timeout (RFC 5681 4.1). */
void congestion_idle(const struct congestion_algorithm *algorithm, struct congestion *congestion,
                     struct cubic *cubic, uint32_t mss);

#endif
