/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/nd.h"

#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/ethernet.h"
#include "dataplane/ether/icmp.h"
#include "dataplane/ether/ipv6.h"
#include "dataplane/ether/routers.h"

enum {
    ND_TARGET = 8,   /* offset in a solicitation or advertisement */
    ND_OPTIONS = 24, /* offset, and the least length */
    ND_ROUTER_SOLICITATION = 133,
    ND_SOLICITATION = 135,
    ND_ADVERTISEMENT = 136,
    ND_SOLICITED = 0x40, /* flags of an advertisement */
    ND_OVERRIDE = 0x20,
    OPTION_MAC_LENGTH = 8, /* bytes of an option with a MAC address */
};

bool nd_valid(const struct frame *frame, uint32_t options, enum nd_option wanted,
              struct nd_told *told) {
    const uint8_t *message = frame->payload;
    uint32_t len = frame->payload_len;
    *told = (struct nd_told){0};
    if (frame->hop_limit != ND_HOP_LIMIT || message[1] != 0 || len < options)
        return false;
    for (uint32_t at = options; at < len;) {
        const uint8_t *option = message + at;
        if (len - at < 8 || option[1] == 0 || option[1] * 8u > len - at)
            return false;
        if (option[0] == wanted && option[1] == 1)
            told->mac = option + 2;
        else if (option[0] == ND_MTU && option[1] == 1)
            told->mtu = load_be32(option + 4);
        at += option[1] * 8u;
    }
    return told->mac == NULL || !(told->mac[0] & 1);
}

/* Of solicitations and advertisements of neighbours (RFC 4861, 7.1); *mac may be NULL. */
static bool neighbour_valid(const struct frame *frame, enum nd_option wanted, const uint8_t **mac) {
    struct nd_told told;
    bool valid =
        nd_valid(frame, ND_OPTIONS, wanted, &told) && !ipv6_is_group(frame->payload + ND_TARGET);
    *mac = told.mac;
    return valid;
}

/* Makes an advertisement of `target` in the mbuf and sends it. */
static void advertise(struct ether *ether, struct interface *interface, struct rte_mbuf *mbuf,
                      const uint8_t target[16], const uint8_t destination[16], uint8_t flags,
                      const uint8_t mac[6]) {
    uint8_t *message = (uint8_t *)rte_pktmbuf_append(mbuf, ND_OPTIONS + OPTION_MAC_LENGTH);
    if (message == NULL) {
        count(ether->counters, COUNTER_ETHER_NO_BUFFER);
        rte_pktmbuf_free(mbuf);
        return;
    }
    memset(message, 0, ND_TARGET);
    message[0] = ND_ADVERTISEMENT;
    message[4] = flags;
    memcpy(message + ND_TARGET, target, 16);
    message[ND_OPTIONS] = ND_TARGET_MAC;
    message[ND_OPTIONS + 1] = OPTION_MAC_LENGTH / 8;
    memcpy(message + ND_OPTIONS + 2, interface->mac, 6);
    icmpv6_send(ether, interface, mbuf, target, destination, ND_HOP_LIMIT, mac);
}

static enum frame_fate answer(struct ether *ether, struct frame *frame) {
    uint8_t asker[16], target[16], mac[6];
    uint8_t flags = ND_OVERRIDE;
    memcpy(target, frame->payload + ND_TARGET, 16);
    if (ipv6_is_unspecified(frame->source)) {
        memcpy(asker, ipv6_all_nodes, 16);
        ethernet_ipv6_group(mac, asker);
    } else {
        memcpy(asker, frame->source, 16);
        memcpy(mac, frame->source_mac, 6);
        flags |= ND_SOLICITED;
    }
    frame_reuse(frame, frame->payload, 0);
    advertise(ether, frame->interface, frame->mbuf, target, asker, flags, mac);
    count(ether->counters, COUNTER_ND_REPLIES);
    return FRAME_KEPT;
}

