/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/reassembly.h"

#include <string.h>

#include "dataplane/tcp/seq.h"

struct chunk {
    ref_t next;
    uint32_t seq;    /* of the first byte */
    uint16_t offset; /* of the first byte in bytes[] */
    uint16_t len;
    uint16_t room; /* of bytes[] */
    uint16_t spare;
    uint8_t bytes[];
};

enum {
    ROOM_MIN = 48,   /* with the header, 64 bytes */
    ROOM_MORE = 1008 /* a chunk that continues another one, or twice as much as that has: more is
                      * likely to follow, and long runs take few chunks */
};

static struct chunk *chunk_at(const struct pool *pool, ref_t ref) {
    return ref ? (struct chunk *)arena_at(pool->base, ref) : NULL;
}

static uint32_t chunk_end(const struct chunk *chunk) {
    return chunk->seq + chunk->len;
}

static void chunk_free(struct reassembly *in, struct pool *pool, struct chunk *chunk) {
    size_t size = sizeof *chunk + chunk->room;
    in->memory -= (uint32_t)size;
    in->chunks--;
    pool_free(pool, chunk, size);
}

/* Appends to `before` what fits into its room. */
static uint32_t extend(struct chunk *before, const uint8_t *data, uint32_t len) {
    uint32_t used = (uint32_t)before->offset + before->len;
    uint32_t take = before->room - used;
    if (take > len)
        take = len;
    memcpy(before->bytes + used, data, take);
    before->len = (uint16_t)(before->len + take);
    return take;
}

/* A new chunk behind `before` (at the front if NULL), or NULL. */
static struct chunk *add(struct reassembly *in, struct pool *pool, struct chunk *before,
                         uint32_t seq, uint32_t len, const struct reassembly_limits *limits) {
    bool continues = before && chunk_end(before) == seq;
    uint32_t room = len > REASSEMBLY_CHUNK_MAX ? REASSEMBLY_CHUNK_MAX : len;
    uint32_t least = ROOM_MIN;
    if (continues)
        least = before->room > ROOM_MORE / 2 ? 2u * before->room : ROOM_MORE;
    if (room < least)
        room = least < REASSEMBLY_CHUNK_MAX ? least : REASSEMBLY_CHUNK_MAX;
    size_t size = sizeof(struct chunk) + room;
    if (in->memory + size > limits->memory || in->chunks >= limits->chunks)
        return NULL;
    struct chunk *chunk = pool_alloc(pool, size);
    if (!chunk)
        return NULL;
    ref_t ref = arena_ref(pool->base, chunk);
    *chunk = (struct chunk){.seq = seq, .room = (uint16_t)room};
    if (before) {
        chunk->next = before->next;
        before->next = ref;
    } else {
        chunk->next = in->first;
        in->first = ref;
    }
    if (!chunk->next)
        in->last = ref;
    in->memory += (uint32_t)size;
    in->chunks++;
    return chunk;
}

uint32_t reassembly_insert(struct reassembly *in, struct pool *pool, uint32_t seq,
                           const uint8_t *data, uint32_t len,
                           const struct reassembly_limits *limits) {
    uint32_t at = seq, end = seq + len;
    struct chunk *before = NULL;
    struct chunk *after = chunk_at(pool, in->first);
    /* The usual place is the end. */
    struct chunk *last = chunk_at(pool, in->last);
    if (last && seq_geq(seq, last->seq)) {
        before = last;
        after = NULL;
    }
    while (after && seq_leq(after->seq, at)) {
        before = after;
        after = chunk_at(pool, after->next);
    }
    /* Here and below: before begins at or before `at`, after begins behind it. */
    while (seq_lt(at, end)) {
        if (before && seq_lt(at, chunk_end(before)))
            at = chunk_end(before);
        if (after && seq_leq(after->seq, at)) {
            before = after;
            after = chunk_at(pool, after->next);
            continue;
        }
        if (!seq_lt(at, end))
            break;
        uint32_t hole = end - at;
        if (after && seq_lt(after->seq, end))
            hole = after->seq - at;
        uint32_t done = 0;
        if (before && chunk_end(before) == at)
            done = extend(before, data + (at - seq), hole);
        if (done == 0) {
            struct chunk *chunk = add(in, pool, before, at, hole, limits);
            if (!chunk)
                return at - seq;
            before = chunk;
            done = extend(chunk, data + (at - seq), hole);
        }
        at += done;
    }
    return len;
}

