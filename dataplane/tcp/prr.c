/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/prr.h"

uint32_t prr_window(struct prr *prr, uint32_t delivered, uint32_t pipe, uint32_t ssthresh,
                    uint32_t mss, bool safe) {
    int64_t count;
    prr->delivered += delivered;
    if (pipe > ssthresh) {
        uint64_t share = (uint64_t)prr->delivered * ssthresh;
        uint32_t total = prr->recover_fs ? prr->recover_fs : 1;
        count = (int64_t)((share + total - 1) / total) - prr->out;
    } else {
        /* The conservative bound, PRR-CRB; a round that goes well may catch up, PRR-SSRB. */
        count = (int64_t)prr->delivered - prr->out;
        if (count < delivered)
            count = delivered;
        if (safe)
            count += mss;
        if (count > (int64_t)ssthresh - pipe)
            count = (int64_t)ssthresh - pipe;
    }
    /* The first retransmission of a recovery always goes out. */
    if (prr->out == 0 && count < mss)
        count = mss;
    return count > 0 ? pipe + (uint32_t)count : pipe;
}
