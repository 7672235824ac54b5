/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP of simulated devices: active open only (RFC 9293), a cache line each. It shares no code with
 * the broker's TCP but the timer wheel and the layout of options, so that one can judge the other.
 *
 *  - Handshake with MSS, window scale and time stamps; data with retransmission on timeout
 *    (exponential back-off) and after three duplicate ACKs; slow start; zero-window probes.
 *  - Delayed ACKs (RFC 9293 3.8.6.3): one for a burst that brought `ack_segments` or more, else
 *    with what is sent, or after 48 ms. What arrives out of order is held, and acknowledged at
 * once. There is no SACK.
 *  - Every byte is checked for its place in the sequence. Checksums are the link's.
 *  - The receive window is constant: the application takes everything at once.
 *  - What was written is kept as chunks, one a segment, until it is acknowledged.
 *
 * Pure: time is an argument, segments leave through struct devtcp_link. One thread.
 */
#ifndef LINEMQ_LOADGEN_DEVTCP_H
#define LINEMQ_LOADGEN_DEVTCP_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/message/region.h"
#include "tools/loadgen/chunk.h"
#include "tools/loadgen/device.h"

enum {
    DEVTCP_TICK_SHIFT = 14, /* a tick is 2^14 us, 16 ms */
    DEVTCP_HEADER_MAX = 40, /* of what is sent, with options */
};

enum devtcp_end {
    DEVTCP_ORDERLY, /* both sides sent FIN */
    DEVTCP_RESET,   /* the broker sent RST to an open connection */
    DEVTCP_REFUSED, /* RST in answer to the SYN */
    DEVTCP_TIMEOUT, /* not answered */
};

struct devtcp_app {
    void (*opened)(void *app, uint32_t number);
    /* In-order bytes; all are taken. */
    void (*received)(void *app, uint32_t number, const uint8_t *data, uint32_t len);
    /* The broker has sent FIN; ours follows. */
    void (*finished)(void *app, uint32_t number);
    void (*ended)(void *app, uint32_t number, enum devtcp_end why);
    void (*timer)(void *app, uint32_t number); /* devtcp_timer_set's */
    /* Before a touched device sends: the time to write more. */
    void (*sending)(void *app, uint32_t number);
    void *app;
};

struct devtcp_link {
    /* Room for `len` bytes from the TCP header on, or NULL: none now. */
    uint8_t *(*frame)(void *link, size_t len, void **frame);
    /* Fills in ports and checksum, which are left zero, and sends. */
    void (*transmit)(void *link, void *frame, size_t len, uint32_t number);
    void *link;
};

struct devtcp_config {
    uint32_t devices;
    uint32_t window; /* receive window, bytes, at most 1 GiB */
    uint32_t rto_us, rto_max_us;
    uint16_t mss;         /* largest segment without options */
    uint8_t retries;      /* at most 15 */
    uint8_t ack_segments; /* 1 to 15; 1: nothing is delayed */
    bool timestamps;
};

struct devtcp_stats {
    uint64_t segments_in, segments_out, bytes_in, bytes_out, acks_out;
    uint64_t opened, retransmitted, timeouts, fast_retransmits, duplicates, out_of_order;
    uint64_t stray;        /* segments of connections that are not there */
    uint64_t bad_acks;     /* of what was never sent */
    uint64_t bad_segments; /* outside of the window, or with impossible flags */
    uint64_t no_chunk;
};

struct devtcp {
    struct devtcp_config config;
    struct devtcp_link link;
    struct devtcp_app app;
    struct region memory; /* of devices and touched */
    struct device *devices;
    struct chunks chunks;
    struct devtcp_stats stats;
    uint64_t now;  /* us */
    uint32_t tick; /* now in ticks, at least 1 */
    uint32_t tsval;
    uint16_t mss;  /* the broker's, if smaller */
    uint8_t shift; /* of our window */
    uint32_t touched_first, touched_count, touched_mask;
    uint32_t *touched; /* a ring; it begins again at 0 whenever it is empty */
    struct wheel wheel;
};

/* The caller sets link and app afterwards. False: no memory. */
bool devtcp_init(struct devtcp *tcp, const struct devtcp_config *config, uint32_t chunks_small,
                 uint32_t chunks_large, uint64_t now);
void devtcp_fini(struct devtcp *tcp);

/* Before all else of a turn. Microseconds, monotonic. */
void devtcp_time(struct devtcp *tcp, uint64_t now);

/* Sends SYN. The device was never opened, or has ended. */
void devtcp_open(struct devtcp *tcp, uint32_t number);

/* A segment for the device, whose checksum is good and whose header is complete. */
void devtcp_input(struct devtcp *tcp, uint32_t number, const uint8_t *header, uint32_t len);

/* Timers that are due, at most `budget`; true: more are. */
bool devtcp_timers(struct devtcp *tcp, unsigned budget);

/* Sends for at most `budget` touched devices; true: more are touched. */
bool devtcp_output(struct devtcp *tcp, unsigned budget);

/* Puts a device into the list of devtcp_output. */
void devtcp_touch(struct devtcp *tcp, uint32_t number);

/* Room for `len` bytes to be written with devtcp_commit, in a segment begun with room for `want`
 * bytes if it is a new one; NULL: no buffer, or `len` exceeds a segment. */
uint8_t *devtcp_reserve(struct devtcp *tcp, uint32_t number, uint32_t len, uint32_t want);
/* `seal`: what is written next goes into another segment. */
void devtcp_commit(struct devtcp *tcp, uint32_t number, uint32_t len, bool seal);
/* Bytes of any length, over several segments. False: no buffer; nothing was written. */
bool devtcp_write(struct devtcp *tcp, uint32_t number, const uint8_t *data, uint32_t len);

/* FIN after what was written. */
void devtcp_close(struct devtcp *tcp, uint32_t number);
/* RST, and the connection is gone; `ended` is not called. */
void devtcp_abort(struct devtcp *tcp, uint32_t number);

/* Calls app.timer `us` from now, to a tick's precision, in place of an earlier setting. 0: off. */
void devtcp_timer_set(struct devtcp *tcp, uint32_t number, uint64_t us);

/* Payload bytes that fit in a segment. */
static inline uint32_t devtcp_segment(const struct devtcp *tcp) {
    return tcp->mss - (tcp->config.timestamps ? 12u : 0u);
}

static inline uint32_t device_in_flight(const struct device *device) {
    return device->snd_nxt - device->snd_una;
}

static inline uint32_t device_unsent(const struct device *device) {
    return device->snd_end - device->snd_nxt;
}

/* The application's chunk of a partial packet, or 0. */
static inline uint32_t devtcp_partial(const struct devtcp *tcp, uint32_t number) {
    uint32_t held = tcp->devices[number].held;
    return held != 0 && chunk_at(&tcp->chunks, held)->flags & CHUNK_PARTIAL ? held : 0;
}
/* A new one, or 0. There is none yet. */
uint32_t devtcp_partial_new(struct devtcp *tcp, uint32_t number);
void devtcp_partial_free(struct devtcp *tcp, uint32_t number);

#endif
