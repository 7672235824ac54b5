/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Received bytes that wait: in order but not yet taken by the application, or out of order. One
 * list of chunks sorted by sequence number, without overlaps; filling a hole copies nothing.
 *
 *         unread        rcv_nxt    hole          out of order
 *     [chunk][chunk........]|                [chunk..][chunk]
 *
 * Where a new segment overlaps what is here, the bytes that came first stay.
 *
 * Memory comes from the pool. Thread: the pool's owner.
 */
#ifndef LINEMQ_TCP_REASSEMBLY_H
#define LINEMQ_TCP_REASSEMBLY_H

#include "dataplane/message/pool.h"
#include "dataplane/tcp/options.h"

enum {
    REASSEMBLY_CHUNK_MAX = 4080, /* bytes of payload that a chunk has room for */
    REASSEMBLY_CHUNKS_MAX = 64,  /* out-of-order segments do not take more: bounds the walks */
};

struct reassembly {
    ref_t first, last;
    uint32_t memory; /* bytes allocated */
    uint16_t chunks;
    uint16_t spare;
};

struct reassembly_limits {
    uint32_t memory;
    uint16_t chunks;
};

/* Takes over a copy of the bytes of [seq, seq + len) that are not here yet. Returns the number of
 * bytes from seq on that are here without a hole; less than len when memory or a limit ran out. */
uint32_t reassembly_insert(struct reassembly *in, struct pool *pool, uint32_t seq,
                           const uint8_t *data, uint32_t len,
                           const struct reassembly_limits *limits);

/* The sequence number up to which there is no hole from `seq` on. */
uint32_t reassembly_reach(const struct reassembly *in, const struct pool *pool, uint32_t seq);

/* The bytes at `seq` that lie together, or NULL if the first chunk does not begin at or before it.
 */
const uint8_t *reassembly_peek(const struct reassembly *in, const struct pool *pool, uint32_t seq,
                               uint32_t *len);

/* What of [seq, end) is here already: the first piece without a hole. False: nothing. */
bool reassembly_overlap(const struct reassembly *in, const struct pool *pool, uint32_t seq,
                        uint32_t end, struct tcp_sack_block *piece);

/* Forgets all before `seq`. */
void reassembly_consume(struct reassembly *in, struct pool *pool, uint32_t seq);
/* Forgets all that begins at or behind `seq`; how many chunks that were. */
unsigned reassembly_cut(struct reassembly *in, struct pool *pool, uint32_t seq);
void reassembly_clear(struct reassembly *in, struct pool *pool);

/* Out-of-order ranges beyond rcv_nxt for SACK (RFC 2018 4): the one that holds `recent` first.
 * Returns how many, at most `max`. */
unsigned reassembly_blocks(const struct reassembly *in, const struct pool *pool, uint32_t rcv_nxt,
                           uint32_t recent, struct tcp_sack_block *blocks, unsigned max);

#endif
