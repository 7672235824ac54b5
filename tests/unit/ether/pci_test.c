/* SPDX-License-Identifier: Apache-2.0 */
/* What a PCI device looks like in sysfs, and the sentence for each reason why it cannot be had. */
#include "drivers/pci_device.h"
#include "tests/unit/ether/world.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NIC  "0000:01:00.0"
#define DISK "0000:02:00.0"

/* A copy of /sys/bus/pci/devices: a NIC with an IOMMU before it, and a disk controller. */
struct machine {
    char sysfs[64];
    struct config_port config;
    char error[512];
};

static void file_write(const char *folder, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void device_add(const struct machine *machine, const char *address, const char *class) {
    char folder[128];
    snprintf(folder, sizeof folder, "%s/%s", machine->sysfs, address);
    assert_int_equal(mkdir(folder, 0700), 0);
    file_write(folder, "vendor", "0x8086\n");
    file_write(folder, "device", "0x10d3\n");
    file_write(folder, "class", class);
}

/* NULL: there is no such link. */
static void link_set(const struct machine *machine, const char *name, const char *target) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s/%s", machine->sysfs, NIC, name);
    unlink(path);
    if (target != NULL)
        assert_int_equal(symlink(target, path), 0);
}

static int machine_make(void **state) {
    struct machine *machine = calloc(1, sizeof *machine);
    assert_non_null(machine);
    strcpy(machine->sysfs, "/tmp/linemq-pci.XXXXXX");
    assert_non_null(mkdtemp(machine->sysfs));
    device_add(machine, NIC, "0x020000\n");
    device_add(machine, DISK, "0x010601\n");
    link_set(machine, "driver", "../../../bus/pci/drivers/vfio-pci");
    link_set(machine, "iommu_group", "../../../kernel/iommu_groups/17");
    machine->config = (struct config_port){.kind = PORT_PCI, .device = NIC};
    *state = machine;
    return 0;
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk) {
    return remove(path);
}

