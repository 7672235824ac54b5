/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world for TCP tests: one stack with its memory, a link that keeps what was sent, an application
 * that records what it is told, and peers whose segments are written by hand. Time stands still
 * unless the test moves it.
 *
 * Both streams are patterns: the byte at position n of what the broker sends is stream_byte(n), and
 * so is that of what peers send, so any byte can be checked by its sequence number.
 */
#ifndef LINEMQ_TESTS_TCP_HARNESS_H
#define LINEMQ_TESTS_TCP_HARNESS_H

#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/header.h"
#include "dataplane/tcp/stack.h"
#include "dataplane/tcp/tcp.h"

enum {
    WORLD_SENT_MAX = 512,
    WORLD_FRAME_MAX = 2048,
    WORLD_CLIENTS = 64,
    WORLD_EPOCH = 1000000000, /* the clock starts here, microseconds */
};

/* A segment that the stack sent. */
struct sent {
    struct tcp_header header;
    struct tcp_tuple tuple;
    uint32_t hop;
    uint32_t len;
    uint8_t bytes[WORLD_FRAME_MAX];
};

/* The application's part of a connection. */
struct client {
    uint32_t number; /* 1 .. */
    uint32_t spare;
    uint64_t received; /* bytes taken */
    uint64_t acknowledged;
    uint64_t announced;
};

struct world {
    void *memory, *state;
    size_t memory_size;
    struct arena *arena;
    struct pool pool;
    struct counters counters;
    struct tcp_config config;
    struct tcp *tcp;
    uint64_t now;

    /* link */
    int frames;           /* how many more it gives; negative: as many as asked for */
    unsigned frame_fails; /* the n-th from now on is refused, once (1 = the next); 0: none */
    uint32_t full_hop;    /* the way to it is full; 0: none is */
    unsigned asked;       /* so many times whether a way is full */
    unsigned sent_first, sent_count;
    struct sent *sent;
    struct sent *building;

    /* application */
    size_t take;      /* `received` takes at most this much in all */
    bool refuse;      /* `opened` says no */
    bool close_early; /* `received` calls tcp_close */
    bool abort_early; /* `received` calls tcp_abort */
    unsigned resumes; /* so many times `received` calls tcp_resume */
    size_t reply;     /* `received` calls tcp_send for so many bytes */
    unsigned opened, closed, finished, timers;
    enum tcp_close why;    /* of the last one closed */
    struct tcp_conn *conn; /* the last one opened, NULL when it closed */
    uint64_t wrong_bytes;  /* received bytes that were not those of the stream */
};

void world_open(struct world *world);
/* Opens with world->config as it stands (world_config() first), or as `change` leaves it. */
void world_config(struct world *world);
void world_open_configured(struct world *world);
void world_open_changed(struct world *world, void (*change)(struct tcp_config *config));
/* Resets all connections, lets all timers pass and returns the bytes of memory still in use by
 * objects of TCP: 0. Frees the world. */
uint64_t world_close(struct world *world);

uint8_t stream_byte(uint64_t position);

/* A remote end. Numbers are absolute; `iss` is its initial sequence number. */
struct peer {
    struct tcp_tuple tuple;
    uint64_t hash;
    uint32_t iss, irs; /* irs: the stack's initial sequence number, from the SYN-ACK */
    uint32_t seq, ack; /* used when a segment does not say otherwise */
    uint16_t wnd, mss;
    bool timestamps, sack;
    int wscale; /* -1: no option */
    uint32_t tsval, tsecr;
};

/* A segment by hand: `seq` and `ack` are relative to the peer's, i.e. 0 is what comes next. */
struct by_hand {
    uint8_t flags;
    int32_t seq, ack;
    uint32_t len; /* of payload, which is the peer's stream */
    int wnd;      /* 0: the peer's; -1: closed */
    bool no_timestamp;
    const uint8_t *options; /* raw, instead of the peer's */
    size_t options_len;
};

void peer_init(struct world *world, struct peer *peer, unsigned number);
void peer_ipv6(struct world *world, struct peer *peer);
/* Handshake: SYN, takes the SYN-ACK from the link. False: there was none. */
bool peer_syn(struct world *world, struct peer *peer);
/* One segment into tcp_input; payload and FIN advance nothing by themselves. */
void peer_send(struct world *world, const struct peer *peer, struct by_hand segment);
/* Sends `len` bytes of the stream in order and advances the peer. */
void peer_data(struct world *world, struct peer *peer, uint32_t len);
/* Acknowledges `bytes` more. */
void peer_ack(struct world *world, struct peer *peer, uint32_t bytes);
/* Handshake and `len` bytes of first data; output is run and what it sent is dropped. */
struct tcp_conn *peer_connect(struct world *world, struct peer *peer, uint32_t len);

/* Advances the clock by microseconds, runs timers and output. */
void world_wait(struct world *world, uint64_t microseconds);
/* tcp_output until it says that nothing more can be sent at once. */
void world_output(struct world *world);
/* The next segment that was sent, or NULL. It stays valid until 512 more are sent. */
const struct sent *world_sent(struct world *world);
void world_forget(struct world *world);

/* Do the payload bytes of a sent segment belong to the stack's stream? */
bool sent_is_stream(const struct peer *peer, const struct sent *sent);

uint64_t world_count(const struct world *world, enum counter counter);

static inline struct client *client_of(struct tcp_conn *conn) {
    return tcp_conn_app(conn);
}

#endif
