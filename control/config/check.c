/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "control/config/read.h"
#include "dataplane/mail/mail.h"

enum {
    INTERFACE_NAME_MAX = 15, /* IFNAMSIZ - 1 */
    IPV6_MTU_MIN = 1280,     /* RFC 8200, section 5 */
    IPV4_HEADERS = 40,       /* IP and TCP without options */
    IPV6_HEADERS = 60,
};

/* The line of two values that do not fit each other: of the first, or of the second if that one was
 * given and the first was not. */
static size_t either_line(const struct reading *reading, const char *section, unsigned item,
                          const char *key, const char *other_section, unsigned other_item,
                          const char *other_key) {
    const struct places *places = reading->places;
    if (place_given(places, section, item, key) == 0 &&
        place_given(places, other_section, other_item, other_key) > 0)
        return place_given(places, other_section, other_item, other_key);
    return place_line(places, section, item, key);
}

static void check_threads(const struct reading *reading) {
    const struct config *config = &reading->loaded->config;
    unsigned most = THREADS_MAX - 1; /* the admin thread is one */
    if (config->workers.count + config->control.shards > most) {
        mistakes_add(reading->mistakes,
                     either_line(reading, "workers", 0, "count", "control", 0, "shards"),
                     "workers.count: %u workers and %u shards (control.shards) are too many "
                     "threads; together at most %u",
                     config->workers.count, config->control.shards, most);
    }
}

/* The rest is for what is whole. */
static void check_memory(const struct reading *reading) {
    const struct config *config = &reading->loaded->config;
    if (config->workers.partial_memory_mib > config->workers.memory_mib / 2) {
        mistakes_add(reading->mistakes,
                     place_line(reading->places, "workers", 0, "partial_memory_mib"),
                     "workers.partial_memory_mib: %u is more than half of workers.memory_mib; at "
                     "most %u",
                     config->workers.partial_memory_mib, config->workers.memory_mib / 2);
    }
}

/* [DOMAIN:]BUS:DEVICE.FUNCTION in hexadecimal. */
static bool pci_address(const char *text) {
    const char *form = strlen(text) == 7 ? "xx:xx.x" : "xxxx:xx:xx.x";
    if (strlen(text) != strlen(form))
        return false;
    for (; *form != '\0'; form++, text++)
        if (*form == 'x' ? strchr("0123456789abcdefABCDEF", *text) == NULL : *form != *text)
            return false;
    return true;
}

static void check_device(const struct reading *reading, unsigned i) {
    const struct config_port *port = &reading->loaded->config.ports[i];
    const char *right = NULL;
    switch (port->kind) {
    case PORT_TAP:
    case PORT_AF_PACKET:
    case PORT_AF_XDP:
        if (strlen(port->device) > INTERFACE_NAME_MAX || strpbrk(port->device, "/ ,:") != NULL)
            right = "an interface name of at most 15 bytes without `/`, `:`, `,` and blanks";
        break;
    case PORT_MEMIF:
        if (port->device[0] != '/' || strchr(port->device, ',') != NULL)
            right = "the absolute path of a socket, without commas";
        break;
    case PORT_RING:
        if (strlen(port->device) > INTERFACE_NAME_MAX || strpbrk(port->device, "/ ,:") != NULL)
            right = "a name of at most 15 bytes without `/`, `:`, `,` and blanks";
        break;
    case PORT_PCI:
        if (!pci_address(port->device))
            right = "a PCI address such as 0000:03:00.0";
        break;
    }
    if (right != NULL) {
        mistakes_add(reading->mistakes, place_line(reading->places, "ports", i, "device"),
                     "ports[%u].device: `%s` does not suit this kind; give %s", i, port->device,
                     right);
    }
}

/* An address of a port in network byte order, and the bits of it that name the network. */
struct network {
    uint8_t address[sizeof(struct in6_addr)];
    unsigned size, prefix; /* bytes, bits */
};

/* False: the port has none of this family. */
static bool network_parse(const struct config_port *port, int family, struct network *network) {
    const char *text = family == AF_INET ? port->address : port->address6;
    *network = (struct network){.size = family == AF_INET ? sizeof(struct in_addr)
                                                          : sizeof(struct in6_addr)};
    return text != NULL && value_prefix(family, text, network->address, &network->prefix);
}

