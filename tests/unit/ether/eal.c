/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ether/eal.h"

#include <stdio.h>

#include "drivers/eal.h"
#include "drivers/packet_pool.h"

struct rte_mempool *mempool;

int eal_open(void **state) {
    const struct config config = {.workers = {.count = 1, .packet_memory_mib = 64}};
    char error[512];
    if (eal_start(&config, error, sizeof error) < 0) {
        fprintf(stderr, "%s\n%s", error, eal_log());
        return -1;
    }
    mempool = packet_pool_create(4095);
    return mempool == NULL ? -1 : 0;
}

int eal_close(void **state) {
    rte_mempool_free(mempool);
    eal_stop();
    return 0;
}

int buffers_are_back(void **state) {
    assert_int_equal(rte_mempool_in_use_count(mempool), 0);
    return 0;
}
