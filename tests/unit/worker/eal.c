/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/eal.h"

#include <stdio.h>

#include "drivers/eal.h"

struct rte_mempool *mempool;

int eal_open(void **state) {
    const struct config config = {.workers = {.count = 1, .packet_memory_mib = 64}};
    char error[512];
    if (eal_start(&config, error, sizeof error) < 0) {
        fprintf(stderr, "%s\n%s", error, eal_log());
        return -1;
    }
    mempool =
        rte_pktmbuf_pool_create("frames", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
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

struct rte_mbuf *numbered_frame(uint32_t number) {
    struct rte_mbuf *frame = rte_pktmbuf_alloc(mempool);
    assert_non_null(frame);
    *(uint32_t *)(void *)rte_pktmbuf_append(frame, sizeof number) = number;
    return frame;
}

uint32_t frame_number(struct rte_mbuf *frame) {
    assert_int_equal(frame->pkt_len, sizeof(uint32_t));
    uint32_t number = *rte_pktmbuf_mtod(frame, const uint32_t *);
    rte_pktmbuf_free(frame);
    return number;
}
