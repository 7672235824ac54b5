/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/segment.h"

#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/checksum.h"
#include "dataplane/ether/ethernet.h"
#include "dataplane/ether/ipv4.h"
#include "dataplane/ether/ipv6.h"
#include "dataplane/ether/routers.h"

enum { TCP_HEADER = 20, TCP_DATA_OFFSET = 12, TCP_CHECKSUM = 16 };

static bool checksum_good(const struct frame *frame, unsigned address_len) {
    switch (frame->mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
    case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
    case RTE_MBUF_F_RX_L4_CKSUM_NONE: /* not filled in, but never left a host: verified */
        return true;
    case RTE_MBUF_F_RX_L4_CKSUM_BAD:
        return false;
    default:
        return checksum_fold(checksum_sum(frame->payload, frame->payload_len) +
                             checksum_pseudo_header(frame->source, frame->destination, address_len,
                                                    IP_PROTOCOL_TCP, frame->payload_len)) == 0xffff;
    }
}

static void tuple_make(const struct frame *frame, struct tcp_tuple *tuple) {
    if (frame->type == ETHERTYPE_IPV4) {
        ipv4_mapped(tuple->remote, frame->source);
        ipv4_mapped(tuple->local, frame->destination);
    } else {
        memcpy(tuple->remote, frame->source, 16);
        memcpy(tuple->local, frame->destination, 16);
    }
    tuple->remote_port = load_be16(frame->payload);
    tuple->local_port = load_be16(frame->payload + 2);
}

/* The name of the station that sent the frame. Where the sender is the station itself, not a router
 * for it, its IP address is noted, so that it can announce a move. */
static uint32_t hop_learn(struct ether *ether, const struct frame *frame,
                          const struct tcp_tuple *tuple) {
    bool added;
    unsigned interface = frame->interface->index;
    uint32_t hop = neighbours_learn(ether->neighbours, interface, frame->source_mac, &added);
    if (added && interface_on_link(frame->interface, tuple->remote))
        neighbours_remember(ether->neighbours, interface, tuple->remote, hop);
    return hop;
}

enum frame_fate segment_input(struct ether *ether, struct frame *frame, struct ether_batch *batch) {
    uint32_t len = frame->payload_len;
    if (len < TCP_HEADER)
        return frame_drop(ether, COUNTER_ETHER_TCP_MALFORMED);
    uint32_t header_len = (frame->payload[TCP_DATA_OFFSET] >> 4) * 4u;
    if (header_len < TCP_HEADER || header_len > len)
        return frame_drop(ether, COUNTER_ETHER_TCP_MALFORMED);
    struct tcp_segment *segment = &batch->segments[batch->segments_count];
    tuple_make(frame, &segment->tuple);
    segment->hash = tcp_tuple_hash(&segment->tuple, ether->flow_key);
    if (!frame->handed_over) {
        unsigned owner = owner_of(&ether->owners[frame->interface->index], frame->mbuf,
                                  &segment->tuple, segment->hash);
        if (owner != ether->self) {
            /* It verifies the checksum. */
            batch->foreign[batch->foreign_count] = frame->mbuf;
            batch->owners[batch->foreign_count++] = (uint8_t)owner;
            return FRAME_KEPT;
        }
    }
    if (!checksum_good(frame, frame->type == ETHERTYPE_IPV4 ? 4 : 16))
        return frame_drop(ether, COUNTER_ETHER_TCP_CHECKSUM);
    segment->header = frame->payload;
    segment->len = len;
    segment->hop = hop_learn(ether, frame, &segment->tuple);
    batch->frames[batch->segments_count++] = frame->mbuf;
    return FRAME_KEPT;
}

uint8_t *segment_frame(void *link, size_t len, void **frame) {
    struct ether *ether = link;
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ether->mempool);
    if (mbuf == NULL) {
        count(ether->counters, COUNTER_ETHER_NO_BUFFER);
        return NULL;
    }
    if (rte_pktmbuf_tailroom(mbuf) < len) {
        count(ether->counters, COUNTER_ETHER_TOO_LONG);
        rte_pktmbuf_free(mbuf);
        return NULL;
    }
    *frame = mbuf;
    return rte_pktmbuf_mtod(mbuf, uint8_t *);
}