enum frame_fate nd_solicitation(struct ether *ether, struct frame *frame) {
    const uint8_t *mac;
    bool probe = ipv6_is_unspecified(frame->source);
    if (!neighbour_valid(frame, ND_SOURCE_MAC, &mac) ||
        (probe && (mac != NULL || !ipv6_is_group(frame->destination))))
        return frame_drop(ether, COUNTER_ND_MALFORMED);
    bool for_us = interface_has_ipv6(frame->interface, frame->payload + ND_TARGET);
    if (mac != NULL && !probe) {
        neighbours_announced(ether->neighbours, frame->interface->index, frame->source, mac,
                             for_us);
        if (for_us)
            frame_is_news(ether, frame);
    }
    if (!for_us)
        return frame_drop(ether, COUNTER_ND_OTHERS);
    return frame->handed_over ? FRAME_FREE : answer(ether, frame);
}

enum frame_fate nd_advertisement(struct ether *ether, struct frame *frame) {
    const uint8_t *mac, *target = frame->payload + ND_TARGET;
    if (!neighbour_valid(frame, ND_TARGET_MAC, &mac) || ipv6_is_unspecified(frame->source) ||
        (ipv6_is_group(frame->destination) && (frame->payload[4] & ND_SOLICITED)))
        return frame_drop(ether, COUNTER_ND_MALFORMED);
    if (interface_has_ipv6(frame->interface, target)) {
        frame->interface->conflict = true;
        return frame_drop(ether, COUNTER_ETHER_ADDRESS_CONFLICT);
    }
    if (mac != NULL)
        routers_heard(ether, frame->interface, target, mac);
    /* Without the override flag it is a proxy's, and the address we know may be the better one
     * (RFC 4861, 7.2.5). */
    if (mac != NULL && (frame->payload[4] & ND_OVERRIDE)) {
        neighbours_announced(ether->neighbours, frame->interface->index, target, mac, true);
        frame_is_news(ether, frame);
    }
    return FRAME_FREE;
}

static void announce(struct ether *ether, struct interface *interface, const uint8_t address[16]) {
    uint8_t mac[6];
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ether->mempool);
    if (mbuf == NULL) {
        count(ether->counters, COUNTER_ETHER_NO_BUFFER);
        return;
    }
    ethernet_ipv6_group(mac, ipv6_all_nodes);
    advertise(ether, interface, mbuf, address, ipv6_all_nodes, ND_OVERRIDE, mac);
}

void nd_announce(struct ether *ether, struct interface *interface) {
    if (!interface->has_ipv6)
        return;
    announce(ether, interface, interface->link_local);
    announce(ether, interface, interface->ipv6);
}

/* A solicitation of `len` bytes with our MAC address behind it, from our link-local address. */
static void solicit(struct ether *ether, struct interface *interface, const uint8_t *message,
                    uint16_t len, const uint8_t group[16]) {
    uint8_t mac[6];
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ether->mempool);
    uint8_t *at = NULL;
    if (mbuf != NULL)
        at = (uint8_t *)rte_pktmbuf_append(mbuf, (uint16_t)(len + OPTION_MAC_LENGTH));
    if (at == NULL) {
        count(ether->counters, COUNTER_ETHER_NO_BUFFER);
        rte_pktmbuf_free(mbuf);
        return;
    }
    memcpy(at, message, len);
    at[len] = ND_SOURCE_MAC;
    at[len + 1] = OPTION_MAC_LENGTH / 8;
    memcpy(at + len + 2, interface->mac, 6);
    ethernet_ipv6_group(mac, group);
    icmpv6_send(ether, interface, mbuf, interface->link_local, group, ND_HOP_LIMIT, mac);
}

void nd_ask(struct ether *ether, struct interface *interface, const uint8_t target[16]) {
    uint8_t message[ND_OPTIONS] = {ND_SOLICITATION}, group[16];
    if (!interface->has_ipv6)
        return;
    memcpy(message + ND_TARGET, target, 16);
    ipv6_solicited_node(group, target);
    solicit(ether, interface, message, sizeof message, group);
}

void nd_ask_routers(struct ether *ether, struct interface *interface) {
    static const uint8_t message[8] = {ND_ROUTER_SOLICITATION};
    static const uint8_t all_routers[16] = {0xff, 0x02, [15] = 2};
    solicit(ether, interface, message, sizeof message, all_routers);
}
