/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's memory for the tests of the MQTT side. */
#ifndef LINEMQ_TESTS_MQTT_MEMORY_H
#define LINEMQ_TESTS_MQTT_MEMORY_H

#include "dataplane/message/message.h"

struct memory {
    void *state, *range;
    struct arena *arena;
    struct pool pool;
    struct parcels parcels; /* without a mailroom */
};

void memory_open(struct memory *memory, size_t size, uint8_t self);
void memory_close(struct memory *memory);

/* Objects of the pool that are handed out. */
uint64_t memory_objects(const struct memory *memory);

/* A message with `payload_len` bytes of payload, each `fill`. */
struct message *memory_message(struct memory *memory, const char *topic, uint32_t payload_len,
                               uint8_t fill);

#endif