/* Whether all bits after the prefix are `value`. */
static bool host_bits_are(const struct network *network, unsigned value) {
    for (unsigned bit = network->prefix; bit < network->size * 8; bit++)
        if ((network->address[bit / 8] >> (7 - bit % 8) & 1u) != value)
            return false;
    return true;
}

/* What a well-formed address is if it is not one of a host, or NULL. Networks of one or two
 * addresses have none to spare (RFC 3021, RFC 6164). */
static const char *no_host(const struct network *network) {
    bool ipv4 = network->size == sizeof(struct in_addr);
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (!ipv4 && memcmp(network->address, mapped, sizeof mapped) == 0) {
        return "an IPv4 address in the form of IPv6, which is never on the wire; give it as "
               "`address`";
    }
    if (!ipv4 && network->address[0] == 0xfe && (network->address[1] & 0xc0) == 0x80) {
        return "a link-local address, which no router forwards and clients can only use with the "
               "name of their interface; give a global one, or one of your own from fd00::/8";
    }
    if (network->prefix + 1 >= network->size * 8)
        return NULL;
    if (host_bits_are(network, 0)) {
        return ipv4 ? "the address of the network itself; give that of one host in it"
                    : "the anycast address of the network's routers; give that of one host in it";
    }
    if (ipv4 && host_bits_are(network, 1))
        return "the broadcast address of its network; give that of one host in it";
    return NULL;
}

static void check_address(const struct reading *reading, unsigned i, int family) {
    const struct config *config = &reading->loaded->config;
    const char *key = family == AF_INET ? "address" : "address6";
    struct network ours, other;
    if (!network_parse(&config->ports[i], family, &ours))
        return;
    const char *text = family == AF_INET ? config->ports[i].address : config->ports[i].address6;
    const char *wrong = no_host(&ours);
    if (wrong != NULL) {
        mistakes_add(reading->mistakes, place_line(reading->places, "ports", i, key),
                     "ports[%u].%s: `%s` is %s", i, key, text, wrong);
    }
    for (unsigned j = 0; j < i; j++) {
        if (network_parse(&config->ports[j], family, &other) &&
            memcmp(ours.address, other.address, sizeof ours.address) == 0) {
            mistakes_add(reading->mistakes, place_line(reading->places, "ports", i, key),
                         "ports[%u].%s: `%s` is the address of ports[%u] already; give each port "
                         "its own",
                         i, key, text, j);
        }
    }
}

/* A gateway is a neighbour: another address of our network, or (IPv6) a link-local one. */
static void check_gateway(const struct reading *reading, unsigned i, int family) {
    const struct config_port *port = &reading->loaded->config.ports[i];
    bool ipv4 = family == AF_INET;
    const char *text = ipv4 ? port->gateway : port->gateway6;
    const char *key = ipv4 ? "gateway" : "gateway6";
    struct network ours;
    uint8_t gateway[sizeof(struct in6_addr)];
    if (text == NULL || inet_pton(family, text, gateway) != 1)
        return;
    size_t line = place_line(reading->places, "ports", i, key);
    if (!network_parse(port, family, &ours)) {
        if (!place_wrong(reading->places, "ports", i, ipv4 ? "address" : "address6")) {
            mistakes_add(reading->mistakes, line,
                         "ports[%u].%s: there is no `%s` that it could be the gateway of", i, key,
                         ipv4 ? "address" : "address6");
        }
        return;
    }
    bool same = memcmp(gateway, ours.address, ours.size) == 0;
    bool near = true;
    for (unsigned bit = 0; bit < ours.prefix; bit++)
        near &= ((gateway[bit / 8] ^ ours.address[bit / 8]) >> (7 - bit % 8) & 1) == 0;
    if (!ipv4 && gateway[0] == 0xfe && (gateway[1] & 0xc0) == 0x80)
        near = true;
    if (same || !near) {
        mistakes_add(reading->mistakes, line,
                     "ports[%u].%s: `%s` is %s; give the router's address in the network of `%s`",
                     i, key, text, same ? "our own address" : "not on this link",
                     ipv4 ? port->address : port->address6);
    }
}

