/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers for what a device has in flight, holds out of order or has half received: two sizes, in
 * two regions that are touched only as far as they are used. A device refers to them by 32-bit
 * refs; 0 is none. One thread.
 */
#ifndef LINEMQ_LOADGEN_CHUNK_H
#define LINEMQ_LOADGEN_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHUNK_SMALL = 256, /* bytes with their header */
    CHUNK_LARGE = 2048,
    CHUNK_HEADER = 16,
    CHUNK_ROOM_MAX = CHUNK_LARGE - CHUNK_HEADER,
};

enum chunk_flag {
    CHUNK_SEALED = 1,  /* nothing is appended */
    CHUNK_SENT = 2,    /* once at least */
    CHUNK_PARTIAL = 4, /* the application's: a packet that is not all there */
};

struct chunk {
    uint32_t next; /* ref */
    uint32_t seq;  /* of its first byte */
    uint16_t len, room;
    uint8_t flags; /* enum chunk_flag */
    uint8_t spare[3];
    uint8_t data[];
};

struct chunk_class {
    uint8_t *base;
    uint32_t size, count, fresh, free; /* fresh: the first never used; free: list of used ones */
    uint32_t used, used_max;
};

struct chunks {
    struct chunk_class classes[2];
};

/* Reserves the address ranges; false: none left. */
bool chunks_open(struct chunks *chunks, uint32_t small, uint32_t large);
void chunks_close(struct chunks *chunks);

/* With room for at least `room` bytes (at most CHUNK_ROOM_MAX), all fields zero but `room`; 0: all
 * are in use. */
uint32_t chunk_new(struct chunks *chunks, uint32_t room);
void chunk_free(struct chunks *chunks, uint32_t ref);
/* A list. */
void chunk_free_all(struct chunks *chunks, uint32_t ref);

static inline struct chunk *chunk_at(const struct chunks *chunks, uint32_t ref) {
    const struct chunk_class *class = &chunks->classes[ref >> 31];
    return (struct chunk *)(class->base + (size_t)((ref & INT32_MAX) - 1) * class->size);
}

#endif
