/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/interface.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/ipv6.h"

const uint8_t ipv6_all_nodes[16] = {0xff, 0x02, [15] = 1};

bool address_parse(int family, const char *text, uint8_t *address, uint8_t *prefix) {
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    long bits_max = family == AF_INET ? 32 : 128;
    if (slash == NULL || (size_t)(slash - text) >= sizeof host)
        return false;
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = '\0';
    char *end;
    long bits = strtol(slash + 1, &end, 10);
    if (end == slash + 1 || *end != '\0' || bits < 0 || bits > bits_max)
        return false;
    *prefix = (uint8_t)bits;
    return inet_pton(family, host, address) == 1;
}

void ipv6_solicited_node(uint8_t group[16], const uint8_t address[16]) {
    static const uint8_t prefix[13] = {0xff, 0x02, [11] = 1, [12] = 0xff};
    memcpy(group, prefix, sizeof prefix);
    memcpy(group + 13, address + 13, 3);
}

/* RFC 4291, appendix A. */
static void link_local_from_mac(uint8_t address[16], const uint8_t mac[6]) {
    memset(address, 0, 16);
    address[0] = 0xfe;
    address[1] = 0x80;
    memcpy(address + 8, mac, 3);
    address[8] ^= 2;
    address[11] = 0xff;
    address[12] = 0xfe;
    memcpy(address + 13, mac + 3, 3);
}

static bool gateway_init(struct gateway *gateway, int family, const char *text) {
    uint8_t address[16];
    if (text == NULL)
        return true;
    if (inet_pton(family, text, address) != 1)
        return false;
    if (family == AF_INET)
        ipv4_mapped(gateway->address, address);
    else
        memcpy(gateway->address, address, 16);
    gateway->configured = true;
    return true;
}

bool interface_init(struct interface *interface, const struct port *port, unsigned index) {
    const struct config_port *config = port->config;
    memset(interface, 0, sizeof *interface);
    interface->port = port;
    interface->index = (uint8_t)index;
    interface->vlan = config->vlan;
    memcpy(interface->mac, port->mac, 6);
    interface->hop_limit = INTERFACE_HOP_LIMIT;
    interface->mtu6 = port->mtu;
    if (!gateway_init(&interface->gateways[GATEWAY_IPV4], AF_INET, config->gateway) ||
        !gateway_init(&interface->gateways[GATEWAY_IPV6], AF_INET6, config->gateway6))
        return false;
    if (config->address != NULL) {
        if (!address_parse(AF_INET, config->address, interface->ipv4, &interface->ipv4_prefix))
            return false;
        interface->has_ipv4 = true;
    }
    if (config->address6 != NULL) {
        if (!address_parse(AF_INET6, config->address6, interface->ipv6, &interface->ipv6_prefix))
            return false;
        interface->has_ipv6 = true;
        link_local_from_mac(interface->link_local, port->mac);
        ipv6_solicited_node(interface->solicited[0], interface->ipv6);
        ipv6_solicited_node(interface->solicited[1], interface->link_local);
    }
    return true;
}

bool interface_in_group(const struct interface *interface, const uint8_t group[16]) {
    return interface->has_ipv6 && (memcmp(group, ipv6_all_nodes, 16) == 0 ||
                                   memcmp(group, interface->solicited[0], 16) == 0 ||
                                   memcmp(group, interface->solicited[1], 16) == 0);
}

static uint32_t ipv4_host_mask(const struct interface *interface) {
    return interface->ipv4_prefix == 32 ? 0 : UINT32_MAX >> interface->ipv4_prefix;
}

bool interface_ipv4_broadcast(const struct interface *interface, const uint8_t address[4]) {
    uint32_t hosts = ipv4_host_mask(interface), it = load_be32(address);
    if (!interface->has_ipv4 || interface->ipv4_prefix >= 31 ||
        ((it ^ load_be32(interface->ipv4)) & ~hosts) != 0)
        return false;
    return (it & hosts) == hosts || (it & hosts) == 0; /* RFC 1122, 3.2.1.3: the old form too */
}

bool interface_on_link(const struct interface *interface, const uint8_t address[16]) {
    if (ipv4_is_mapped(address))
        return interface->has_ipv4 && ((load_be32(address + 12) ^ load_be32(interface->ipv4)) &
                                       ~ipv4_host_mask(interface)) == 0;
    if (!interface->has_ipv6)
        return false;
    if (ipv6_is_link_local(address))
        return true;
    return same_prefix(address, interface->ipv6, interface->ipv6_prefix);
}
