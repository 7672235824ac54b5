/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of topics in the store, and how a filter leads through it. Pure.
 */
#ifndef LINEMQ_CONTROL_RETAINED_ORDER_H
#define LINEMQ_CONTROL_RETAINED_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A place in the order: before the topic head followed by tail. */
struct topic_place {
    const uint8_t *head, *tail;
    size_t head_len, tail_len;
};

/* < 0: the topic stands before the place; 0 exactly there; > 0 behind. */
int topic_order(const uint8_t *topic, size_t len, const struct topic_place *place);

enum topic_step {
    STEP_MATCH, /* the topic matches; go on with the one behind it */
    STEP_NEXT,  /* it does not; go on with the one behind it */
    STEP_SEEK,  /* it does not; go on at the place given */
    STEP_END,   /* neither does any behind it */
};

/* What `topic` means to a walk along `filter` (which has a wildcard). The place points into both.
 */
enum topic_step topic_step(const uint8_t *filter, size_t filter_len, const uint8_t *topic,
                           size_t len, struct topic_place *place);

/* Where the walk begins. */
struct topic_place topic_start(const uint8_t *filter, size_t len);

#endif
