/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PCI device as the kernel shows it in sysfs, and why DPDK cannot have it. Nothing here opens or
 * changes it. Main thread, set-up only.
 */
#ifndef LINEMQ_DRIVERS_PCI_DEVICE_H
#define LINEMQ_DRIVERS_PCI_DEVICE_H

#include <stdbool.h>

#include "control/config/config.h"

#define PCI_SYSFS "/sys/bus/pci/devices"

enum { PCI_ADDRESS_SIZE = 16, PCI_DRIVER_SIZE = 32 };

struct pci_device {
    unsigned vendor, id;
    bool nic;
    char driver[PCI_DRIVER_SIZE]; /* of the kernel, or "none" */
    int iommu_group;              /* or -1: no IOMMU stands before it */
};

/* "0000:01:00.0", or the short form "01:00.0", which gets the domain. False: it is neither. */
bool pci_address_parse(const char *text, char address[PCI_ADDRESS_SIZE]);

/* False: there is none of this address. `sysfs` is PCI_SYSFS, or a copy of it. */
bool pci_device_look(const char *sysfs, const char *address, struct pci_device *device);

/* Whether DPDK can drive it as it stands. 0, or -1 with a sentence in `error` that says what would
 * be right. */
int pci_device_check(const char *sysfs, const struct config_port *config, char *error,
                     unsigned error_size);

/* After EAL has started without the device, which passed the check: the reason in words, from what
 * EAL logged. Returns -1. */
int pci_device_refused(const char *sysfs, const struct config_port *config, const char *log,
                       char *error, unsigned error_size);

#endif
