/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/capture/ring.h"

void capture_ring_init(struct capture_ring *ring, uint64_t size) {
    ring->size = size;
    ring->head = ring->seen_tail = ring->tail = 0;
}

static struct capture_record *record_at(struct capture_ring *ring, uint64_t position) {
    return (struct capture_record *)(ring->data + (position & (ring->size - 1)));
}

struct capture_record *capture_ring_room(struct capture_ring *ring, uint32_t len) {
    uint32_t size = (uint32_t)(sizeof(struct capture_record) + len + 7) & ~7u;
    uint64_t head = ring->head;
    uint64_t left = ring->size - (head & (ring->size - 1)); /* up to the end */
    uint64_t filler = left < size ? left : 0;
    if (ring->size - (head - ring->seen_tail) < size + filler) {
        /* Acquire: what the reader has dropped it does not read any more. */
        ring->seen_tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
        if (ring->size - (head - ring->seen_tail) < size + filler)
            return NULL;
    }
    if (filler > 0) {
        /* Sizes are multiples of 8, so there is room for a filler's size; its flags may lie behind
         * the end, so a filler of less than a record is told by its size alone. */
        struct capture_record *record = record_at(ring, head);
        record->size = (uint32_t)filler;
        if (filler >= sizeof *record)
            record->flags = CAPTURE_FILLER;
        head += filler;
        __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
    }
    struct capture_record *record = record_at(ring, head);
    record->size = size;
    return record;
}

void capture_ring_write(struct capture_ring *ring, struct capture_record *record) {
    __atomic_store_n(&ring->head, ring->head + record->size, __ATOMIC_RELEASE);
}

void capture_ring_drop(struct capture_ring *ring, const struct capture_record *record) {
    __atomic_store_n(&ring->tail, ring->tail + record->size, __ATOMIC_RELEASE);
}

const struct capture_record *capture_ring_peek(struct capture_ring *ring) {
    for (;;) {
        uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
        if (ring->tail == head)
            return NULL;
        const struct capture_record *record = record_at(ring, ring->tail);
        if (record->size >= sizeof *record && (record->flags & CAPTURE_FILLER) == 0)
            return record;
        capture_ring_drop(ring, record);
    }
}