static void check_port(const struct reading *reading, unsigned i) {
    const struct config *config = &reading->loaded->config;
    const struct config_port *port = &config->ports[i];
    struct mistakes *mistakes = reading->mistakes;
    if (port->device == NULL)
        return; /* has been reported */
    check_device(reading, i);
    check_address(reading, i, AF_INET);
    check_address(reading, i, AF_INET6);
    check_gateway(reading, i, AF_INET);
    check_gateway(reading, i, AF_INET6);
    if (port->address == NULL && port->address6 == NULL &&
        !place_wrong(reading->places, "ports", i, "address") &&
        !place_wrong(reading->places, "ports", i, "address6")) {
        mistakes_add(mistakes, place_line(reading->places, "ports", i, NULL),
                     "ports[%u]: has no address; give `address`, `address6` or both", i);
    }
    if (port->address6 != NULL && port->mtu < IPV6_MTU_MIN) {
        mistakes_add(mistakes, either_line(reading, "ports", i, "mtu", "ports", i, "address6"),
                     "ports[%u].mtu: %u is too small for IPv6; at least %u, or no `address6`", i,
                     port->mtu, IPV6_MTU_MIN);
    }
    unsigned headers = port->address6 != NULL ? IPV6_HEADERS : IPV4_HEADERS;
    if (config->tcp.mss + headers > port->mtu) {
        mistakes_add(mistakes, either_line(reading, "tcp", 0, "mss", "ports", i, "mtu"),
                     "tcp.mss: %u does not fit the MTU %u of ports[%u]; at most %u",
                     config->tcp.mss, port->mtu, i, port->mtu - headers);
    }
    for (unsigned j = 0; j < i; j++) {
        const struct config_port *other = &config->ports[j];
        if (other->device != NULL && strcmp(other->device, port->device) == 0) {
            mistakes_add(mistakes, place_line(reading->places, "ports", i, "device"),
                         "ports[%u].device: `%s` is ports[%u] already; name each device once", i,
                         port->device, j);
        }
    }
}

static void check_listeners(const struct reading *reading) {
    const struct config *config = &reading->loaded->config;
    for (unsigned i = 0; i < config->listeners_count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (config->listeners[i].port == config->listeners[j].port &&
                config->listeners[i].port != 0) {
                mistakes_add(reading->mistakes, place_line(reading->places, "listeners", i, "port"),
                             "listeners[%u].port: %u is listeners[%u] already; name each port once",
                             i, config->listeners[i].port, j);
            }
        }
    }
}

static void check_auth(const struct reading *reading) {
    const struct config *config = &reading->loaded->config;
    for (unsigned i = 0; i < config->auth_count; i++) {
        const struct config_auth *link = &config->auth[i];
        if (link->kind == AUTH_PASSWORD_FILE && link->path == NULL &&
            !place_wrong(reading->places, "auth", i, "path")) {
            mistakes_add(reading->mistakes, place_line(reading->places, "auth", i, NULL),
                         "auth[%u].path: is missing; give the password file's name", i);
        }
        if (link->kind == AUTH_ANONYMOUS && link->path != NULL) {
            mistakes_add(reading->mistakes, place_line(reading->places, "auth", i, "path"),
                         "auth[%u].path: means nothing to `anonymous`; remove it", i);
        }
        if (link->kind == AUTH_ANONYMOUS && i + 1 < config->auth_count) {
            mistakes_add(reading->mistakes, place_line(reading->places, "auth", i, NULL),
                         "auth[%u].kind: `anonymous` accepts everybody, so nothing after it is "
                         "asked; put it last",
                         i);
        }
    }
}

static void check_tcp(const struct reading *reading) {
    const struct config *config = &reading->loaded->config;
    if (config->tcp.rto_min_ms > config->tcp.rto_max_ms) {
        mistakes_add(reading->mistakes,
                     either_line(reading, "tcp", 0, "rto_min_ms", "tcp", 0, "rto_max_ms"),
                     "tcp.rto_min_ms: %u is above tcp.rto_max_ms; at most %u",
                     config->tcp.rto_min_ms, config->tcp.rto_max_ms);
    }
    if (config->mqtt.send_queue_bytes < config->mqtt.packet_size) {
        mistakes_add(reading->mistakes,
                     either_line(reading, "mqtt", 0, "send_queue_bytes", "mqtt", 0, "packet_size"),
                     "mqtt.send_queue_bytes: %u is less than mqtt.packet_size; at least %u",
                     config->mqtt.send_queue_bytes, config->mqtt.packet_size);
    }
}

void check_config(const struct reading *reading) {
    const struct config *config = &reading->loaded->config;
    check_threads(reading);
    check_memory(reading);
    for (unsigned i = 0; i < config->ports_count; i++)
        check_port(reading, i);
    check_listeners(reading);
    check_auth(reading);
    check_tcp(reading);
}
