/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/pci_device.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/kinds.h"

enum { CLASS_NETWORK = 0x02, CLASS_SHIFT = 16, NICS_MAX = 16, LOG_LINE_MAX = 160 };

/* Drivers of the kernel that DPDK works with. */
static const char *const good_drivers[] = {"vfio-pci",  "uio_pci_generic", "igb_uio",
                                           "mlx4_core", "mlx5_core",       "mana"};

bool pci_address_parse(const char *text, char address[PCI_ADDRESS_SIZE]) {
    unsigned domain = 0, bus, device, function;
    int end = -1;
    if ((sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) == 4 &&
         text[end] == '\0') ||
        (domain = 0, end = -1,
         sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end) == 3 && text[end] == '\0')) {
        snprintf(address, PCI_ADDRESS_SIZE, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff,
                 device & 0xff, function & 7);
        return true;
    }
    return false;
}

/* The hexadecimal number in a file, or 0. */
static unsigned number_read(const char *sysfs, const char *address, const char *file) {
    char path[PATH_MAX];
    unsigned number = 0;
    snprintf(path, sizeof path, "%s/%s/%s", sysfs, address, file);
    FILE *in = fopen(path, "r");
    if (in == NULL)
        return 0;
    if (fscanf(in, "%x", &number) != 1)
        number = 0;
    fclose(in);
    return number;
}

/* The last part of what a symbolic link points to, or the given word. */
static void link_read(const char *sysfs, const char *address, const char *file, const char *none,
                      char *name, size_t size) {
    char path[PATH_MAX], target[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s/%s", sysfs, address, file);
    ssize_t len = readlink(path, target, sizeof target - 1);
    const char *last = none;
    if (len > 0) {
        target[len] = '\0';
        const char *slash = strrchr(target, '/');
        last = slash == NULL ? target : slash + 1;
    }
    snprintf(name, size, "%.*s", (int)size - 1, last);
}

bool pci_device_look(const char *sysfs, const char *address, struct pci_device *device) {
    char path[PATH_MAX], group[PCI_DRIVER_SIZE];
    snprintf(path, sizeof path, "%s/%s", sysfs, address);
    *device = (struct pci_device){.iommu_group = -1};
    if (access(path, F_OK) < 0)
        return false;
    device->vendor = number_read(sysfs, address, "vendor");
    device->id = number_read(sysfs, address, "device");
    device->nic = number_read(sysfs, address, "class") >> CLASS_SHIFT == CLASS_NETWORK;
    link_read(sysfs, address, "driver", "none", device->driver, sizeof device->driver);
    link_read(sysfs, address, "iommu_group", "-1", group, sizeof group);
    device->iommu_group = (int)strtol(group, NULL, 10);
    return true;
}

/* "0000:01:00.0 (driver e1000e), ..." */
static void nics_print(const char *sysfs, char *text, unsigned size) {
    struct dirent **entries;
    int count = scandir(sysfs, &entries, NULL, alphasort), nics = 0;
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        struct pci_device device;
        if (nics < NICS_MAX && pci_device_look(sysfs, entries[i]->d_name, &device) && device.nic) {
            argument_add(text, size, "%s%s (driver %s)", nics == 0 ? "" : ", ", entries[i]->d_name,
                         device.driver);
            nics++;
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    if (nics == 0)
        argument_add(text, size, "none");
}

static bool driver_good(const char *driver) {
    for (unsigned i = 0; i < sizeof good_drivers / sizeof *good_drivers; i++)
        if (strcmp(driver, good_drivers[i]) == 0)
            return true;
    return false;
}

int pci_device_check(const char *sysfs, const struct config_port *config, char *error,
                     unsigned error_size) {
    char address[PCI_ADDRESS_SIZE], nics[256];
    struct pci_device device;
    if (!pci_address_parse(config->device, address))
        return port_error(error, error_size,
                          "port %s: device: a PCI address looks like 0000:01:00.0", config->device);
    bool there = pci_device_look(sysfs, address, &device);
    if (!there || !device.nic) {
        nics_print(sysfs, nics, sizeof nics);
        return port_error(
            error, error_size, "port %s: %s; the NICs of this machine: %s", config->device,
            there ? "this PCI device is no NIC" : "there is no such PCI device", nics);
    }
    if (driver_good(device.driver))
        return 0;
    if (device.iommu_group < 0)
        return port_error(error, error_size,
                          "port %s: its driver is %s, and vfio-pci cannot have it without an "
                          "IOMMU: switch VT-d or AMD-Vi on in the firmware (and boot with "
                          "intel_iommu=on), or bind it to uio_pci_generic",
                          config->device, device.driver);
    return port_error(error, error_size,
                      "port %s: its driver is %s, not vfio-pci; `dpdk-devbind.py --bind=vfio-pci "
                      "%s` (package dpdk) hands it over",
                      config->device, device.driver, address);
}

/* What EAL says, and what that means with vfio-pci or another driver. */
static const struct {
    const char *said;
    bool vfio;
    const char *meaning;
} meanings[] = {
    {"Device or resource busy", true, "another process drives it; `fuser /dev/vfio/*` tells which"},
    {"not viable", true,
     "other devices of its IOMMU group are not bound to vfio-pci, and all must be; "
     "`ls " PCI_SYSFS "/*/iommu_group/devices` shows the groups"},
    {"failed to select IOMMU type", true,
     "the kernel refuses the IOMMU to vfio; `dmesg` says why. Without interrupt remapping it wants "
     "`echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts`"},
    {"No supported IOMMU extensions", true,
     "the kernel's module vfio_iommu_type1 is not loaded; `modprobe vfio_iommu_type1` does it"},
    {"Expecting 'PA' IOVA mode", false,
     "without vfio-pci it needs hugepages, as much as workers.packet_memory_mib says; "
     "`sysctl vm.nr_hugepages=N` sets N of them aside"},
};

/* The last line of a log that says more than that it failed. */
static const char *complaint(const char *log, char line[LOG_LINE_MAX]) {
    line[0] = '\0';
    for (const char *at = log; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        char here[LOG_LINE_MAX];
        snprintf(here, sizeof here, "%.*s", (int)len, at);
        if (here[0] != '\0' && strstr(here, "probe failed") == NULL &&
            strstr(here, "cannot be used") == NULL)
            memcpy(line, here, sizeof here);
        at += len + (at[len] == '\n');
    }
    return line;
}

int pci_device_refused(const char *sysfs, const struct config_port *config, const char *log,
                       char *error, unsigned error_size) {
    char address[PCI_ADDRESS_SIZE], line[LOG_LINE_MAX];
    struct pci_device device;
    if (!pci_address_parse(config->device, address))
        snprintf(address, sizeof address, "-");
    pci_device_look(sysfs, address, &device);
    /* Of several ports only one may have failed; its line names it. */
    char cannot[64];
    snprintf(cannot, sizeof cannot, "%s cannot be used", address);
    if (strstr(log, cannot) == NULL)
        return port_error(error, error_size,
                          "port %s: no driver of DPDK knows this device (%04x:%04x); is its "
                          "package installed? `apt-get install librte-meta-net` brings all",
                          config->device, device.vendor, device.id);
    bool vfio = strcmp(device.driver, "vfio-pci") == 0;
    for (unsigned i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].vfio == vfio && strstr(log, meanings[i].said) != NULL)
            return port_error(error, error_size, "port %s: %s", config->device,
                              meanings[i].meaning);
    return port_error(error, error_size, "port %s: DPDK cannot use it, and says: %s",
                      config->device, complaint(log, line));
}