bool segment_wait(void *link, uint32_t hop) {
    struct ether *ether = link;
    const struct station *station = neighbours_station(ether->neighbours, hop);
    return station != NULL && tx_full(&ether->interfaces[station->interface].tx);
}

/* The device adds the segment to the sum of the pseudo header that it finds in the field. */
static void checksum_fill(const struct port *port, struct rte_mbuf *mbuf, uint8_t *header,
                          uint32_t len, uint64_t pseudo, uint64_t family_flag) {
    uint16_t checksum;
    if (port->offloads & PORT_TX_TCP_CHECKSUM) {
        mbuf->ol_flags |= family_flag | RTE_MBUF_F_TX_TCP_CKSUM;
        mbuf->l4_len = (header[TCP_DATA_OFFSET] >> 4) * 4;
        checksum = checksum_fold(pseudo);
    } else {
        checksum = checksum_finish(checksum_sum(header, len) + pseudo);
    }
    memcpy(header + TCP_CHECKSUM, &checksum, 2);
}

/* Noted for TCP as if a router had said so: the last one of a turn is enough, each is sent again.
 */
static void too_big(struct ether *ether, const struct tcp_tuple *tuple, const uint8_t *header,
                    size_t packet_len, uint16_t mtu) {
    ether->too_big_found = true;
    ether->too_big = (struct tcp_icmp){.tuple = *tuple,
                                       .hash = tcp_tuple_hash(tuple, ether->flow_key),
                                       .seq = load_be32(header + 4),
                                       .mtu = mtu,
                                       .len = (uint16_t)packet_len,
                                       .kind = TCP_ICMP_TOO_BIG};
}

void segment_transmit(void *link, void *frame, size_t len, const struct tcp_tuple *tuple,
                      uint32_t hop) {
    struct ether *ether = link;
    struct rte_mbuf *mbuf = frame;
    bool ipv4 = ipv4_is_mapped(tuple->local);
    const struct station *station = neighbours_station(ether->neighbours, hop);
    if (station == NULL)
        station = routers_station(ether, tuple);
    if (station == NULL) {
        count(ether->counters, COUNTER_ETHER_HOP_GONE);
        rte_pktmbuf_free(mbuf);
        return;
    }
    struct interface *interface = &ether->interfaces[station->interface];
    uint8_t *header = rte_pktmbuf_mtod(mbuf, uint8_t *);
    uint16_t mtu = ipv4 ? interface->port->mtu : interface->mtu6;
    size_t packet_len = len + (ipv4 ? IPV4_HEADER : IPV6_HEADER);
    if (packet_len > mtu) {
        count(ether->counters, COUNTER_ETHER_TOO_LONG);
        too_big(ether, tuple, header, packet_len, mtu);
        rte_pktmbuf_free(mbuf);
        return;
    }
    mbuf->data_len = (uint16_t)len;
    mbuf->pkt_len = (uint32_t)len;
    const uint8_t *source = tuple->local, *destination = tuple->remote;
    if (ipv4) {
        source += 12;
        destination += 12;
        checksum_fill(
            interface->port, mbuf, header, (uint32_t)len,
            checksum_pseudo_header(source, destination, 4, IP_PROTOCOL_TCP, (uint32_t)len),
            RTE_MBUF_F_TX_IPV4);
        ipv4_send(ether, interface, mbuf, source, destination, IP_PROTOCOL_TCP, station->mac);
    } else {
        checksum_fill(
            interface->port, mbuf, header, (uint32_t)len,
            checksum_pseudo_header(source, destination, 16, IP_PROTOCOL_TCP, (uint32_t)len),
            RTE_MBUF_F_TX_IPV6);
        ipv6_send(ether, interface, mbuf, source, destination, IP_PROTOCOL_TCP,
                  interface->hop_limit, station->mac);
    }
}
