/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mqtt/memory.h"

#include <stdlib.h>

enum { SPAN = 1 << ARENA_SPAN_SHIFT };

void memory_open(struct memory *memory, size_t size, uint8_t self) {
    memory->range = aligned_alloc(SPAN, size);
    memory->state = calloc(1, arena_footprint(size));
    if (memory->range == NULL || memory->state == NULL)
        abort();
    memory->arena = arena_init(memory->state, memory->range, size, size);
    pool_init(&memory->pool, memory->arena);
    memory->parcels = (struct parcels){.pool = &memory->pool, .self = self};
}

void memory_close(struct memory *memory) {
    arena_fail_after(memory->arena, 0);
    free(memory->state);
    free(memory->range);
}

uint64_t memory_objects(const struct memory *memory) {
    uint64_t used = 0;

    for (unsigned i = 0; i < POOL_CLASSES; i++)
        used += memory->pool.classes[i].used;
    return used;
}

struct message *memory_message(struct memory *memory, const char *topic, uint32_t payload_len,
                               uint8_t fill) {
    uint16_t topic_len = (uint16_t)strlen(topic);
    struct message *message = message_new(&memory->parcels, topic_len, payload_len);

    if (message == NULL)
        abort();
    memcpy(message->bytes + 2, topic, topic_len);
    memset(message->bytes + 2 + topic_len, fill, payload_len);
    return message;
}
