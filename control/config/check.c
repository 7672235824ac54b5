/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "control/config/read.h"
#include "dataplane/mail/mail.h"

enum {
    INTERFACE_NAME_MAX = 15, /* IFNAMSIZ - 1 */
    IPV6_MTU_MIN = 1280,     /* RFC 8200, section 5 */
    IPV4_HEADERS = 40,       /* IP and TCP without options */
    IPV6_HEADERS = 60,
};

static void check_threads(const struct reading *reading) {
    const struct config *config = &reading->loaded->config;
    unsigned most = THREADS_MAX - 1; /* the admin thread is one */
    if (config->workers.count + config->control.shards > most) {
        mistakes_add(reading->mistakes, place_line(reading->places, "workers", 0, "count"),
                     "workers.count: %u workers and %u shards (control.shards) are too many "
                     "threads; together at most %u",
                     config->workers.count, config->control.shards, most);
    }
}

/* [DOMAIN:]BUS:DEVICE.FUNCTION in hexadecimal. */
static bool pci_address(const char *text) {
    const char *form = strlen(text) == 7 ? "xx:xx.x" : "xxxx:xx:xx.x";
    if (strlen(text) != strlen(form)) {
        return false;
    }
    for (; *form != '\0'; form++, text++) {
        if (*form == 'x' ? strchr("0123456789abcdefABCDEF", *text) == NULL : *form != *text) {
            return false;
        }
    }
    return true;
}

static void check_device(const struct reading *reading, unsigned i) {
    const struct config_port *port = &reading->loaded->config.ports[i];
    const char *right = NULL;
    switch (port->kind) {
    case PORT_TAP:
    case PORT_AF_PACKET:
    case PORT_AF_XDP:
        if (strlen(port->device) > INTERFACE_NAME_MAX || strpbrk(port->device, "/ ,:") != NULL) {
            right = "an interface name of at most 15 bytes without `/`, `:`, `,` and blanks";
        }
        break;
    case PORT_MEMIF:
        if (port->device[0] != '/' || strchr(port->device, ',') != NULL) {
            right = "the absolute path of a socket, without commas";
        }
        break;
    case PORT_RING:
        if (strlen(port->device) > INTERFACE_NAME_MAX || strpbrk(port->device, "/ ,:") != NULL) {
            right = "a name of at most 15 bytes without `/`, `:`, `,` and blanks";
        }
        break;
    case PORT_PCI:
        if (!pci_address(port->device)) {
            right = "a PCI address such as 0000:03:00.0";
        }
        break;
    }
    if (right != NULL) {
        mistakes_add(reading->mistakes, place_line(reading->places, "ports", i, "device"),
                     "ports[%u].device: `%s` does not suit this kind; give %s", i, port->device,
                     right);
    }
}

static void check_port(const struct reading *reading, unsigned i) {
    const struct config *config = &reading->loaded->config;
    const struct config_port *port = &config->ports[i];
    struct mistakes *mistakes = reading->mistakes;
    if (port->device == NULL) {
        return; /* has been reported */
    }
    check_device(reading, i);
    if (port->address == NULL && port->address6 == NULL &&
        !place_wrong(reading->places, "ports", i, "address") &&
        !place_wrong(reading->places, "ports", i, "address6")) {
        mistakes_add(mistakes, place_line(reading->places, "ports", i, NULL),
                     "ports[%u]: has no address; give `address`, `address6` or both", i);
    }
    if (port->address6 != NULL && port->mtu < IPV6_MTU_MIN) {
        mistakes_add(mistakes, place_line(reading->places, "ports", i, "mtu"),
                     "ports[%u].mtu: %u is too small for IPv6; at least %u, or no `address6`", i,
                     port->mtu, IPV6_MTU_MIN);
    }
    unsigned headers = port->address6 != NULL ? IPV6_HEADERS : IPV4_HEADERS;
    if (config->tcp.mss + headers > port->mtu) {
        size_t line = place_line(reading->places, "tcp", 0, "mss");
        mistakes_add(mistakes, line > 0 ? line : place_line(reading->places, "ports", i, "mtu"),
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
        mistakes_add(reading->mistakes, place_line(reading->places, "tcp", 0, "rto_min_ms"),
                     "tcp.rto_min_ms: %u is above tcp.rto_max_ms; at most %u",
                     config->tcp.rto_min_ms, config->tcp.rto_max_ms);
    }
    if (config->mqtt.send_queue_bytes < config->mqtt.packet_size) {
        mistakes_add(reading->mistakes, place_line(reading->places, "mqtt", 0, "send_queue_bytes"),
                     "mqtt.send_queue_bytes: %u is less than mqtt.packet_size; at least %u",
                     config->mqtt.send_queue_bytes, config->mqtt.packet_size);
    }
}

void check_config(const struct reading *reading) {
    const struct config *config = &reading->loaded->config;
    check_threads(reading);
    for (unsigned i = 0; i < config->ports_count; i++) {
        check_port(reading, i);
    }
    check_listeners(reading);
    check_auth(reading);
    check_tcp(reading);
}
