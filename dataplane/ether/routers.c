/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/routers.h"

#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/arp.h"
#include "dataplane/ether/icmp.h"
#include "dataplane/ether/ipv6.h"
#include "dataplane/ether/nd.h"

enum {
    RA_HOP_LIMIT = 4,   /* offsets in an advertisement (RFC 4861 4.2) */
    HOP_LIMIT_MIN = 32, /* 0 says nothing, and 1 would cut us off: no router means that */
    RA_LIFETIME = 6,
    RA_OPTIONS = 16, /* and the least length */
};

static bool alive(const struct ether *ether, const struct default_router *router) {
    return router->hop != 0 && router->until > ether->now;
}

/* The place of a router: its own, a free one, or that of the one that ends first. */
static struct default_router *place(const struct ether *ether, struct interface *interface,
                                    const uint8_t address[16]) {
    struct default_router *found = &interface->routers[0];
    for (unsigned i = 0; i < INTERFACE_ROUTERS_MAX; i++) {
        struct default_router *router = &interface->routers[i];
        if (router->hop != 0 && memcmp(router->address, address, 16) == 0)
            return router;
        uint64_t until = alive(ether, router) ? router->until : 0;
        if (until < (alive(ether, found) ? found->until : 0))
            found = router;
    }
    found->hop = 0;
    return found;
}

static const struct station *advertised(struct ether *ether, struct interface *interface) {
    for (unsigned i = 0; i < INTERFACE_ROUTERS_MAX; i++) {
        const struct default_router *router = &interface->routers[i];
        const struct station *station =
            alive(ether, router) ? neighbours_station(ether->neighbours, router->hop) : NULL;
        if (station != NULL)
            return station;
    }
    return NULL;
}

/* What was sent through it goes through another from now on, if there is one; if not, it may still
 * be the way. */
static void resign(struct ether *ether, struct interface *interface,
                   struct default_router *router) {
    uint32_t hop = router->hop;
    router->hop = 0;
    if (advertised(ether, interface) != NULL)
        neighbours_forget(ether->neighbours, hop);
}

enum frame_fate routers_advertisement(struct ether *ether, struct frame *frame) {
    struct interface *interface = frame->interface;
    struct nd_told told;
    if (!nd_valid(frame, RA_OPTIONS, ND_SOURCE_MAC, &told) ||
        !ipv6_is_link_local(frame->source)) /* RFC 4861 6.1.2 */
        return frame_drop(ether, COUNTER_ND_MALFORMED);
    if (!interface->port->config->router_advertisements)
        return frame_drop(ether, COUNTER_ND_ROUTER_IGNORED);
    count(ether->counters, COUNTER_ND_ROUTERS);
    frame_is_news(ether, frame);
    interface->routers_known = true;

    const uint8_t *message = frame->payload;
    if (message[RA_HOP_LIMIT] >= HOP_LIMIT_MIN)
        interface->hop_limit = message[RA_HOP_LIMIT];
    if (told.mtu >= IPV6_MTU_MIN && told.mtu <= interface->port->mtu)
        interface->mtu6 = (uint16_t)told.mtu;
    struct default_router *router = place(ether, interface, frame->source);
    uint64_t lifetime = load_be16(message + RA_LIFETIME) * UINT64_C(1000000);
    if (lifetime == 0) {
        if (router->hop != 0)
            resign(ether, interface, router);
        return FRAME_FREE;
    }
    bool added;
    uint32_t hop = neighbours_learn(ether->neighbours, interface->index,
                                    told.mac != NULL ? told.mac : frame->source_mac, &added);
    neighbours_remember(ether->neighbours, interface->index, frame->source, hop);
    memcpy(router->address, frame->source, 16);
    router->hop = hop;
    router->until = ether->now + lifetime;
    return FRAME_FREE;
}

void routers_heard(struct ether *ether, struct interface *interface, const uint8_t address[16],
                   const uint8_t mac[6]) {
    for (unsigned family = 0; family < 2; family++) {
        struct gateway *gateway = &interface->gateways[family];
        if (!gateway->configured || memcmp(gateway->address, address, 16) != 0)
            continue;
        bool added;
        gateway->hop = neighbours_learn(ether->neighbours, interface->index, mac, &added);
        neighbours_remember(ether->neighbours, interface->index, address, gateway->hop);
    }
}

const struct station *routers_station(struct ether *ether, const struct tcp_tuple *tuple) {
    bool ipv4 = ipv4_is_mapped(tuple->local);
    for (unsigned i = 0; i < ether->interfaces_count; i++) {
        struct interface *interface = &ether->interfaces[i];
        bool ours = ipv4 ? interface_has_ipv4(interface, tuple->local + 12)
                         : interface_has_ipv6(interface, tuple->local);
        if (!ours || interface_on_link(interface, tuple->remote))
            continue;
        const struct gateway *gateway = &interface->gateways[ipv4 ? GATEWAY_IPV4 : GATEWAY_IPV6];
        const struct station *station =
            gateway->hop != 0 ? neighbours_station(ether->neighbours, gateway->hop) : NULL;
        if (station == NULL && !ipv4)
            station = advertised(ether, interface);
        if (station != NULL) {
            count(ether->counters, COUNTER_ETHER_ROUTED);
            return station;
        }
    }
    return NULL;
}

void routers_ask(struct ether *ether, uint64_t now) {
    ether->now = now;
    /* One worker asks for all: they all hear what is answered. */
    if (ether->self != 0 || now < ether->ask_at)
        return;
    bool again = ether->asks < ROUTERS_ASKS;
    ether->ask_at = now + (again ? ROUTERS_ASK_US : ROUTERS_AGAIN_US);
    ether->asks += again;
    for (unsigned i = 0; i < ether->interfaces_count; i++) {
        struct interface *interface = &ether->interfaces[i];
        if (interface->gateways[GATEWAY_IPV4].configured)
            arp_ask(ether, interface, interface->gateways[GATEWAY_IPV4].address + 12);
        if (interface->gateways[GATEWAY_IPV6].configured)
            nd_ask(ether, interface, interface->gateways[GATEWAY_IPV6].address);
        if (again && interface->has_ipv6 && !interface->routers_known &&
            interface->port->config->router_advertisements)
            nd_ask_routers(ether, interface);
    }
}