uint32_t reassembly_reach(const struct reassembly *in, const struct pool *pool, uint32_t seq) {
    for (const struct chunk *chunk = chunk_at(pool, in->first); chunk;
         chunk = chunk_at(pool, chunk->next)) {
        if (seq_gt(chunk->seq, seq))
            break;
        seq = seq_max(seq, chunk_end(chunk));
    }
    return seq;
}

const uint8_t *reassembly_peek(const struct reassembly *in, const struct pool *pool, uint32_t seq,
                               uint32_t *len) {
    const struct chunk *chunk = chunk_at(pool, in->first);
    if (!chunk || seq_gt(chunk->seq, seq) || seq_leq(chunk_end(chunk), seq))
        return NULL;
    uint32_t skip = seq - chunk->seq;
    *len = chunk->len - skip;
    return chunk->bytes + chunk->offset + skip;
}

bool reassembly_overlap(const struct reassembly *in, const struct pool *pool, uint32_t seq,
                        uint32_t end, struct tcp_sack_block *piece) {
    const struct chunk *last = chunk_at(pool, in->last);
    if (!last || seq_leq(chunk_end(last), seq))
        return false;
    const struct chunk *chunk = chunk_at(pool, in->first);
    while (chunk && seq_leq(chunk_end(chunk), seq))
        chunk = chunk_at(pool, chunk->next);
    if (!chunk || !seq_lt(chunk->seq, end))
        return false;
    piece->left = seq_max(chunk->seq, seq);
    piece->right = chunk_end(chunk);
    while ((chunk = chunk_at(pool, chunk->next)) != NULL && chunk->seq == piece->right)
        piece->right = chunk_end(chunk);
    if (seq_gt(piece->right, end))
        piece->right = end;
    return true;
}

void reassembly_consume(struct reassembly *in, struct pool *pool, uint32_t seq) {
    struct chunk *chunk;
    while ((chunk = chunk_at(pool, in->first)) != NULL && seq_leq(chunk_end(chunk), seq)) {
        in->first = chunk->next;
        chunk_free(in, pool, chunk);
    }
    if (!chunk) {
        in->last = 0;
    } else if (seq_lt(chunk->seq, seq)) {
        uint32_t skip = seq - chunk->seq;
        chunk->seq = seq;
        chunk->offset = (uint16_t)(chunk->offset + skip);
        chunk->len = (uint16_t)(chunk->len - skip);
    }
}

unsigned reassembly_cut(struct reassembly *in, struct pool *pool, uint32_t seq) {
    ref_t *link = &in->first;
    unsigned cut = 0;
    in->last = 0;
    while (*link && seq_lt(chunk_at(pool, *link)->seq, seq)) {
        in->last = *link;
        link = &chunk_at(pool, *link)->next;
    }
    for (ref_t ref = *link; ref; cut++) {
        struct chunk *chunk = chunk_at(pool, ref);
        ref = chunk->next;
        chunk_free(in, pool, chunk);
    }
    *link = 0;
    return cut;
}

void reassembly_clear(struct reassembly *in, struct pool *pool) {
    struct chunk *chunk;
    while ((chunk = chunk_at(pool, in->first)) != NULL) {
        in->first = chunk->next;
        chunk_free(in, pool, chunk);
    }
    in->last = 0;
}

unsigned reassembly_blocks(const struct reassembly *in, const struct pool *pool, uint32_t rcv_nxt,
                           uint32_t recent, struct tcp_sack_block *blocks, unsigned max) {
    unsigned count = 0;
    bool first_found = false;
    const struct chunk *chunk = chunk_at(pool, in->first);
    while (chunk) {
        if (seq_leq(chunk->seq, rcv_nxt)) {
            chunk = chunk_at(pool, chunk->next);
            continue;
        }
        struct tcp_sack_block block = {.left = chunk->seq, .right = chunk_end(chunk)};
        while ((chunk = chunk_at(pool, chunk->next)) != NULL && chunk->seq == block.right)
            block.right = chunk_end(chunk);
        if (!first_found && seq_within(recent, block.left, block.right - block.left)) {
            /* The latest goes in front of those found before it, pushing out the last if need be.
             */
            first_found = true;
            if (count < max)
                count++;
            memmove(blocks + 1, blocks, (count - 1) * sizeof *blocks);
            blocks[0] = block;
        } else if (count < max) {
            blocks[count++] = block;
        }
    }
    return count;
}
