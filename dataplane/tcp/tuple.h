/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of a connection. struct tcp_tuple itself is in tcp.h. Pure. */
#ifndef LINEMQ_TCP_TUPLE_H
#define LINEMQ_TCP_TUPLE_H

#include <string.h>

#include "dataplane/tcp/tcp.h"

enum { TUPLE_BYTES = 36 };

/* The bytes that hashes are made of: both addresses, both ports. */
static inline void tuple_bytes(const struct tcp_tuple *tuple, uint8_t bytes[TUPLE_BYTES]) {
    memcpy(bytes, tuple->remote, 16);
    memcpy(bytes + 16, tuple->local, 16);
    memcpy(bytes + 32, &tuple->remote_port, 2);
    memcpy(bytes + 34, &tuple->local_port, 2);
}

/* ::ffff:a.b.c.d */
static inline bool tuple_is_mapped(const uint8_t address[16]) {
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(address, prefix, 12) == 0;
}

static inline void tuple_map(uint8_t address[16], uint32_t ipv4) {
    memset(address, 0, 10);
    memset(address + 10, 0xff, 2);
    memcpy(address + 12, &ipv4, 4);
}

static inline uint32_t tuple_mapped(const uint8_t address[16]) {
    uint32_t ipv4;
    memcpy(&ipv4, address + 12, 4);
    return ipv4;
}

#endif
