/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every counter of the dataplane and every reason to drop something: one list that feeds `ctl`,
 * $SYS, the metrics and the documentation. Nothing is dropped without a line here.
 *
 * X(IDENTIFIER, "name", KIND, "one sentence")   KIND: DROP what was thrown away or refused, COUNT
 *
 * Thread: each thread adds to its own struct counters with plain additions; anybody may read with
 * relaxed loads.
 */
#ifndef LINEMQ_BASE_COUNTERS_H
#define LINEMQ_BASE_COUNTERS_H

#include <stdint.h>

#include "dataplane/base/counters_list.h"

enum counter_kind { COUNTER_KIND_COUNT, COUNTER_KIND_DROP };

enum counter {
#define X(id, name, kind, text) COUNTER_##id,
    LINEMQ_COUNTERS(X)
#undef X
        COUNTERS
};

struct counters {
    uint64_t value[COUNTERS];
} __attribute__((aligned(64)));

struct counter_description {
    const char *name;
    const char *text;
    enum counter_kind kind;
};

extern const struct counter_description counter_descriptions[COUNTERS];

static inline void count_add(struct counters *counters, enum counter counter, uint64_t n) {
    uint64_t *value = &counters->value[counter];
    __atomic_store_n(value, *value + n, __ATOMIC_RELAXED);
}

static inline void count(struct counters *counters, enum counter counter) {
    count_add(counters, counter, 1);
}

static inline uint64_t counter_read(const struct counters *counters, enum counter counter) {
    return __atomic_load_n(&counters->value[counter], __ATOMIC_RELAXED);
}

#endif
