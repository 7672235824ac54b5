/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topics under $SYS/broker, with the names that mosquitto gave them: retained QoS 0 messages,
 * published by the first shard at an interval, each only when its value has changed.
 *
 * Thread: the first shard.
 */
#ifndef LINEMQ_CONTROL_STATUS_SYS_H
#define LINEMQ_CONTROL_STATUS_SYS_H

#include <stdint.h>

struct router;
struct sys;

/* What is published, gathered at each interval; since the start unless said otherwise. */
struct sys_figures {
    const char *version;
    uint64_t uptime;                    /* seconds */
    uint64_t connected, disconnected;   /* clients; those with a persistent session */
    uint64_t expired;                   /* persistent sessions */
    uint64_t messages_in, messages_out; /* control packets */
    uint64_t publish_in, publish_out, publish_dropped;
    uint64_t publish_bytes_in, publish_bytes_out;
    uint64_t bytes_in, bytes_out;
    uint64_t sockets, connects;    /* TCP connections opened; CONNECT packets */
    uint64_t stored, stored_bytes; /* now: messages kept, queued ones included */
    uint64_t retained;             /* now */
    uint64_t subscriptions;        /* now */
    /* now, bytes: what the C library's heap has handed out (jemalloc's stats.allocated), and what
     * workers and shards use of their arenas: connections, sessions, queues, messages, topics. Not
     * the packet buffers and what else DPDK keeps, which is set aside once at start. */
    uint64_t memory;
};

/* `interval` in seconds, not 0. NULL: no memory. */
struct sys *sys_create(struct router *router, unsigned interval,
                       void (*collect)(void *argument, uint64_t wall_clock,
                                       struct sys_figures *figures),
                       void *argument);
void sys_destroy(struct sys *sys); /* NULL is fine */

/* Once a turn; publishes when it is time. Microseconds. */
void sys_turn(struct sys *sys, uint64_t now, uint64_t wall_clock);

struct registry;
/* Gathers them from all threads. `registry` is a struct registry. */
void sys_collect(void *registry, uint64_t wall_clock, struct sys_figures *figures);

#endif
