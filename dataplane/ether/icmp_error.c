/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/icmp_error.h"

#include "dataplane/base/bytes.h"
#include "dataplane/ether/icmp.h"
#include "dataplane/ether/ipv4.h"
#include "dataplane/ether/ipv6.h"

enum {
    TCP_QUOTED = 8,           /* bytes of the segment that must be there: ports and number */
    FRAGMENT_OFFSET = 0x1fff, /* bits of an IPv4 header */
    ICMP_FRAGMENTATION = 4,   /* code: needed, and DF set */
    ICMP_MTU = 6,             /* offset in the message (RFC 1191 4) */
    ICMPV6_MTU = 4,           /* offset in the message (RFC 4443 3.2) */
};

/* The segment quoted is complete in `error`: for this worker, or the one that owns the flow. */
static enum frame_fate deliver(struct ether *ether, const struct frame *frame,
                               struct ether_batch *batch, struct tcp_icmp *error,
                               const uint8_t *segment) {
    error->tuple.local_port = load_be16(segment);
    error->tuple.remote_port = load_be16(segment + 2);
    error->seq = load_be32(segment + 4);
    error->hash = tcp_tuple_hash(&error->tuple, ether->flow_key);
    if (!frame->handed_over) {
        unsigned owner =
            owner_of_flow(&ether->owners[frame->interface->index], &error->tuple, error->hash);
        if (owner != ether->self) {
            batch->foreign[batch->foreign_count] = frame->mbuf;
            batch->owners[batch->foreign_count++] = (uint8_t)owner;
            return FRAME_KEPT;
        }
    }
    count(ether->counters, COUNTER_ICMP_ERRORS);
    batch->errors[batch->errors_count++] = *error;
    return FRAME_FREE;
}

enum frame_fate icmp_error(struct ether *ether, struct frame *frame, struct ether_batch *batch) {
    const uint8_t *message = frame->payload, *quoted = message + ICMP_HEADER;
    uint32_t len = frame->payload_len - ICMP_HEADER;
    if (len < IPV4_HEADER)
        return frame_drop(ether, COUNTER_ICMP_QUOTE);
    uint32_t header_len = (quoted[0] & 15u) * 4;
    if (quoted[0] >> 4 != 4 || header_len < IPV4_HEADER || len < header_len + TCP_QUOTED ||
        quoted[9] != IP_PROTOCOL_TCP || load_be16(quoted + 6) & FRAGMENT_OFFSET ||
        memcmp(quoted + 12, frame->destination, 4) != 0)
        return frame_drop(ether, COUNTER_ICMP_QUOTE);
    struct tcp_icmp error = {.kind = TCP_ICMP_UNREACHABLE, .len = load_be16(quoted + 2)};
    if (message[0] == ICMP_UNREACHABLE && message[1] == ICMP_FRAGMENTATION) {
        error.kind = TCP_ICMP_TOO_BIG;
        error.mtu = load_be16(message + ICMP_MTU);
    }
    ipv4_mapped(error.tuple.local, quoted + 12);
    ipv4_mapped(error.tuple.remote, quoted + 16);
    return deliver(ether, frame, batch, &error, quoted + header_len);
}

enum frame_fate icmpv6_error(struct ether *ether, struct frame *frame, struct ether_batch *batch) {
    const uint8_t *message = frame->payload, *quoted = message + ICMP_HEADER;
    uint32_t len = frame->payload_len - ICMP_HEADER;
    /* Our segments have no extension headers. */
    if (len < IPV6_HEADER + TCP_QUOTED || quoted[0] >> 4 != 6 || quoted[6] != IP_PROTOCOL_TCP ||
        memcmp(quoted + 8, frame->destination, 16) != 0)
        return frame_drop(ether, COUNTER_ICMP_QUOTE);
    uint32_t packet_len = load_be16(quoted + 4) + (uint32_t)IPV6_HEADER;
    struct tcp_icmp error = {.kind = TCP_ICMP_UNREACHABLE,
                             .len = packet_len > UINT16_MAX ? UINT16_MAX : (uint16_t)packet_len};
    if (message[0] == ICMPV6_TOO_BIG) {
        error.kind = TCP_ICMP_TOO_BIG;
        error.mtu = load_be32(message + ICMPV6_MTU);
    }
    memcpy(error.tuple.local, quoted + 8, 16);
    memcpy(error.tuple.remote, quoted + 24, 16);
    return deliver(ether, frame, batch, &error, quoted + IPV6_HEADER);
}
