/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/capture/headers.h"

#include "dataplane/base/bytes.h"

enum {
    ETHERNET = 14,
    TAG = 4,
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_VLAN = 0x8100,
    TYPE_IPV6 = 0x86dd,
    PROTOCOL_ICMP = 1,
    PROTOCOL_TCP = 6,
    PROTOCOL_ICMPV6 = 58,
    EXTENSIONS_MAX = 8,
    /* Of what is not TCP this much counts as headers: all of ARP and neighbour discovery; of an
     * ICMP error the packet it is about to the end of its ports. */
    OTHER_HEADERS = 64,
};

static uint32_t at_most(uint32_t n, uint32_t limit) {
    return n < limit ? n : limit;
}

/* What follows IP, at `at`. */
static void transport(const uint8_t *frame, uint32_t len, uint32_t at, uint8_t protocol,
                      struct frame_headers *headers) {
    headers->headers_len = at_most(at, len);
    if (protocol == PROTOCOL_ICMP || protocol == PROTOCOL_ICMPV6) {
        headers->headers_len = at_most(at + OTHER_HEADERS, len);
    } else if (protocol == PROTOCOL_TCP && at + 20 <= len) {
        headers->tcp = true;
        headers->source_port = load_be16(frame + at);
        headers->destination_port = load_be16(frame + at + 2);
        uint32_t header = (frame[at + 12] >> 4) * 4u;
        headers->headers_len = at_most(at + (header < 20 ? 20 : header), len);
    }
}

static void ipv4(const uint8_t *frame, uint32_t len, uint32_t at, struct frame_headers *headers) {
    if (at + 20 > len)
        return;
    headers->family = 4;
    headers->source = frame + at + 12;
    headers->destination = frame + at + 16;
    uint32_t header = (frame[at] & 15) * 4u;
    headers->headers_len = at_most(at + 20, len);
    bool first = (load_be16(frame + at + 6) & 0x1fff) == 0; /* of its fragments */
    if (header >= 20 && first)
        transport(frame, len, at + header, frame[at + 9], headers);
}

/* Hop-by-hop and destination options, routing headers and first fragments are passed over. */
static void ipv6(const uint8_t *frame, uint32_t len, uint32_t at, struct frame_headers *headers) {
    if (at + 40 > len)
        return;
    headers->family = 6;
    headers->source = frame + at + 8;
    headers->destination = frame + at + 24;
    uint8_t next = frame[at + 6];
    at += 40;
    headers->headers_len = at;
    for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
        bool options = next == 0 || next == 60 || next == 43, fragment = next == 44;
        if (!options && !fragment) {
            transport(frame, len, at, next, headers);
            return;
        }
        if (at + 8 > len || (fragment && (load_be16(frame + at + 2) & 0xfff8) != 0))
            return;
        next = frame[at];
        at += fragment ? 8 : (frame[at + 1] + 1u) * 8;
    }
}

void frame_headers(const uint8_t *frame, uint32_t len, struct frame_headers *headers) {
    *headers = (struct frame_headers){.headers_len = at_most(OTHER_HEADERS, len)};
    if (len < ETHERNET)
        return;
    uint32_t at = ETHERNET;
    uint16_t type = load_be16(frame + 12);
    if (type == TYPE_VLAN && len >= ETHERNET + TAG) {
        type = load_be16(frame + 16);
        at += TAG;
    }
    if (type == TYPE_IPV4) {
        ipv4(frame, len, at, headers);
    } else if (type == TYPE_IPV6) {
        ipv6(frame, len, at, headers);
    } else if (type == TYPE_ARP && at + 28 <= len && load_be16(frame + at + 2) == TYPE_IPV4) {
        headers->family = 4;
        headers->source = frame + at + 14;
        headers->destination = frame + at + 24;
    }
}
