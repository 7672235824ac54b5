/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/owner.h"

#include <rte_mbuf.h>
#include <rte_thash.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/interface.h"

void owner_init(struct owner *owner, const struct port *port, unsigned workers) {
    *owner = (struct owner){.workers = workers};
    if (!(port->offloads & PORT_RX_HASH))
        return;
    owner->reta_size = port->reta_size;
    for (unsigned i = 0; i + 4 <= port->rss_key_size; i += 4) {
        uint32_t word = load_be32(port->rss_key + i);
        memcpy(owner->key + i, &word, 4);
    }
}

uint32_t owner_toeplitz(const struct owner *owner, const struct tcp_tuple *tuple) {
    uint32_t words[9];
    unsigned count = 0;
    unsigned from = ipv4_is_mapped(tuple->local) ? 12 : 0;
    for (unsigned i = from; i < 16; i += 4)
        words[count++] = load_be32(tuple->remote + i);
    for (unsigned i = from; i < 16; i += 4)
        words[count++] = load_be32(tuple->local + i);
    words[count++] = (uint32_t)tuple->remote_port << 16 | tuple->local_port;
    return rte_softrss_be(words, count, owner->key);
}

unsigned owner_of(const struct owner *owner, const struct rte_mbuf *mbuf,
                  const struct tcp_tuple *tuple, uint64_t hash) {
    if (owner->workers > 1 && owner->reta_size != 0 && mbuf->ol_flags & RTE_MBUF_F_RX_RSS_HASH)
        return mbuf->hash.rss % owner->reta_size % owner->workers;
    return owner_of_flow(owner, tuple, hash);
}

unsigned owner_of_flow(const struct owner *owner, const struct tcp_tuple *tuple, uint64_t hash) {
    if (owner->workers <= 1)
        return 0;
    if (owner->reta_size != 0)
        return owner_toeplitz(owner, tuple) % owner->reta_size % owner->workers;
    /* Multiplied first, so that the flows of one worker do not share bits that the flow table uses.
     */
    uint32_t high = (uint32_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
    return (unsigned)(((uint64_t)high * owner->workers) >> 32);
}
