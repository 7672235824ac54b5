/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/ipv4.h"

#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/checksum.h"
#include "dataplane/ether/ethernet.h"

enum {
    IPV4_VERSION_LENGTH = 0x45,  /* version 4, five words */
    IPV4_FRAGMENT_BITS = 0x3fff, /* more fragments, and the offset */
    IPV4_DONT_FRAGMENT = 0x4000,
};

/* RFC 1122, 3.2.1.3; RFC 6890. */
static bool source_valid(const struct interface *interface, const uint8_t source[4]) {
    return source[0] != 0 && source[0] != 127 && source[0] < 224 &&
           !interface_has_ipv4(interface, source) && !interface_ipv4_broadcast(interface, source);
}

static bool checksum_good(const struct rte_mbuf *mbuf, const uint8_t *header, uint32_t len) {
    switch (mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) {
    case RTE_MBUF_F_RX_IP_CKSUM_GOOD:
        return true;
    case RTE_MBUF_F_RX_IP_CKSUM_BAD:
        return false;
    default:
        return checksum_fold(checksum_sum(header, len)) == 0xffff;
    }
}

bool ipv4_parse(struct ether *ether, struct frame *frame) {
    const uint8_t *header = frame->packet;
    enum counter why;
    if (frame->packet_len < IPV4_HEADER) {
        why = COUNTER_IPV4_MALFORMED;
        goto drop;
    }
    uint32_t header_len = (header[0] & 15u) * 4, total_len = load_be16(header + 2);
    frame->source = header + 12;
    frame->destination = header + 16;
    frame->hop_limit = header[8];
    frame->protocol = header[9];
    frame->payload = header + header_len;
    frame->payload_len = total_len - header_len;
    if (header[0] >> 4 != 4 || header_len < IPV4_HEADER || total_len < header_len ||
        total_len > frame->packet_len)
        why = COUNTER_IPV4_MALFORMED;
    else if (!checksum_good(frame->mbuf, header, header_len))
        why = COUNTER_IPV4_CHECKSUM;
    else if (!interface_has_ipv4(frame->interface, frame->destination))
        why = COUNTER_IPV4_DESTINATION;
    else if (frame->group)
        why = COUNTER_IPV4_LINK_BROADCAST;
    else if (!source_valid(frame->interface, frame->source))
        why = COUNTER_IPV4_SOURCE;
    else if (load_be16(header + 6) & IPV4_FRAGMENT_BITS)
        why = COUNTER_IPV4_FRAGMENT;
    else if (frame->protocol != IP_PROTOCOL_TCP && frame->protocol != IP_PROTOCOL_ICMP)
        why = COUNTER_IPV4_PROTOCOL;
    else
        return true;
drop:
    frame_drop(ether, why);
    return false;
}

void ipv4_send(struct ether *ether, struct interface *interface, struct rte_mbuf *mbuf,
               const uint8_t source[4], const uint8_t destination[4], uint8_t protocol,
               const uint8_t mac[6]) {
    uint8_t *header = (uint8_t *)rte_pktmbuf_prepend(mbuf, IPV4_HEADER);
    if (header == NULL) {
        count(ether->counters, COUNTER_ETHER_NO_BUFFER);
        rte_pktmbuf_free(mbuf);
        return;
    }
    /* The identification stays 0: a packet that must not be fragmented needs none (RFC 6864). */
    memset(header, 0, IPV4_HEADER);
    header[0] = IPV4_VERSION_LENGTH;
    store_be16(header + 2, (uint16_t)mbuf->pkt_len);
    store_be16(header + 6, IPV4_DONT_FRAGMENT);
    header[8] = IP_HOP_LIMIT;
    header[9] = protocol;
    memcpy(header + 12, source, 4);
    memcpy(header + 16, destination, 4);
    mbuf->l3_len = IPV4_HEADER;
    if (interface->port->offloads & PORT_TX_IPV4_CHECKSUM) {
        mbuf->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
    } else {
        uint16_t checksum = checksum_finish(checksum_sum(header, IPV4_HEADER));
        memcpy(header + 10, &checksum, 2);
    }
    ethernet_send(ether, interface, mbuf, mac, ETHERTYPE_IPV4);
}
