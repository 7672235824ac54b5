/* SPDX-License-Identifier: Apache-2.0 */
/* Messages made, referenced, copied and released on one thread; the argument is the payload. */
#include "dataplane/message/message.h"

#include "bench/micro/bench.h"

enum { TOPIC = 24, BATCH = 16, AGE = 1024 };

static bool open_parcels(struct bench_run *run, struct bench_memory *memory,
                         struct parcels *parcels) {
    if (!bench_memory_open(memory, (size_t)256 << 20)) {
        bench_failed(run, "no memory");
        return false;
    }
    *parcels = (struct parcels){.pool = &memory->pool};
    return true;
}

static void make(struct bench_run *run, int64_t payload) {
    struct bench_memory memory;
    struct parcels parcels;
    if (!open_parcels(run, &memory, &parcels))
        return;
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            struct message *message = message_new(&parcels, TOPIC, (uint32_t)payload);
            bench_use((uintptr_t)message);
            parcel_release(&parcels, message);
        }
    }
    bench_memory_close(&memory);
}

/* As in a broker under load: a message is released after a thousand others were made. */
static void age(struct bench_run *run, int64_t payload) {
    struct bench_memory memory;
    struct parcels parcels;
    if (!open_parcels(run, &memory, &parcels))
        return;
    struct message *alive[AGE] = {0};
    unsigned next = 0;
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            struct message **oldest = &alive[next++ % AGE];
            if (*oldest)
                parcel_release(&parcels, *oldest);
            *oldest = message_new(&parcels, TOPIC, (uint32_t)payload);
        }
    }
    bench_memory_close(&memory);
}

static void copy(struct bench_run *run, int64_t payload) {
    struct bench_memory memory;
    struct parcels parcels;
    if (!open_parcels(run, &memory, &parcels))
        return;
    struct message *message = message_new(&parcels, TOPIC, (uint32_t)payload);
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            struct message *other = message_copy(&parcels, message);
            bench_use((uintptr_t)other);
            parcel_release(&parcels, other);
        }
    }
    bench_memory_close(&memory);
}

static void reference(struct bench_run *run, int64_t argument) {
    struct bench_memory memory;
    struct parcels parcels;
    if (!open_parcels(run, &memory, &parcels))
        return;
    struct message *message = message_new(&parcels, TOPIC, 100);
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++)
            bench_use((uintptr_t)message_ref(message));
        for (unsigned i = 0; i < BATCH; i++)
            parcel_release(&parcels, message);
    }
    bench_memory_close(&memory);
}

void bench_message(void) {
    bench_add("message_new_release", make, 64);
    bench_add("message_new_release", make, 1024);
    bench_add("message_new_release", make, 65536);
    bench_add("message_new_release_later", age, 64);
    bench_add("message_copy_release", copy, 64);
    bench_add("message_copy_release", copy, 1024);
    bench_add("message_reference", reference, -1);
}
