/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/admission.h"

#include <stdlib.h>

#include "dataplane/base/siphash.h"
#include "dataplane/tcp/tuple.h"

#define SECOND UINT64_C(1000000000) /* what a bucket holds, nanoseconds */

bool admission_init(struct admission *admission, const struct admission_limits *limits,
                    const uint8_t key[16]) {
    *admission = (struct admission){.bits4 = limits->bits4, .bits6 = limits->bits6};
    memcpy(admission->key, key, sizeof admission->key);
    bool prefixes = false;
    for (unsigned kind = 0; kind < ADMISSION_KINDS; kind++) {
        prefixes |= limits->prefix[kind] > 0;
        admission->prefix_step[kind] = limits->prefix[kind] ? SECOND / limits->prefix[kind] : 0;
        admission->worker_step[kind] = limits->worker[kind] ? SECOND / limits->worker[kind] : 0;
    }
    if (!prefixes)
        return true;
    admission->sets = calloc(ADMISSION_SETS, sizeof *admission->sets);
    return admission->sets != NULL;
}

void admission_fini(struct admission *admission) {
    free(admission->sets);
    admission->sets = NULL;
}

/* Whether one more fits into a bucket that is full at *full. */
static bool fits(uint64_t full, uint64_t step, uint64_t now) {
    return full <= now || full - now + step <= SECOND;
}

static void take(uint64_t *full, uint64_t step, uint64_t now) {
    *full = (*full > now ? *full : now) + step;
}

static uint64_t prefix_of(const struct admission *admission, const uint8_t address[16]) {
    unsigned bits = tuple_is_mapped(address) ? 96u + admission->bits4 : admission->bits6;
    uint8_t prefix[16];
    for (unsigned i = 0; i < 16; i++) {
        unsigned left = bits > 8 * i ? bits - 8 * i : 0;
        prefix[i] = left >= 8 ? address[i] : (uint8_t)(address[i] & ~(0xffu >> left));
    }
    uint64_t hash = siphash(admission->key, prefix, sizeof prefix);
    return hash ? hash : 1;
}

/* When all of a bucket is full again. */
static uint64_t all_full(const struct admission_bucket *bucket) {
    uint64_t full = 0;
    for (unsigned kind = 0; kind < ADMISSION_KINDS; kind++)
        if (bucket->full[kind] > full)
            full = bucket->full[kind];
    return full;
}

/* The bucket of a prefix: its own, or the place of one that is full or nearest to it. */
static struct admission_bucket *bucket_of(struct admission *admission, uint64_t prefix) {
    struct admission_bucket *set = admission->sets[(prefix >> 32) % ADMISSION_SETS];
    struct admission_bucket *place = set;
    for (unsigned i = 0; i < ADMISSION_WAYS; i++) {
        if (set[i].prefix == prefix)
            return &set[i];
        if (all_full(&set[i]) < all_full(place))
            place = &set[i];
    }
    *place = (struct admission_bucket){.prefix = prefix};
    return place;
}

enum admission_verdict admission_ask(struct admission *admission, enum admission_kind kind,
                                     const uint8_t address[16], uint64_t now) {
    uint64_t prefix_step = admission->prefix_step[kind];
    uint64_t worker_step = admission->worker_step[kind];
    struct admission_bucket *bucket = NULL;
    now *= 1000;
    if (prefix_step) {
        bucket = bucket_of(admission, prefix_of(admission, address));
        if (!fits(bucket->full[kind], prefix_step, now))
            return ADMISSION_PREFIX;
    }
    if (worker_step) {
        if (!fits(admission->worker_full[kind], worker_step, now))
            return ADMISSION_WORKER;
        take(&admission->worker_full[kind], worker_step, now);
    }
    if (bucket)
        take(&bucket->full[kind], prefix_step, now);
    return ADMISSION_GRANTED;
}
