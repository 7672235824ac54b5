/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pci: a NIC taken away from the kernel through vfio (or driven beside it, as the mlx drivers do).
 * The one that carries the default route is refused: the machine would be lost.
 */
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "drivers/eal.h"
#include "drivers/kinds.h"
#include "drivers/pci_device.h"

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

/* The group of vfio, as far as it is vfio that has the device. */
static bool group_may_be_opened(const struct pci_device *device, char path[32]) {
    snprintf(path, 32, "/dev/vfio/%d", device->iommu_group);
    return strcmp(device->driver, "vfio-pci") != 0 || access(path, R_OK | W_OK) == 0;
}

static int eal_argument(const struct config_port *config, unsigned index, unsigned queues,
                        char *argument, unsigned size, char *error, unsigned error_size) {
    char address[PCI_ADDRESS_SIZE], interface[IFNAMSIZ], group[32];
    struct pci_device device;
    if (pci_address_parse(config->device, address) && carries_default_route(address, interface))
        return port_error(error, error_size,
                          "port %s: it is %s, which carries this machine's default route; use "
                          "another NIC, or af_xdp to share this one",
                          config->device, interface);
    if (pci_device_check(PCI_SYSFS, config, error, error_size) < 0)
        return -1;
    pci_device_look(PCI_SYSFS, address, &device);
    if (!group_may_be_opened(&device, group))
        return port_error(error, error_size,
                          "port %s: %s: %s; run it as root, and pass that device in if this is a "
                          "container",
                          config->device, group, strerror(errno));
    argument[0] = '\0';
    if (argument_add(argument, size, "--allow=%s", address) < 0 ||
        argument_options(argument, size, config) < 0)
        return port_error(error, error_size, "port %s: options: too long", config->device);
    return 0;
}

static int find(const struct config_port *config, unsigned index, unsigned queues, uint16_t *id) {
    char address[PCI_ADDRESS_SIZE];
    if (!pci_address_parse(config->device, address))
        return -1;
    return rte_eth_dev_get_port_by_name(address, id);
}

static int refused(const struct config_port *config, char *error, unsigned error_size) {
    return pci_device_refused(PCI_SYSFS, config, eal_log(), error, error_size);
}

/* The em driver (82540 to I219) offers two queues, but the hardware remembers the positions of
 * checksums once for both transmit queues, and there is no RSS. */
static unsigned device_queues(const char *driver) {
    return strcmp(driver, "net_e1000_em") == 0 ? 1 : UINT16_MAX;
}

const struct port_kind port_kind_pci = {
    .name = "pci",
    .package = "librte-bus-pci23",
    .hardware = true,
    .device_mac = true,
    .sets_mtu = true,
    .eal_argument = eal_argument,
    .find = find,
    .refused = refused,
    .device_queues = device_queues,
};
