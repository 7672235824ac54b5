/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/frame.h"

#include <rte_mbuf.h>

uint8_t *frame_reuse(struct frame *frame, const uint8_t *from, uint32_t len) {
    struct rte_mbuf *mbuf = frame->mbuf;
    mbuf->data_off = (uint16_t)(mbuf->data_off + (from - rte_pktmbuf_mtod(mbuf, uint8_t *)));
    mbuf->data_len = (uint16_t)len;
    mbuf->pkt_len = len;
    mbuf->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
    return rte_pktmbuf_mtod(mbuf, uint8_t *);
}

void frame_is_news(struct ether *ether, const struct frame *frame) {
    if (ether->workers == 1 || frame->handed_over)
        return;
    struct rte_mbuf *copy = NULL;
    if (ether->news == NULL)
        copy = rte_pktmbuf_copy(frame->mbuf, ether->mempool, 0, UINT32_MAX);
    if (copy == NULL)
        count(ether->counters, COUNTER_ETHER_NEWS_LOST);
    else
        ether->news = copy;
}
