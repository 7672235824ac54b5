/* SPDX-License-Identifier: Apache-2.0 */
/* packetdrill's side of the stack from the inside: one connection, its packets and its clock. */
#ifndef LINEMQ_TESTS_PACKET_PACKETDRILL_SHIM_H
#define LINEMQ_TESTS_PACKET_PACKETDRILL_SHIM_H

#include <sys/time.h>
#include <unistd.h>

#include "dataplane/tcp/stack.h"

enum { PACKETS = 1024, PACKET_MAX = 2048, LINUX_MSS = 1460 };

struct packet {
    uint64_t at;
    uint32_t len;
    uint8_t bytes[PACKET_MAX];
};

struct shim {
    uint64_t now;
    int fd;
    uint16_t port, maxseg;
    struct tcp *tcp;
    struct counters counters;
    struct pool pool;
    struct tcp_conn *conn;
    bool opened, accepted, swallow, fin, reset, shut, shut_read;
    bool own_timestamps; /* the script has them: none are added */
    bool offered_shift, offered_sack;
    uint32_t latest; /* time stamp of the stack */
    uint32_t first;  /* the number of the byte that opens the connection */
    uint64_t received, read;
    struct tcp_tuple tuple;
    struct packet out[PACKETS];
    unsigned out_first, out_count;
};
extern struct shim shim;

/* All that is to be done at this time. */
void shim_settle(void);

/* Of packetdrill's table: packets in both directions, and time. */
int shim_netdev_send(void *userdata, const void *buf, size_t count);
int shim_netdev_receive(void *userdata, void *buf, size_t *count, long long *time_usecs);
int shim_usleep(void *userdata, useconds_t usec);
int shim_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz);

#endif
