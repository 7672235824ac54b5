/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/message/region.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "dataplane/message/poison.h"

enum { SMALLEST_PAGE = 4096 };

static const size_t huge_page = (size_t)2 << 20;
static const size_t slice = (size_t)64 << 20;

static bool back(void *base, size_t size) {
    if (madvise(base, size, MADV_POPULATE_WRITE) == 0)
        return true;
    if (errno != EINVAL)
        return false;
    /* Kernels before 5.14. */
    for (size_t i = 0; i < size; i += SMALLEST_PAGE)
        ((volatile uint8_t *)base)[i] = 0;
    return true;
}

bool region_back(struct region *region, size_t size, bool (*go_on)(void)) {
    for (size_t done = 0, step; done < size; done += step) {
        step = size - done < slice ? size - done : slice;
        if (go_on != NULL && !go_on()) {
            errno = EINTR;
            return false;
        }
        if (!back((uint8_t *)region->base + done, step))
            return false;
    }
    return true;
}

bool region_reserve(struct region *region, size_t size, size_t prefault) {
    size = (size + huge_page - 1) & ~(huge_page - 1);
    if (prefault > size)
        prefault = size;
    uint8_t *range = mmap(NULL, size + huge_page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED)
        return false;
    size_t before = -(uintptr_t)range & (huge_page - 1);
    if (before != 0)
        munmap(range, before);
    uint8_t *base = range + before;
    munmap(base + size, huge_page - before);

    /* Advice: a kernel without transparent huge pages refuses, and that is as well. */
    madvise(base, size, MADV_HUGEPAGE);
    madvise(base, size, MADV_DONTDUMP);
    *region = (struct region){.base = base, .size = size};
    if (!region_back(region, prefault, NULL)) {
        int error = errno;
        region_release(region);
        errno = error;
        return false;
    }
    return true;
}

void region_release(struct region *region) {
    if (!region->base)
        return;
    unpoison(region->base, region->size);
    munmap(region->base, region->size);
    *region = (struct region){0};
}
