/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics of which a subscription that is arriving was given a live message ahead of the stores'
 * answer: what a store has of them is older and not wanted any more. Known by topic_hash, each with
 * the youngest epoch delivered.
 *
 * Thread: the router's owner.
 */
#ifndef LINEMQ_TOPICS_OVERTAKEN_H
#define LINEMQ_TOPICS_OVERTAKEN_H

#include "dataplane/topics/topic_memory.h"

enum { OVERTAKEN_MAX = 1024 }; /* topics */

/* Zero at the start. */
struct overtaken {
    ref_t slots;
    uint16_t count;
    uint16_t room; /* slots, a power of two */
};

bool overtaken_has(const struct overtaken *overtaken, const struct topic_memory *memory,
                   uint64_t topic_hash);

/* Was a message of `epoch` or later of this topic delivered? */
bool overtaken_since(const struct overtaken *overtaken, const struct topic_memory *memory,
                     uint64_t topic_hash, uint64_t epoch);

/* Enters the topic, or a later epoch of it. False: no memory, or OVERTAKEN_MAX are known. */
bool overtaken_add(struct overtaken *overtaken, struct topic_memory *memory, uint64_t topic_hash,
                   uint64_t epoch);

void overtaken_free(struct overtaken *overtaken, struct topic_memory *memory);

#endif
