/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUBIC (RFC 9438): the window is a cubic function of the time since the last loss, flat around the
 * size at which that happened, so that what a path takes is found again quickly and left slowly
 * whatever its round trip. In bytes and milliseconds:
 *
 *      W_cubic(t) = C * (t - K)^3 + W_max       C = 0.4 segments / s^3
 *      K = cbrt((W_max - cwnd) / C)
 */
#include "dataplane/tcp/congestion.h"

#include "dataplane/base/min.h"

enum {
    TIME_MAX = 200000,    /* ms: lest the cube overflows; the window is at its limit long before */
    BETA_PERCENT = 70,    /* beta_cubic 0.7 (4.6) */
    FAST_PERCENT = 85,    /* (1 + beta_cubic) / 2 (4.7) */
    ALPHA_PERMILLE = 529, /* 3 (1 - beta_cubic) / (1 + beta_cubic) (4.3) */
};

static uint32_t cube_root(uint64_t x) {
    uint32_t root = 0;
    for (uint32_t bit = 1u << 20; bit; bit /= 2) {
        uint64_t guess = root | bit;
        if (guess * guess * guess <= x)
            root |= bit;
    }
    return root;
}

static void begin(const struct congestion *congestion, struct cubic *cubic,
                  const struct congestion_ack *ack) {
    cubic->epoch = ack->now ? ack->now : 1;
    if (cubic->timed_out)
        cubic->w_max = congestion->cwnd;
    else if (cubic->w_max == 0 && congestion->ssthresh < CWND_MAX)
        cubic->w_max = (uint32_t)((uint64_t)congestion->ssthresh * 100 / BETA_PERCENT);
    cubic->timed_out = false;
    if (cubic->w_max < congestion->cwnd)
        cubic->w_max = congestion->cwnd;
    cubic->k = cube_root((uint64_t)(cubic->w_max - congestion->cwnd) * 2500000000u / ack->mss);
    cubic->w_est = congestion->cwnd;
}

/* W_cubic at `time` milliseconds into the stage. */
static uint64_t w_cubic(const struct cubic *cubic, uint32_t time, uint32_t mss) {
    bool before = time < cubic->k;
    uint64_t distance = before ? cubic->k - time : time - cubic->k;
    if (distance > TIME_MAX)
        distance = TIME_MAX;
    uint64_t offset = distance * distance * distance * 2 / 5000000 * mss / 1000;
    if (!before)
        return cubic->w_max + offset;
    return offset < cubic->w_max ? cubic->w_max - offset : 0;
}

static void avoid(struct congestion *congestion, struct cubic *cubic,
                  const struct congestion_ack *ack) {
    uint32_t cwnd = congestion->cwnd;
    if (cubic->epoch == 0)
        begin(congestion, cubic, ack);
    uint32_t time = (ack->now - cubic->epoch) / 1000;

    /* 4.3: never less than NewReno would have. */
    uint32_t alpha = cubic->w_est < cubic->prior ? ALPHA_PERMILLE : 1000;
    uint64_t step = (uint64_t)alpha * ack->acked / 1000 * ack->mss / cwnd;
    cubic->w_est += (uint32_t)(step ? step : 1);
    if (w_cubic(cubic, time, ack->mss) < cubic->w_est) {
        if (congestion->cwnd < cubic->w_est)
            congestion->cwnd = cubic->w_est;
        return;
    }
    /* 4.2, 4.4 and 4.5: where the curve is a round trip from now, at most half as much again. */
    uint64_t target = w_cubic(cubic, time + ack->srtt / 1000, ack->mss);
    if (target > cwnd + cwnd / 2)
        target = cwnd + cwnd / 2;
    if (target > cwnd)
        congestion->cwnd += (uint32_t)((target - cwnd) * ack->acked / cwnd);
}

static uint32_t reduce(const struct congestion *congestion, struct cubic *cubic, uint32_t flight,
                       uint32_t mss) {
    /* 4.7: a window that shrinks makes room for others faster. */
    uint32_t cwnd = congestion->cwnd;
    cubic->w_max = cwnd < cubic->w_max ? (uint32_t)((uint64_t)cwnd * FAST_PERCENT / 100) : cwnd;
    cubic->prior = cwnd;
    cubic->epoch = 0;
    uint32_t ssthresh = (uint32_t)((uint64_t)flight * BETA_PERCENT / 100);
    return max(ssthresh, 2 * mss);
}

static void restart(struct cubic *cubic, bool timed_out) {
    cubic->epoch = 0;
    cubic->timed_out = timed_out;
}

const struct congestion_algorithm congestion_cubic = {"cubic", avoid, reduce, restart};