static int machine_remove(void **state) {
    struct machine *machine = *state;
    nftw(machine->sysfs, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(machine);
    return 0;
}

static int check(struct machine *machine, const char *device) {
    machine->config.device = device;
    machine->error[0] = '\0';
    return pci_device_check(machine->sysfs, &machine->config, machine->error,
                            sizeof machine->error);
}

static void assert_refused(struct machine *machine, const char *log, const char *sentence) {
    assert_int_equal(pci_device_refused(machine->sysfs, &machine->config, log, machine->error,
                                        sizeof machine->error),
                     -1);
    if (strstr(machine->error, sentence) == NULL)
        fail_msg("`%s` does not say `%s`", machine->error, sentence);
}

static void both_spellings_of_an_address_are_read(void **state) {
    static const char *const wrong[] = {"",         "eth0",          "01:00",
                                        "01:00.0x", "0000:01:00.0 ", "g1:00.0"};
    char address[PCI_ADDRESS_SIZE];
    assert_true(pci_address_parse("0001:0a:1f.7", address));
    assert_string_equal(address, "0001:0a:1f.7");
    assert_true(pci_address_parse("0A:1f.7", address));
    assert_string_equal(address, "0000:0a:1f.7");
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(pci_address_parse(wrong[i], address));
}

static void what_sysfs_says_of_a_device_is_read(void **state) {
    struct machine *machine = *state;
    struct pci_device device;
    assert_true(pci_device_look(machine->sysfs, NIC, &device));
    assert_int_equal(device.vendor, 0x8086);
    assert_int_equal(device.id, 0x10d3);
    assert_true(device.nic);
    assert_string_equal(device.driver, "vfio-pci");
    assert_int_equal(device.iommu_group, 17);
    assert_true(pci_device_look(machine->sysfs, DISK, &device));
    assert_false(device.nic);
    assert_string_equal(device.driver, "none");
    assert_int_equal(device.iommu_group, -1);
    assert_false(pci_device_look(machine->sysfs, "0000:03:00.0", &device));
}

static void a_nic_bound_to_vfio_is_good_in_either_spelling(void **state) {
    struct machine *machine = *state;
    assert_int_equal(check(machine, NIC), 0);
    assert_int_equal(check(machine, "01:00.0"), 0);
}

static void a_wrong_address_is_answered_with_the_nics_there_are(void **state) {
    struct machine *machine = *state;
    assert_int_equal(check(machine, "0000:03:00.0"), -1);
    assert_string_equal(machine->error,
                        "port 0000:03:00.0: there is no such PCI device; the NICs of this machine: "
                        "0000:01:00.0 (driver vfio-pci)");
    assert_int_equal(check(machine, DISK), -1);
    assert_string_equal(machine->error,
                        "port 0000:02:00.0: this PCI device is no NIC; the NICs of this machine: "
                        "0000:01:00.0 (driver vfio-pci)");
}

static void a_nic_of_the_kernel_is_answered_with_how_to_hand_it_over(void **state) {
    struct machine *machine = *state;
    link_set(machine, "driver", "../../../bus/pci/drivers/e1000e");
    assert_int_equal(check(machine, NIC), -1);
    assert_non_null(strstr(machine->error, "its driver is e1000e, not vfio-pci; "
                                           "`dpdk-devbind.py --bind=vfio-pci 0000:01:00.0`"));
    link_set(machine, "driver", NULL);
    assert_int_equal(check(machine, NIC), -1);
    assert_non_null(strstr(machine->error, "its driver is none, not vfio-pci"));
}

static void without_an_iommu_the_two_ways_out_are_named(void **state) {
    struct machine *machine = *state;
    link_set(machine, "driver", NULL);
    link_set(machine, "iommu_group", NULL);
    assert_int_equal(check(machine, NIC), -1);
    assert_non_null(strstr(machine->error, "vfio-pci cannot have it without an IOMMU"));
    assert_non_null(strstr(machine->error, "uio_pci_generic"));
    link_set(machine, "driver", "../../../bus/pci/drivers/uio_pci_generic");
    assert_int_equal(check(machine, NIC), 0);
}

/* As EAL of DPDK 22.11 writes them. */
static void what_eal_complains_of_is_said_in_words(void **state) {
    struct machine *machine = *state;
    assert_refused(machine,
                   "EAL: Cannot open /dev/vfio/17: Device or resource busy\n"
                   "EAL: Failed to open VFIO group 17\n"
                   "EAL: Requested device 0000:01:00.0 cannot be used\n"
                   "EAL: Bus (pci) probe failed.\n",
                   "port 0000:01:00.0: another process drives it");
    assert_refused(machine,
                   "EAL: 0000:01:00.0 VFIO group is not viable! Not all devices in IOMMU group "
                   "bound to VFIO or unbound\n"
                   "EAL: Requested device 0000:01:00.0 cannot be used\n",
                   "other devices of its IOMMU group are not bound to vfio-pci");
    assert_refused(machine,
                   "EAL: 0000:01:00.0 failed to select IOMMU type\n"
                   "EAL: Requested device 0000:01:00.0 cannot be used\n",
                   "allow_unsafe_interrupts");
    assert_refused(machine,
                   "EAL: No supported IOMMU extensions found!\n"
                   "EAL: VFIO support could not be initialized\n"
                   "EAL: Requested device 0000:01:00.0 cannot be used\n",
                   "`modprobe vfio_iommu_type1`");
    link_set(machine, "driver", "../../../bus/pci/drivers/uio_pci_generic");
    assert_refused(machine,
                   "EAL: No supported IOMMU extensions found!\n"
                   "EAL:   Expecting 'PA' IOVA mode but current mode is 'VA', not initializing\n"
                   "EAL: Requested device 0000:01:00.0 cannot be used\n",
                   "without vfio-pci it needs hugepages");
}

static void what_eal_complains_of_and_we_do_not_know_is_cited(void **state) {
    struct machine *machine = *state;
    assert_refused(machine,
                   "EAL: first\nEAL: the flux is low\n"
                   "EAL: Requested device 0000:01:00.0 cannot be used\n"
                   "EAL: Bus (pci) probe failed.\n",
                   "port 0000:01:00.0: DPDK cannot use it, and says: EAL: the flux is low");
}

static void a_device_that_no_driver_asked_for_lacks_its_package(void **state) {
    struct machine *machine = *state;
    assert_refused(machine, "EAL: Requested device 0000:09:00.0 cannot be used\n",
                   "no driver of DPDK knows this device (8086:10d3); is its package installed?");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_make, machine_remove)
    const struct CMUnitTest tests[] = {
        TEST(both_spellings_of_an_address_are_read),
        TEST(what_sysfs_says_of_a_device_is_read),
        TEST(a_nic_bound_to_vfio_is_good_in_either_spelling),
        TEST(a_wrong_address_is_answered_with_the_nics_there_are),
        TEST(a_nic_of_the_kernel_is_answered_with_how_to_hand_it_over),
        TEST(without_an_iommu_the_two_ways_out_are_named),
        TEST(what_eal_complains_of_is_said_in_words),
        TEST(what_eal_complains_of_and_we_do_not_know_is_cited),
        TEST(a_device_that_no_driver_asked_for_lacks_its_package),
    };
    return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
