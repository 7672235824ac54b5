/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are on a port: MAC address, VLAN, IP addresses, and which routers there are (routers.h).
 * Thread: the worker. */
#ifndef LINEMQ_ETHER_INTERFACE_H
#define LINEMQ_ETHER_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/ether/tx.h"
#include "drivers/port.h"

enum { INTERFACE_HOP_LIMIT = 64, INTERFACE_ROUTERS_MAX = 4, GATEWAY_IPV4 = 0, GATEWAY_IPV6 = 1 };

/* A router that has advertised itself. */
struct default_router {
    uint8_t address[16]; /* link-local */
    uint32_t hop;        /* 0: free */
    uint64_t until;      /* microseconds */
};

/* The one that the configuration names. */
struct gateway {
    bool configured;
    uint8_t address[16]; /* IPv4 mapped */
    uint32_t hop;        /* 0: not heard yet */
};

struct interface {
    const struct port *port;
    uint8_t index; /* of the port */
    bool has_ipv4, has_ipv6;
    bool conflict; /* another station claims one of our addresses: to be defended */
    uint8_t mac[6];
    uint16_t vlan;                    /* 0: untagged */
    uint8_t ipv4_prefix, ipv6_prefix; /* bits */
    uint8_t ipv4[4], ipv6[16];        /* ours, network order */
    uint8_t link_local[16];           /* fe80:: with the modified EUI-64 of the MAC address */
    uint8_t solicited[2][16];         /* solicited-node groups of the two IPv6 addresses */
    struct gateway gateways[2];       /* IPv4, IPv6 */
    struct default_router routers[INTERFACE_ROUTERS_MAX];
    bool routers_known; /* one has advertised itself */
    uint8_t hop_limit;  /* of IPv6 */
    uint16_t mtu6;      /* of the link, for IPv6 */
    struct tx tx;
};

extern const uint8_t ipv6_all_nodes[16];

/* The group that has to answer for an address (RFC 4291, 2.7.1). */
void ipv6_solicited_node(uint8_t group[16], const uint8_t address[16]);

/* False when an address of the configuration does not parse. */
bool interface_init(struct interface *interface, const struct port *port, unsigned index);

/* "10.88.0.2/24" of either family: address in network order, prefix length. */
bool address_parse(int family, const char *text, uint8_t *address, uint8_t *prefix);

/* Whether the address is one of ours. */
static inline bool interface_has_ipv4(const struct interface *interface, const uint8_t *address) {
    return interface->has_ipv4 && memcmp(address, interface->ipv4, 4) == 0;
}

static inline bool interface_has_ipv6(const struct interface *interface, const uint8_t *address) {
    return interface->has_ipv6 && (memcmp(address, interface->ipv6, 16) == 0 ||
                                   memcmp(address, interface->link_local, 16) == 0);
}

/* Whether it is a group that every station with our addresses belongs to. */
bool interface_in_group(const struct interface *interface, const uint8_t group[16]);

/* Whether it is in the subnet of our IPv4 address and means all stations of it. */
bool interface_ipv4_broadcast(const struct interface *interface, const uint8_t address[4]);

/* Whether stations with the address (IPv4 mapped) are on the link itself, not behind a router. */
bool interface_on_link(const struct interface *interface, const uint8_t address[16]);

static inline void ipv4_mapped(uint8_t mapped[16], const uint8_t address[4]) {
    memset(mapped, 0, 10);
    memset(mapped + 10, 0xff, 2);
    memcpy(mapped + 12, address, 4);
}

static inline bool ipv4_is_mapped(const uint8_t address[16]) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, prefix, sizeof prefix) == 0;
}

#endif
