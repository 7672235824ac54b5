/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own ends of connections: the few pairs of address and listening port, so that a connection
 * names its own by one byte. A pair stays for ever once a connection used it. Pure.
 */
#ifndef LINEMQ_TCP_LOCAL_H
#define LINEMQ_TCP_LOCAL_H

#include <string.h>

#include "dataplane/tcp/tcp.h"

enum { LOCALS_MAX = 256 };

struct local {
    uint8_t address[16];
    uint16_t port;
};

struct locals {
    struct local pairs[LOCALS_MAX];
    unsigned count;
    unsigned last; /* the one found last, most likely the next */
};

/* The pair's index, added when it is new; -1: there are too many. */
static inline int local_index(struct locals *locals, const struct tcp_tuple *tuple) {
    for (unsigned n = 0, i = locals->last; n < locals->count; n++) {
        const struct local *pair = &locals->pairs[i];
        if (pair->port == tuple->local_port && memcmp(pair->address, tuple->local, 16) == 0) {
            locals->last = i;
            return (int)i;
        }
        i = i + 1 < locals->count ? i + 1 : 0;
    }
    if (locals->count == LOCALS_MAX)
        return -1;
    struct local *pair = &locals->pairs[locals->count];
    memcpy(pair->address, tuple->local, 16);
    pair->port = tuple->local_port;
    locals->last = locals->count;
    return (int)locals->count++;
}

#endif
