/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one pinned thread that runs its NIC queues, TCP, MQTT and topic tables in a loop
 * (design: note the time once, receive, mail, timers, output, flush, and now and then report).
 *
 * Thread: worker_create and worker_destroy by the main thread; worker_run on the worker's lcore;
 * the gauges and counters are read by anyone.
 */
#ifndef LINEMQ_WORKER_WORKER_H
#define LINEMQ_WORKER_WORKER_H

#include "dataplane/ether/ether.h"
#include "dataplane/mqtt/mqtt.h"

struct worker;
struct handover;
struct clock;
struct standstill;

struct worker_config {
    unsigned self, workers;
    struct mailboxes *mailboxes;
    struct routes *routes;
    struct handover *handover;
    struct port *ports;
    unsigned ports_count;
    struct rte_mempool *mempool;
    const struct clock *clock;
    struct standstill *standstill; /* shared by all workers */
    struct tcp_config tcp;
    struct mqtt_config mqtt;
    struct router_limits router;
    size_t memory, memory_reserve; /* bytes: limit, address range */
    bool prefault;
    bool (*go_on)(void); /* false: worker_create is to fail soon; NULL: never */
    bool sleep;          /* idle profile: sleep, or spin */
};

/* NULL with a sentence in `error`. Set-up only. */
struct worker *worker_create(const struct worker_config *config, char *error, unsigned error_size);
void worker_destroy(struct worker *worker);

/* The loop; returns after worker_stop when all clients are closed. An lcore function. */
int worker_run(void *worker);

/* Any thread: says goodbye to the clients and ends the loop; `at_once` does not wait for them. */
void worker_stop(struct worker *worker, bool at_once);

/* Any thread: a link has come up, so the worker announces our addresses again. */
void worker_announce(struct worker *worker);

enum { WORKER_LATELY_S = 10 };

/* Published by the worker, read relaxed. TSC cycles. */
struct worker_gauges {
    uint64_t turns;       /* of the loop */
    uint64_t busy_turns;  /* that found something to do */
    uint64_t busy_cycles; /* spent in those */
    uint64_t idle_cycles; /* spent polling in vain */
    uint64_t sleep_cycles;
    uint64_t sleeps;
    /* Turns in which the kernel ran something else on the worker's CPU count apart: nobody knows
     * how long they were. */
    uint64_t longest_turn;      /* cycles of the longest other turn since the start, ... */
    uint64_t longest_lately;    /* ... and in the last WORKER_LATELY_S to twice that, by windows */
    uint64_t preempted_turns;   /* busy ones */
    uint64_t longest_preempted; /* by the clock, since the start */
    uint64_t packets;           /* frames handled */
    uint64_t connections, connected, clean_sessions, subscriptions;
    uint64_t memory_used;
    uint64_t mail_waiting; /* mails in backlogs */
    uint64_t pressure;     /* enum pressure_level of TCP */
};
const struct worker_gauges *worker_gauges(const struct worker *worker);
const struct counters *worker_counters(const struct worker *worker);
const struct mailroom *worker_mailroom(const struct worker *worker);

#endif
