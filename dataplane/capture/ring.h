/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of captured frames between one worker and the control plane. Records lie in it whole, one
 * behind the other; one that does not fit before the end begins at the start, behind a filler.
 *
 *      tail                  head
 *       |  taken from here   |  written here
 *   +---+--------+-----------+---------------+
 *
 * Neither side waits: a full ring takes nothing.
 *
 * Thread: the worker writes, one control thread reads.
 */
#ifndef LINEMQ_CAPTURE_RING_H
#define LINEMQ_CAPTURE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum capture_record_flags {
    CAPTURE_SENT = 1, /* by us; else received */
    CAPTURE_FILLER = 2,
};

struct capture_record {
    uint32_t size; /* of the record, a multiple of 8 */
    uint32_t wire_len;
    uint64_t time; /* wall clock, microseconds since the epoch */
    uint32_t len;  /* bytes that were taken */
    uint8_t port;
    uint8_t flags; /* enum capture_record_flags */
    uint16_t spare;
    uint8_t bytes[];
};
_Static_assert(sizeof(struct capture_record) == 24, "what every frame costs beside its bytes");

struct capture_ring {
    uint64_t size;                              /* of data, a power of two; read-only */
    uint64_t head __attribute__((aligned(64))); /* the worker's; free running */
    uint64_t seen_tail;                         /* what the worker knows of tail */
    uint64_t tail __attribute__((aligned(64))); /* the reader's */
    uint8_t data[] __attribute__((aligned(64)));
};

/* `size`: a power of two, at least 64 KiB. The memory is zeroed or not. */
void capture_ring_init(struct capture_ring *ring, uint64_t size);

/* Room for a frame of `len` bytes (at most a sixteenth of the ring), to be filled in but for its
 * size and written by capture_ring_write; NULL: full. */
struct capture_record *capture_ring_room(struct capture_ring *ring, uint32_t len);
void capture_ring_write(struct capture_ring *ring, struct capture_record *record);

/* The oldest record, or NULL; it stays until capture_ring_drop. */
const struct capture_record *capture_ring_peek(struct capture_ring *ring);
void capture_ring_drop(struct capture_ring *ring, const struct capture_record *record);

#endif
