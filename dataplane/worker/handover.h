/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on their way to the worker that owns their flow: a ring of mbufs for each ordered pair of
 * workers. Needed when the NIC does not hash, hashes differently, or has fewer queues than there
 * are workers; one mechanism for all three.
 *
 * Thread: create and destroy by the main thread; the rest by the worker named.
 */
#ifndef LINEMQ_WORKER_HANDOVER_H
#define LINEMQ_WORKER_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/counters.h"

struct rte_mbuf;
struct handover;

/* NULL: no memory. */
struct handover *handover_create(unsigned workers, unsigned slots);
void handover_destroy(struct handover *handover);

/* How to wake a worker that sleeps; set before it runs. */
void handover_set_wake(struct handover *handover, unsigned worker, void (*wake)(void *argument),
                       void *argument);

/* Gives frames from `from` to the workers named in `owners`; what does not fit is freed and counted
 * in `counters`, like a NIC whose ring is full. */
void handover_send(struct handover *handover, unsigned from, struct rte_mbuf *const *frames,
                   const uint8_t *owners, unsigned count, struct counters *counters);

/* Takes up to `max` frames for `worker`, in turn from each sender. */
unsigned handover_receive(struct handover *handover, unsigned worker, struct rte_mbuf **frames,
                          unsigned max);

/* Wakes `worker` if it has announced sleep; after leaving something for it. */
void handover_wake(void *handover, unsigned worker);

/* The two ends of a sleep: announce it (false: there are frames, stay awake), and end it. */
bool handover_may_sleep(struct handover *handover, unsigned worker);
void handover_awake(struct handover *handover, unsigned worker);

#endif
