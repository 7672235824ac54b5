/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table: keyed hash of a tuple -> 32-bit ref. A bucket is one cache line of ten 16-bit
 * tags and ten refs; what does not fit lies in one of the next buckets, and its home bucket knows
 * how far off.
 *
 *     tag 0..9 | overflow | reach | ref 0..9
 *
 * The table does not know what a ref names: the caller's `match` decides whether a ref with the
 * right tag is the flow sought. The cost of a lookup is its two cache misses, bucket and object;
 * flow_batch overlaps those of a whole burst.
 *
 * Thread: the owner. Pure but for flow_init and flow_fini, which use the heap.
 */
#ifndef LINEMQ_TCP_FLOW_H
#define LINEMQ_TCP_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    FLOW_BUCKET_ENTRIES = 10,
    /* Entries planned for a bucket: 9.1 bytes for each. Of a hundred that are there three lie
     * outside their home bucket, and a search in vain looks at 1.16 buckets. */
    FLOW_FILL = 7,
    FLOW_REACH_MAX = 32, /* buckets that an insert tries beyond its home */
};

struct flow_bucket {
    uint16_t tag[FLOW_BUCKET_ENTRIES]; /* 0 = empty */
    uint16_t overflow;                 /* entries of this bucket that lie elsewhere */
    uint16_t reach;                    /* and how many buckets on at most */
    uint32_t ref[FLOW_BUCKET_ENTRIES];
};
_Static_assert(sizeof(struct flow_bucket) == 64, "a bucket is a cache line");

struct flow {
    struct flow_bucket *buckets; /* count + FLOW_REACH_MAX: the last bucket reaches on, too */
    uint32_t count;
    uint32_t entries;
    void *memory; /* what buckets were aligned in */
};

/* For up to `entries_max` entries. False: no memory. */
bool flow_init(struct flow *flow, uint32_t entries_max);
void flow_fini(struct flow *flow);

size_t flow_bytes(const struct flow *flow);

/* False: no room near the home bucket (the table is far beyond its planned size). */
bool flow_insert(struct flow *flow, uint64_t hash, uint32_t ref);
/* False: it was not there. */
bool flow_remove(struct flow *flow, uint64_t hash, uint32_t ref);
/* Puts `by` where `ref` was. */
bool flow_replace(struct flow *flow, uint64_t hash, uint32_t ref, uint32_t by);

/* The ref at a position 0 .. flow_positions() - 1, or 0. For walks over all entries. */
static inline uint64_t flow_positions(const struct flow *flow) {
    return ((uint64_t)flow->count + FLOW_REACH_MAX) * FLOW_BUCKET_ENTRIES;
}

static inline uint32_t flow_at(const struct flow *flow, uint64_t position) {
    const struct flow_bucket *bucket = &flow->buckets[position / FLOW_BUCKET_ENTRIES];
    unsigned i = (unsigned)(position % FLOW_BUCKET_ENTRIES);
    return bucket->tag[i] ? bucket->ref[i] : 0;
}

static inline struct flow_bucket *flow_home(const struct flow *flow, uint64_t hash) {
    return &flow->buckets[((hash >> 32) * flow->count) >> 32];
}

static inline uint16_t flow_tag(uint64_t hash) {
    uint16_t tag = (uint16_t)hash;
    return tag ? tag : 1;
}

/* Bit i: tag i is `tag`. Compilers do not find the vector compare. It is worth 7 against 10 ns a
 * lookup with all in cache, and 66 against 105 ns in a batch of 32 at ten million entries.
 */
static inline unsigned flow_tags(const struct flow_bucket *bucket, uint16_t tag) {
    unsigned bits = 0, i = 0;
#ifdef __SSE2__
    __m128i eight = _mm_load_si128((const __m128i *)bucket->tag);
    __m128i equal = _mm_cmpeq_epi16(eight, _mm_set1_epi16((short)tag));
    bits = (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128()));
    i = 8;
#endif
    for (; i < FLOW_BUCKET_ENTRIES; i++)
        bits |= (unsigned)(bucket->tag[i] == tag) << i;
    return bits;
}

static inline void flow_prefetch(const struct flow *flow, uint64_t hash) {
    __builtin_prefetch(flow_home(flow, hash));
}

/* The first ref in the home bucket with the right tag, most likely the one sought, or 0. */
static inline uint32_t flow_first(const struct flow *flow, uint64_t hash) {
    const struct flow_bucket *bucket = flow_home(flow, hash);
    unsigned bits = flow_tags(bucket, flow_tag(hash));
    return bits ? bucket->ref[__builtin_ctz(bits)] : 0;
}

typedef bool flow_match(const void *argument, const void *key, uint32_t ref);

/* The ref for which `match` is true, or 0. */
static inline uint32_t flow_find(const struct flow *flow, uint64_t hash, flow_match *match,
                                 const void *argument, const void *key) {
    const struct flow_bucket *home = flow_home(flow, hash);
    const struct flow_bucket *last = home + home->reach;
    uint16_t tag = flow_tag(hash);
    for (const struct flow_bucket *bucket = home; bucket <= last; bucket++) {
        for (unsigned bits = flow_tags(bucket, tag); bits; bits &= bits - 1) {
            uint32_t ref = bucket->ref[__builtin_ctz(bits)];
            if (match(argument, key, ref))
                return ref;
        }
    }
    return 0;
}

/* Brings in what flow_find will touch for a burst: first all buckets, then the first `lines` cache
 * lines of each likely object, which lies at base + (ref << unit_shift). */
static inline void flow_batch(const struct flow *flow, const uint64_t *hashes, unsigned count,
                              const void *base, unsigned unit_shift, unsigned lines) {
    for (unsigned i = 0; i < count; i++)
        flow_prefetch(flow, hashes[i]);
    for (unsigned i = 0; i < count; i++) {
        uint32_t ref = flow_first(flow, hashes[i]);
        const uint8_t *object = (const uint8_t *)base + ((size_t)ref << unit_shift);
        if (ref)
            for (unsigned line = 0; line < lines; line++)
                __builtin_prefetch(object + 64 * (size_t)line);
    }
}

#endif
