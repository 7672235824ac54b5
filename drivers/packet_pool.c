/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/packet_pool.h"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

#include "drivers/eal.h"

enum { POOL_CACHE = 256 };

static void memory_free(struct rte_mempool_memhdr *header, void *memzone) {
    rte_memzone_free(memzone);
}

/*
 * rte_mempool_populate_default, but for one thing: on pages of 4 KiB it gives each buffer pages of
 * its own, lest one be split in physical memory. Devices that work on such memory see virtual
 * addresses, and there is no such split. The flag that says so would also withhold the addresses
 * from the buffers, so that a device wrote and read anywhere; they are given here.
 */
static int populate_ordinary(struct rte_mempool *pool) {
    size_t chunk, align;
    ssize_t size = rte_mempool_op_calc_mem_size_default(pool, pool->size, 0, &chunk, &align);
    if (size < 0)
        return (int)size;
    const struct rte_memzone *memory =
        rte_memzone_reserve_aligned("frames_memory", (size_t)size, SOCKET_ID_ANY, 0, align);
    if (memory == NULL)
        return -rte_errno;
    int result = rte_mempool_populate_iova(pool, memory->addr, memory->iova, memory->len,
                                           memory_free, (void *)(uintptr_t)memory);
    if (result <= 0)
        rte_memzone_free(memory);
    pool->flags &= ~(unsigned)RTE_MEMPOOL_F_NON_IO;
    return result;
}

struct rte_mempool *packet_pool_create(unsigned buffers) {
    struct rte_pktmbuf_pool_private layout = {.mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE};
    unsigned flags = eal_hugepages() ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
    struct rte_mempool *pool = rte_mempool_create_empty(
        "frames", buffers, sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE, POOL_CACHE,
        sizeof layout, SOCKET_ID_ANY, flags);
    if (pool == NULL)
        return NULL;
    int result = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
    rte_pktmbuf_pool_init(pool, &layout);
    if (result == 0)
        result = eal_hugepages() ? rte_mempool_populate_default(pool) : populate_ordinary(pool);
    if (result != (int)buffers) {
        rte_mempool_free(pool);
        rte_errno = result < 0 ? -result : ENOMEM;
        return NULL;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
    return pool;
}
