/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/arp.h"

#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/ethernet.h"
#include "dataplane/ether/routers.h"

enum { ARP_PACKET = 28, ARP_REQUEST = 1, ARP_REPLY = 2 };

/* The packet for IPv4 over Ethernet, by offset. */
enum {
    ARP_OPERATION = 6,
    ARP_SENDER_MAC = 8,
    ARP_SENDER = 14,
    ARP_TARGET_MAC = 18,
    ARP_TARGET = 24
};

static const uint8_t arp_ipv4_ethernet[6] = {0, 1, 0x08, 0x00, 6, 4};

static void arp_write(uint8_t *packet, uint16_t operation, const uint8_t sender_mac[6],
                      const uint8_t sender[4], const uint8_t target_mac[6],
                      const uint8_t target[4]) {
    memcpy(packet, arp_ipv4_ethernet, sizeof arp_ipv4_ethernet);
    store_be16(packet + ARP_OPERATION, operation);
    memcpy(packet + ARP_SENDER_MAC, sender_mac, 6);
    memcpy(packet + ARP_SENDER, sender, 4);
    memcpy(packet + ARP_TARGET_MAC, target_mac, 6);
    memcpy(packet + ARP_TARGET, target, 4);
}

/* The sender's own address: a station's, or 0.0.0.0 in a probe (RFC 5227, 2.1.1). */
static bool sender_valid(const struct frame *frame, const uint8_t *packet) {
    const uint8_t *mac = packet + ARP_SENDER_MAC, *sender = packet + ARP_SENDER;
    return !(mac[0] & 1) && sender[0] < 224 && sender[0] != 127 &&
           !interface_ipv4_broadcast(frame->interface, sender);
}

static enum frame_fate arp_answer(struct ether *ether, struct frame *frame) {
    uint8_t asker_mac[6], asker[4];
    memcpy(asker_mac, frame->packet + ARP_SENDER_MAC, 6);
    memcpy(asker, frame->packet + ARP_SENDER, 4);
    uint8_t *packet = frame_reuse(frame, frame->packet, ARP_PACKET);
    arp_write(packet, ARP_REPLY, frame->interface->mac, frame->interface->ipv4, asker_mac, asker);
    ethernet_send(ether, frame->interface, frame->mbuf, asker_mac, ETHERTYPE_ARP);
    count(ether->counters, COUNTER_ARP_REPLIES);
    return FRAME_KEPT;
}

enum frame_fate arp_input(struct ether *ether, struct frame *frame) {
    static const uint8_t none[4];
    struct interface *interface = frame->interface;
    const uint8_t *packet = frame->packet;
    if (frame->packet_len < ARP_PACKET ||
        memcmp(packet, arp_ipv4_ethernet, sizeof arp_ipv4_ethernet) != 0 ||
        !sender_valid(frame, packet))
        return frame_drop(ether, COUNTER_ARP_MALFORMED);
    const uint8_t *mac = packet + ARP_SENDER_MAC, *sender = packet + ARP_SENDER;
    uint16_t operation = load_be16(packet + ARP_OPERATION);
    bool probe = memcmp(sender, none, 4) == 0;
    bool for_us = interface_has_ipv4(interface, packet + ARP_TARGET);
    if (interface_has_ipv4(interface, sender)) {
        interface->conflict = true;
        return frame_drop(ether, COUNTER_ETHER_ADDRESS_CONFLICT);
    }
    if (!probe) {
        uint8_t mapped[16];
        bool is_news = for_us || memcmp(sender, packet + ARP_TARGET, 4) == 0;
        ipv4_mapped(mapped, sender);
        neighbours_announced(ether->neighbours, interface->index, mapped, mac, is_news);
        routers_heard(ether, interface, mapped, mac);
        if (is_news)
            frame_is_news(ether, frame);
        else
            return frame_drop(ether, COUNTER_ARP_OTHERS);
    }
    if (!for_us || operation != ARP_REQUEST || frame->handed_over)
        return FRAME_FREE;
    return arp_answer(ether, frame);
}

void arp_announce(struct ether *ether, struct interface *interface) {
    arp_ask(ether, interface, interface->ipv4);
}

void arp_ask(struct ether *ether, struct interface *interface, const uint8_t target[4]) {
    static const uint8_t nobody[6];
    if (!interface->has_ipv4)
        return;
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ether->mempool);
    if (mbuf == NULL) {
        count(ether->counters, COUNTER_ETHER_NO_BUFFER);
        return;
    }
    uint8_t *packet = (uint8_t *)rte_pktmbuf_append(mbuf, ARP_PACKET);
    arp_write(packet, ARP_REQUEST, interface->mac, interface->ipv4, nobody, target);
    ethernet_send(ether, interface, mbuf, ethernet_broadcast, ETHERTYPE_ARP);
}
