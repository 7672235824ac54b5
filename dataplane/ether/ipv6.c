/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/ipv6.h"

#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/ethernet.h"
#include "dataplane/ether/ipv4.h"

enum {
    HEADER_HOP_BY_HOP = 0,
    HEADER_FRAGMENT = 44,
    HEADER_DESTINATION = 60,
    EXTENSIONS_MAX = 4,        /* more than any sender has reason to use */
    EXTENSION_BYTES_MAX = 256, /* of all together: bounds the walk through their options */
    OPTION_PAD1 = 0,
    OPTION_ACTION = 0xc0, /* bits that say what to do with an unknown option: 0 is skip it */
};

bool ipv6_is_unspecified(const uint8_t address[16]) {
    static const uint8_t unspecified[16];
    return memcmp(address, unspecified, 16) == 0;
}

/* ::1, and everything else below ::ffff:255.255.255.255 that must not be seen on a link; the
 * unspecified address may send neighbour solicitations (RFC 4862, 5.4.2). */
static bool source_valid(const struct interface *interface, const uint8_t source[16],
                         uint8_t protocol) {
    static const uint8_t loopback[16] = {[15] = 1};
    if (ipv6_is_unspecified(source))
        return protocol == IP_PROTOCOL_ICMPV6;
    return !ipv6_is_group(source) && memcmp(source, loopback, 16) != 0 && !ipv4_is_mapped(source) &&
           !interface_has_ipv6(interface, source);
}

/* Options of an extension header (RFC 8200, 4.2): none that we know, so all that may be skipped
 * are. */
static enum counter options_check(const uint8_t *option, uint32_t len) {
    while (len > 0) {
        if (option[0] == OPTION_PAD1) {
            option++;
            len--;
            continue;
        }
        if (len < 2 || option[1] + 2u > len)
            return COUNTER_IPV6_MALFORMED;
        if (option[0] & OPTION_ACTION)
            return COUNTER_IPV6_OPTION;
        len -= option[1] + 2u;
        option += option[1] + 2;
    }
    return COUNTERS;
}

/* Moves on to what follows the extension headers; COUNTERS when there is nothing to complain of. */
static enum counter extensions_skip(struct frame *frame) {
    uint32_t total = 0;
    for (unsigned headers = 0;; headers++) {
        if (frame->protocol == HEADER_FRAGMENT)
            return COUNTER_IPV6_FRAGMENT;
        bool first_only = frame->protocol == HEADER_HOP_BY_HOP;
        if (!first_only && frame->protocol != HEADER_DESTINATION)
            return COUNTERS;
        if ((first_only && headers > 0) || headers == EXTENSIONS_MAX)
            return COUNTER_IPV6_EXTENSION;
        if (frame->payload_len < 8)
            return COUNTER_IPV6_MALFORMED;
        uint32_t len = frame->payload[1] * 8u + 8;
        if (len > frame->payload_len)
            return COUNTER_IPV6_MALFORMED;
        total += len;
        if (total > EXTENSION_BYTES_MAX)
            return COUNTER_IPV6_EXTENSION;
        enum counter why = options_check(frame->payload + 2, len - 2);
        if (why != COUNTERS)
            return why;
        frame->protocol = frame->payload[0];
        frame->payload += len;
        frame->payload_len -= len;
    }
}

static enum counter protocol_check(const struct frame *frame) {
    switch (frame->protocol) {
    case IP_PROTOCOL_TCP:
        return frame->group ? COUNTER_IPV6_LINK_MULTICAST : COUNTERS;
    case IP_PROTOCOL_ICMPV6:
        return COUNTERS;
    case 43:  /* routing */
    case 50:  /* encapsulating security payload */
    case 51:  /* authentication */
    case 135: /* mobility */
    case 139: /* host identity */
    case 140: /* shim6 */
        return COUNTER_IPV6_EXTENSION;
    default:
        return COUNTER_IPV6_PROTOCOL;
    }
}

bool ipv6_parse(struct ether *ether, struct frame *frame) {
    const uint8_t *header = frame->packet;
    enum counter why = COUNTER_IPV6_MALFORMED;
    if (frame->packet_len < IPV6_HEADER)
        goto drop;
    frame->source = header + 8;
    frame->destination = header + 24;
    frame->hop_limit = header[7];
    frame->protocol = header[6];
    frame->payload = header + IPV6_HEADER;
    frame->payload_len = load_be16(header + 4);
    if (header[0] >> 4 != 6 || frame->payload_len > frame->packet_len - IPV6_HEADER)
        goto drop;
    bool for_group = interface_in_group(frame->interface, frame->destination);
    why = COUNTER_IPV6_DESTINATION;
    if (!for_group && !interface_has_ipv6(frame->interface, frame->destination))
        goto drop;
    why = extensions_skip(frame);
    if (why == COUNTERS)
        why = protocol_check(frame);
    if (why == COUNTERS && for_group && frame->protocol != IP_PROTOCOL_ICMPV6)
        why = COUNTER_IPV6_DESTINATION;
    if (why == COUNTERS && !source_valid(frame->interface, frame->source, frame->protocol))
        why = COUNTER_IPV6_SOURCE;
    if (why == COUNTERS)
        return true;
drop:
    frame_drop(ether, why);
    return false;
}

void ipv6_send(struct ether *ether, struct interface *interface, struct rte_mbuf *mbuf,
               const uint8_t source[16], const uint8_t destination[16], uint8_t protocol,
               uint8_t hop_limit, const uint8_t mac[6]) {
    uint32_t len = mbuf->pkt_len;
    uint8_t *header = (uint8_t *)rte_pktmbuf_prepend(mbuf, IPV6_HEADER);
    if (header == NULL) {
        count(ether->counters, COUNTER_ETHER_NO_BUFFER);
        rte_pktmbuf_free(mbuf);
        return;
    }
    memset(header, 0, 8);
    header[0] = 6 << 4;
    store_be16(header + 4, (uint16_t)len);
    header[6] = protocol;
    header[7] = hop_limit;
    memcpy(header + 8, source, 16);
    memcpy(header + 24, destination, 16);
    mbuf->l3_len = IPV6_HEADER;
    ethernet_send(ether, interface, mbuf, mac, ETHERTYPE_IPV6);
}
