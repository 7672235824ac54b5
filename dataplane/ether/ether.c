/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/ether.h"

#include <stdlib.h>

#include <rte_mbuf.h>

#include "dataplane/ether/arp.h"
#include "dataplane/ether/ethernet.h"
#include "dataplane/ether/icmp.h"
#include "dataplane/ether/ipv4.h"
#include "dataplane/ether/ipv6.h"
#include "dataplane/ether/nd.h"
#include "dataplane/ether/routers.h"
#include "dataplane/ether/segment.h"

enum {
    PREFETCH_AHEAD = 4,         /* frames */
    DEFEND_INTERVAL = 10000000, /* microseconds; DEFEND_INTERVAL of RFC 5227, 1.1 */
};

struct ether *ether_create(const struct ether_config *config, struct counters *counters) {
    if (config->ports_count > ETHER_PORTS_MAX)
        return NULL;
    struct ether *ether = calloc(1, sizeof *ether);
    if (ether == NULL)
        return NULL;
    ether->counters = counters;
    ether->mempool = config->mempool;
    ether->self = config->self;
    ether->workers = config->workers;
    ether->wake = config->wake;
    ether->wake_argument = config->wake_argument;
    memcpy(ether->flow_key, config->flow_key, sizeof ether->flow_key);
    ether->link = (struct tcp_link){
        .frame = segment_frame, .transmit = segment_transmit, .wait = segment_wait, .link = ether};
    ether->neighbours = neighbours_create(config->flow_key, counters);
    bool good = ether->neighbours != NULL;
    for (unsigned i = 0; good && i < config->ports_count; i++) {
        ether->interfaces_count = i + 1;
        owner_init(&ether->owners[i], &config->ports[i], config->workers);
        good = interface_init(&ether->interfaces[i], &config->ports[i], i) &&
               tx_init(&ether->interfaces[i].tx) == 0;
    }
    if (good)
        return ether;
    ether_destroy(ether);
    return NULL;
}

void ether_destroy(struct ether *ether) {
    for (unsigned i = 0; i < ether->interfaces_count; i++)
        tx_close(&ether->interfaces[i].tx);
    neighbours_destroy(ether->neighbours);
    free(ether);
}

static enum frame_fate frame_handle(struct ether *ether, struct frame *frame,
                                    struct ether_batch *batch) {
    if (rte_pktmbuf_linearize(frame->mbuf) != 0)
        return frame_drop(ether, COUNTER_ETHER_SEGMENTED);
    if (!ethernet_parse(ether, frame))
        return FRAME_FREE;
    switch (frame->type) {
    case ETHERTYPE_IPV4:
        if (!ipv4_parse(ether, frame))
            return FRAME_FREE;
        if (frame->protocol == IP_PROTOCOL_TCP)
            return segment_input(ether, frame, batch);
        return icmp_input(ether, frame, batch);
    case ETHERTYPE_IPV6:
        if (!ipv6_parse(ether, frame))
            return FRAME_FREE;
        if (frame->protocol == IP_PROTOCOL_TCP)
            return segment_input(ether, frame, batch);
        return icmpv6_input(ether, frame, batch);
    case ETHERTYPE_ARP:
        return arp_input(ether, frame);
    default:
        return frame_drop(ether, COUNTER_ETHER_TYPE);
    }
}

/* Neighbours tell their addresses once, on one queue: the other workers get copies. */
static void news_spread(struct ether *ether, struct ether_batch *batch) {
    struct rte_mbuf *news = ether->news;
    if (news == NULL)
        return;
    ether->news = NULL;
    for (unsigned worker = 0; worker < ether->workers; worker++) {
        if (worker == ether->self)
            continue;
        struct rte_mbuf *copy = NULL;
        if (batch->foreign_count < ETHER_BURST)
            copy = rte_pktmbuf_copy(news, ether->mempool, 0, UINT32_MAX);
        if (copy == NULL) {
            count(ether->counters, COUNTER_ETHER_NEWS_LOST);
            continue;
        }
        copy->port = news->port;
        batch->foreign[batch->foreign_count] = copy;
        batch->owners[batch->foreign_count++] = (uint8_t)worker;
    }
    rte_pktmbuf_free(news);
}

void ether_input(struct ether *ether, unsigned port, struct rte_mbuf **frames,
                 unsigned frames_count, bool handed_over, struct ether_batch *batch) {
    batch->segments_count = 0;
    batch->foreign_count = 0;
    batch->errors_count = 0;
    ether->echoes_left = ICMP_ECHOES_PER_BURST;
    if (!handed_over)
        count_add(ether->counters, COUNTER_ETHER_RX_PACKETS, frames_count);
    for (unsigned i = 0; i < PREFETCH_AHEAD && i < frames_count; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
    for (unsigned i = 0; i < frames_count; i++) {
        if (i + PREFETCH_AHEAD < frames_count)
            rte_prefetch0(rte_pktmbuf_mtod(frames[i + PREFETCH_AHEAD], void *));
        struct frame frame = {
            .mbuf = frames[i], .interface = &ether->interfaces[port], .handed_over = handed_over};
        if (frame_handle(ether, &frame, batch) == FRAME_FREE)
            rte_pktmbuf_free(frames[i]);
    }
    news_spread(ether, batch);
}

const struct tcp_link *ether_tcp_link(struct ether *ether) {
    return &ether->link;
}

unsigned ether_flush(struct ether *ether, uint64_t now) {
    unsigned waiting = 0;
    for (unsigned i = 0; i < ether->interfaces_count; i++)
        waiting += tx_flush(ether, &ether->interfaces[i], now);
    return waiting;
}

void ether_capture(struct ether *ether, struct capture *capture) {
    ether->capture = capture;
}

static void announce(struct ether *ether, struct interface *interface) {
    arp_announce(ether, interface);
    nd_announce(ether, interface);
}

void ether_announce(struct ether *ether) {
    for (unsigned i = 0; i < ether->interfaces_count; i++)
        announce(ether, &ether->interfaces[i]);
}

void ether_defend(struct ether *ether, uint64_t now) {
    if (now - ether->defended_at < DEFEND_INTERVAL)
        return;
    for (unsigned i = 0; i < ether->interfaces_count; i++) {
        struct interface *interface = &ether->interfaces[i];
        if (!interface->conflict)
            continue;
        interface->conflict = false;
        ether->defended_at = now;
        announce(ether, interface);
    }
}

void ether_ask(struct ether *ether, uint64_t now) {
    routers_ask(ether, now);
}

bool ether_too_big(struct ether *ether, struct tcp_icmp *error) {
    if (!ether->too_big_found)
        return false;
    ether->too_big_found = false;
    *error = ether->too_big;
    return true;
}
