/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/ethernet.h"

#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"

enum { VLAN_ID_MASK = 0xfff };

const uint8_t ethernet_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* A group address, or all zeros, is nobody's own. */
static bool is_station(const uint8_t mac[6]) {
    static const uint8_t none[6];
    return !(mac[0] & 1) && memcmp(mac, none, 6) != 0;
}

/* The tag is in the frame, or the driver has taken it off into the mbuf. A tag with VLAN 0 carries
 * only a priority. */
static bool vlan_parse(struct ether *ether, struct frame *frame) {
    uint16_t vlan = 0;
    if (frame->mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
        vlan = frame->mbuf->vlan_tci & VLAN_ID_MASK;
    } else if (frame->type == ETHERTYPE_VLAN) {
        if (frame->packet_len < ETHERNET_TAG) {
            frame_drop(ether, COUNTER_ETHER_TRUNCATED);
            return false;
        }
        vlan = load_be16(frame->packet) & VLAN_ID_MASK;
        frame->type = load_be16(frame->packet + 2);
        frame->packet += ETHERNET_TAG;
        frame->packet_len -= ETHERNET_TAG;
    }
    if (vlan == frame->interface->vlan)
        return true;
    frame_drop(ether, COUNTER_ETHER_VLAN);
    return false;
}

bool ethernet_parse(struct ether *ether, struct frame *frame) {
    const uint8_t *header = rte_pktmbuf_mtod(frame->mbuf, const uint8_t *);
    uint32_t len = rte_pktmbuf_data_len(frame->mbuf);
    if (len < ETHERNET_HEADER) {
        frame_drop(ether, COUNTER_ETHER_TRUNCATED);
        return false;
    }
    frame->group = header[0] & 1;
    frame->source_mac = header + 6;
    frame->type = load_be16(header + 12);
    frame->packet = header + ETHERNET_HEADER;
    frame->packet_len = len - ETHERNET_HEADER;
    if (!frame->group && memcmp(header, frame->interface->mac, 6) != 0) {
        frame_drop(ether, COUNTER_ETHER_OTHER_STATION);
        return false;
    }
    if (!is_station(frame->source_mac)) {
        frame_drop(ether, COUNTER_ETHER_SOURCE_MAC);
        return false;
    }
    if (memcmp(frame->source_mac, frame->interface->mac, 6) == 0) {
        frame_drop(ether, COUNTER_ETHER_OWN_FRAME);
        return false;
    }
    return vlan_parse(ether, frame);
}

void ethernet_send(struct ether *ether, struct interface *interface, struct rte_mbuf *mbuf,
                   const uint8_t destination[6], uint16_t type) {
    uint16_t len = interface->vlan == 0 ? ETHERNET_HEADER : ETHERNET_HEADER + ETHERNET_TAG;
    uint8_t *header = (uint8_t *)rte_pktmbuf_prepend(mbuf, len);
    if (header == NULL) {
        count(ether->counters, COUNTER_ETHER_NO_BUFFER);
        rte_pktmbuf_free(mbuf);
        return;
    }
    memcpy(header, destination, 6);
    memcpy(header + 6, interface->mac, 6);
    if (interface->vlan != 0) {
        store_be16(header + 12, ETHERTYPE_VLAN);
        store_be16(header + 14, interface->vlan);
    }
    store_be16(header + len - 2, type);
    mbuf->l2_len = len;
    tx_push(ether, interface, mbuf);
}

void ethernet_ipv6_group(uint8_t mac[6], const uint8_t group[16]) {
    mac[0] = mac[1] = 0x33;
    memcpy(mac + 2, group + 12, 4);
}
