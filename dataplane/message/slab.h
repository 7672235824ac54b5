/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of one size in spans of an arena. Allocation and release are a few instructions.
 * A span that becomes empty goes back to the arena, but for the last one with room, which the slab
 * keeps in hand (slab_trim gives it back too).
 *
 * With SLAB_KEEP no span goes back: the memory of a freed object stays an object of this slab for
 * ever, so that a stale ref can still be read and found out by its generation number. A freed
 * object's first four bytes hold the slab's own link; the others keep what they held.
 *
 * Thread: the arena's owner.
 */
#ifndef LINEMQ_MESSAGE_SLAB_H
#define LINEMQ_MESSAGE_SLAB_H

#include "dataplane/message/arena.h"

enum slab_flags { SLAB_KEEP = 1 };

struct slab {
    struct arena *arena;
    const char *name;
    uint32_t object_size; /* rounded up to 16 bytes */
    uint32_t per_span;
    uint32_t span_order;
    uint32_t flags;
    uint64_t used;   /* objects handed out; this and the next two: any thread may read (relaxed) */
    uint64_t spans;  /* spans held, of 64 KiB << span_order */
    uint64_t failed; /* allocations refused */
    struct span *partial; /* spans with room; private */
};

/* `name` is a string literal shown by `ctl memory show`; `object_size` at most 512 KiB. The struct
 * stays where it is from then on. */
void slab_init(struct slab *slab, struct arena *arena, const char *name, size_t object_size,
               unsigned flags);

/* Uninitialised memory aligned to 16 bytes (64 when object_size is a multiple of 64), or NULL. */
void *slab_alloc(struct slab *slab);
void slab_free(struct slab *slab, void *object);

/* Gives the empty span in hand back to the arena. False: there was none. */
bool slab_trim(struct slab *slab);

/* Bytes of the spans held. */
static inline uint64_t slab_bytes(const struct slab *slab) {
    return slab->spans << (ARENA_SPAN_SHIFT + slab->span_order);
}

/* Is this an object of the slab's, handed out now or (surely only with SLAB_KEEP) once before? Any
 * pointer may be asked about. */
bool slab_holds(const struct slab *slab, const void *object);

#endif
