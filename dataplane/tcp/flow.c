/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/flow.h"

#include <stdlib.h>

bool flow_init(struct flow *flow, uint32_t entries_max) {
    uint32_t count = entries_max / FLOW_FILL + 1;
    /* calloc, because untouched pages of a large table cost nothing until they are used. */
    size_t size = ((size_t)count + FLOW_REACH_MAX) * sizeof(struct flow_bucket);
    void *memory = calloc(1, size + sizeof(struct flow_bucket));
    if (!memory)
        return false;
    uintptr_t aligned = ((uintptr_t)memory + sizeof(struct flow_bucket) - 1) &
                        ~(uintptr_t)(sizeof(struct flow_bucket) - 1);
    *flow =
        (struct flow){.buckets = (struct flow_bucket *)aligned, .count = count, .memory = memory};
    return true;
}

void flow_fini(struct flow *flow) {
    free(flow->memory);
    *flow = (struct flow){0};
}

size_t flow_bytes(const struct flow *flow) {
    return ((size_t)flow->count + FLOW_REACH_MAX) * sizeof(struct flow_bucket);
}

bool flow_insert(struct flow *flow, uint64_t hash, uint32_t ref) {
    struct flow_bucket *home = flow_home(flow, hash);
    for (unsigned distance = 0; distance <= FLOW_REACH_MAX; distance++) {
        struct flow_bucket *bucket = home + distance;
        unsigned empty = flow_tags(bucket, 0);
        if (!empty)
            continue;
        unsigned i = (unsigned)__builtin_ctz(empty);
        bucket->tag[i] = flow_tag(hash);
        bucket->ref[i] = ref;
        if (distance > 0) {
            home->overflow++;
            if (home->reach < distance)
                home->reach = (uint16_t)distance;
        }
        flow->entries++;
        return true;
    }
    return false;
}

/* Finds the very entry. */
static struct flow_bucket *locate(const struct flow *flow, uint64_t hash, uint32_t ref,
                                  unsigned *index) {
    struct flow_bucket *home = flow_home(flow, hash);
    for (struct flow_bucket *bucket = home; bucket <= home + home->reach; bucket++) {
        for (unsigned bits = flow_tags(bucket, flow_tag(hash)); bits; bits &= bits - 1) {
            *index = (unsigned)__builtin_ctz(bits);
            if (bucket->ref[*index] == ref)
                return bucket;
        }
    }
    return NULL;
}

bool flow_remove(struct flow *flow, uint64_t hash, uint32_t ref) {
    unsigned i;
    struct flow_bucket *home = flow_home(flow, hash);
    struct flow_bucket *bucket = locate(flow, hash, ref, &i);
    if (!bucket)
        return false;
    bucket->tag[i] = 0;
    bucket->ref[i] = 0;
    /* How far the remaining ones reach is not worth a search: it is forgotten with the last. */
    if (bucket != home && --home->overflow == 0)
        home->reach = 0;
    flow->entries--;
    return true;
}

bool flow_replace(struct flow *flow, uint64_t hash, uint32_t ref, uint32_t by) {
    unsigned i;
    struct flow_bucket *bucket = locate(flow, hash, ref, &i);
    if (!bucket)
        return false;
    bucket->ref[i] = by;
    return true;
}
