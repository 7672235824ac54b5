/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/icmp.h"

#include <rte_mbuf.h>

#include "dataplane/ether/checksum.h"
#include "dataplane/ether/icmp_error.h"
#include "dataplane/ether/ipv4.h"
#include "dataplane/ether/ipv6.h"
#include "dataplane/ether/nd.h"
#include "dataplane/ether/routers.h"

enum {
    ICMP_ECHO_REPLY = 0,
    ICMP_ECHO_REQUEST = 8,
    ICMPV6_ECHO_REQUEST = 128,
    ICMPV6_ECHO_REPLY = 129,
    ICMPV6_ROUTER_ADVERTISEMENT = 134,
    ICMPV6_NEIGHBOUR_SOLICITATION = 135,
    ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,
};

static void checksum_put(uint8_t *message, uint64_t sum) {
    uint16_t checksum = checksum_finish(sum);
    memcpy(message + 2, &checksum, 2);
}

/* An echo whose turn it is may be answered; handed-over frames are for learning only. */
static bool echo_allowed(struct ether *ether, const struct frame *frame) {
    if (frame->handed_over)
        return false;
    if (ether->echoes_left == 0) {
        count(ether->counters, COUNTER_ICMP_LIMITED);
        return false;
    }
    ether->echoes_left--;
    count(ether->counters, COUNTER_ICMP_ECHOES);
    return true;
}

enum frame_fate icmp_input(struct ether *ether, struct frame *frame, struct ether_batch *batch) {
    const uint8_t *message = frame->payload;
    uint32_t len = frame->payload_len;
    if (len < ICMP_HEADER || checksum_fold(checksum_sum(message, len)) != 0xffff)
        return frame_drop(ether, COUNTER_ICMP_MALFORMED);
    if (icmp_is_error(message[0]))
        return icmp_error(ether, frame, batch);
    if (message[0] != ICMP_ECHO_REQUEST || message[1] != 0)
        return frame_drop(ether, COUNTER_ICMP_IGNORED);
    if (!echo_allowed(ether, frame))
        return FRAME_FREE;
    uint8_t mac[6], asker[4];
    memcpy(mac, frame->source_mac, 6);
    memcpy(asker, frame->source, 4);
    uint8_t *reply = frame_reuse(frame, message, len);
    reply[0] = ICMP_ECHO_REPLY;
    memset(reply + 2, 0, 2);
    checksum_put(reply, checksum_sum(reply, len));
    ipv4_send(ether, frame->interface, frame->mbuf, frame->interface->ipv4, asker, IP_PROTOCOL_ICMP,
              mac);
    return FRAME_KEPT;
}

void icmpv6_send(struct ether *ether, struct interface *interface, struct rte_mbuf *mbuf,
                 const uint8_t source[16], const uint8_t destination[16], uint8_t hop_limit,
                 const uint8_t mac[6]) {
    uint8_t *message = rte_pktmbuf_mtod(mbuf, uint8_t *);
    uint32_t len = mbuf->pkt_len;
    memset(message + 2, 0, 2);
    checksum_put(message,
                 checksum_sum(message, len) +
                     checksum_pseudo_header(source, destination, 16, IP_PROTOCOL_ICMPV6, len));
    ipv6_send(ether, interface, mbuf, source, destination, IP_PROTOCOL_ICMPV6, hop_limit, mac);
}

/* To a group the answer comes from our own address on the asker's side (RFC 4443, 4.2). */
static enum frame_fate echo_answer(struct ether *ether, struct frame *frame) {
    uint8_t mac[6], asker[16], us[16];
    if (ipv6_is_unspecified(frame->source))
        return frame_drop(ether, COUNTER_IPV6_SOURCE);
    if (!echo_allowed(ether, frame))
        return FRAME_FREE;
    memcpy(mac, frame->source_mac, 6);
    memcpy(asker, frame->source, 16);
    if (!ipv6_is_group(frame->destination))
        memcpy(us, frame->destination, 16);
    else if (ipv6_is_link_local(asker))
        memcpy(us, frame->interface->link_local, 16);
    else
        memcpy(us, frame->interface->ipv6, 16);
    frame_reuse(frame, frame->payload, frame->payload_len)[0] = ICMPV6_ECHO_REPLY;
    icmpv6_send(ether, frame->interface, frame->mbuf, us, asker, IP_HOP_LIMIT, mac);
    return FRAME_KEPT;
}

enum frame_fate icmpv6_input(struct ether *ether, struct frame *frame, struct ether_batch *batch) {
    const uint8_t *message = frame->payload;
    uint32_t len = frame->payload_len;
    if (len < ICMP_HEADER ||
        checksum_fold(checksum_sum(message, len) +
                      checksum_pseudo_header(frame->source, frame->destination, 16,
                                             IP_PROTOCOL_ICMPV6, len)) != 0xffff)
        return frame_drop(ether, COUNTER_ICMP_MALFORMED);
    if (icmpv6_is_error(message[0]))
        return icmpv6_error(ether, frame, batch);
    switch (message[0]) {
    case ICMPV6_ECHO_REQUEST:
        return echo_answer(ether, frame);
    case ICMPV6_ROUTER_ADVERTISEMENT:
        return routers_advertisement(ether, frame);
    case ICMPV6_NEIGHBOUR_SOLICITATION:
        return nd_solicitation(ether, frame);
    case ICMPV6_NEIGHBOUR_ADVERTISEMENT:
        return nd_advertisement(ether, frame);
    default:
        return frame_drop(ether, COUNTER_ICMP_IGNORED);
    }
}
