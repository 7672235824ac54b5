/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address range of an arena, from the kernel: reserved at once, backed by memory as it is
 * touched (or at once on request), in huge pages where the kernel has transparent ones, and left
 * out of core dumps, which otherwise would hold every client's messages.
 *
 * Not pure: set-up and tear-down only, never on a worker's turn.
 */
#ifndef LINEMQ_MESSAGE_REGION_H
#define LINEMQ_MESSAGE_REGION_H

#include <stdbool.h>
#include <stddef.h>

struct region {
    void *base;  /* aligned to 2 MiB */
    size_t size; /* bytes, a multiple of 2 MiB */
};

/* Reserves at least `size` bytes of zeroed memory and backs the first `prefault` of them. False:
 * nothing is held, errno says why. */
bool region_reserve(struct region *region, size_t size, size_t prefault);

/* Backs the first `size` bytes, which may take seconds: before each 64 MiB it asks `go_on`, unless
 * that is NULL. False: errno says why, EINTR when `go_on` said no. */
bool region_back(struct region *region, size_t size, bool (*go_on)(void));
void region_release(struct region *region);

#endif
