/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pci: a NIC taken away from the kernel through vfio (or driven beside it, as the mlx drivers do).
 * The one that carries the default route is refused: the machine would be lost.
 */
#include <ctype.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "drivers/kinds.h"

/* Drivers of the kernel that DPDK works with. */
static const char *const good_drivers[] = {"vfio-pci",  "uio_pci_generic", "igb_uio",
                                           "mlx4_core", "mlx5_core",       "mana"};

/* "0000:01:00.0", or the short form "01:00.0", which gets the domain. */
static bool address_normal(const char *text, char address[16]) {
    unsigned domain = 0, bus, device, function;
    int end = -1;
    if ((sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) == 4 &&
         text[end] == '\0') ||
        (domain = 0, end = -1,
         sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end) == 3 && text[end] == '\0')) {
        snprintf(address, 16, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, device & 0xff,
                 function & 7);
        return true;
    }
    return false;
}

/* The last part of what a symbolic link points to. */
static bool link_name(const char *path, char *name, size_t size) {
    char target[PATH_MAX];
    ssize_t len = readlink(path, target, sizeof target - 1);
    if (len < 0)
        return false;
    target[len] = '\0';
    snprintf(name, size, "%s", basename(target));
    return true;
}

/* The device of an interface may lie below the PCI device (virtio), so any part of its path counts.
 */
static bool interface_is(const char *interface, const char *address) {
    char path[PATH_MAX], real[PATH_MAX];
    snprintf(path, sizeof path, "/sys/class/net/%s/device", interface);
    if (realpath(path, real) == NULL)
        return false;
    for (char *rest = real, *part; (part = strsep(&rest, "/")) != NULL;)
        if (strcmp(part, address) == 0)
            return true;
    return false;
}

/* Whether a default route, IPv4 or IPv6, goes out through the device. */
static bool carries_default_route(const char *address, char interface[IFNAMSIZ]) {
    char line[512];
    bool found = false;
    FILE *file = fopen("/proc/net/route", "r");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        unsigned destination, mask;
        if (sscanf(line, "%15s %x %*x %*x %*d %*d %*d %x", interface, &destination, &mask) == 3)
            found = destination == 0 && mask == 0 && interface_is(interface, address);
    }
    if (file != NULL)
        fclose(file);
    file = fopen("/proc/net/ipv6_route", "r");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        unsigned length;
        if (sscanf(line, "%*s %x %*s %*x %*s %*s %*s %*s %*s %15s", &length, interface) == 2)
            found = length == 0 && interface_is(interface, address);
    }
    if (file != NULL)
        fclose(file);
    return found;
}

static int device_check(const struct config_port *config, const char *address, char *error,
                        unsigned error_size) {
    char path[PATH_MAX], driver[NAME_MAX + 1] = "none", interface[IFNAMSIZ];
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s", address);
    if (access(path, F_OK) < 0)
        return port_error(
            error, error_size,
            "port %s: there is no such PCI device; `dpdk-devbind.py --status-dev net` "
            "shows which there are",
            config->device);
    if (carries_default_route(address, interface))
        return port_error(error, error_size,
                          "port %s: it is %s, which carries this machine's default route; use "
                          "another NIC, or af_xdp to share this one",
                          config->device, interface);
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/driver", address);
    link_name(path, driver, sizeof driver);
    for (unsigned i = 0; i < sizeof good_drivers / sizeof *good_drivers; i++)
        if (strcmp(driver, good_drivers[i]) == 0)
            return 0;
    return port_error(error, error_size,
                      "port %s: its driver is %s; `dpdk-devbind.py --bind=vfio-pci %s` hands it "
                      "over",
                      config->device, driver, address);
}

static int eal_argument(const struct config_port *config, unsigned index, unsigned queues,
                        char *argument, unsigned size, char *error, unsigned error_size) {
    char address[16];
    if (!address_normal(config->device, address))
        return port_error(error, error_size,
                          "port %s: device: a PCI address looks like 0000:01:00.0", config->device);
    if (device_check(config, address, error, error_size) < 0)
        return -1;
    argument[0] = '\0';
    if (argument_add(argument, size, "--allow=%s", address) < 0 ||
        argument_options(argument, size, config) < 0)
        return port_error(error, error_size, "port %s: options: too long", config->device);
    return 0;
}

static int find(const struct config_port *config, unsigned index, unsigned queues, uint16_t *id) {
    char address[16];
    if (!address_normal(config->device, address))
        return -1;
    return rte_eth_dev_get_port_by_name(address, id);
}

const struct port_kind port_kind_pci = {
    .name = "pci",
    .package = "librte-bus-pci23",
    .hardware = true,
    .device_mac = true,
    .sets_mtu = true,
    .eal_argument = eal_argument,
    .find = find,
};
