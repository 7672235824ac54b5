/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/eal_arguments.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "drivers/kinds.h"
#include "drivers/memory.h"

enum {
    ARGUMENT_MAX = 8192, /* bytes */
    CPUS_TEXT_MAX = 5 * RTE_MAX_LCORE,
    MEMORY_SPARED = 16, /* this part of the memory is left to everything else */
};

static unsigned free_hugepages_mib(void) {
    const char *folder = "/sys/kernel/mm/hugepages";
    unsigned long total_kib = 0;
    DIR *sizes = opendir(folder);
    for (struct dirent *entry; sizes != NULL && (entry = readdir(sizes)) != NULL;) {
        unsigned long kib, count = 0;
        char path[512];
        if (sscanf(entry->d_name, "hugepages-%lukB", &kib) != 1)
            continue;
        snprintf(path, sizeof path, "%s/%s/free_hugepages", folder, entry->d_name);
        FILE *file = fopen(path, "r");
        if (file != NULL && fscanf(file, "%lu", &count) == 1)
            total_kib += count * kib;
        if (file != NULL)
            fclose(file);
    }
    if (sizes != NULL)
        closedir(sizes);
    return (unsigned)(total_kib / 1024);
}

void eal_machine_look(struct eal_machine *machine) {
    *machine = (struct eal_machine){.hugepages_mib = free_hugepages_mib(),
                                    .memory_mib = memory_available_mib(),
                                    .process = (unsigned long)getpid()};
    sched_getaffinity(0, sizeof machine->cpus, &machine->cpus);
}

/* A decimal number, without sign or blanks; where it ends, or NULL. */
static const char *number_parse(const char *text, unsigned *number) {
    *number = 0;
    if (*text < '0' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9'; text++) {
        *number = *number * 10 + (unsigned)(*text - '0');
        if (*number >= CPU_SETSIZE)
            return NULL;
    }
    return text;
}

int eal_cpus_parse(const char *text, unsigned *cpus, unsigned max) {
    unsigned count = 0;
    for (;;) {
        unsigned first, last;
        text = number_parse(text, &first);
        last = first;
        if (text != NULL && *text == '-')
            text = number_parse(text + 1, &last);
        if (text == NULL || last < first || last - first >= max - count)
            return -1;
        for (unsigned cpu = first; cpu <= last; cpu++)
            cpus[count++] = cpu;
        if (*text == '\0')
            return (int)count;
        if (*text++ != ',')
            return -1;
    }
}

static int add(struct eal_arguments *arguments, const char *text) {
    char *copy = arguments->count < EAL_ARGUMENTS_MAX ? strdup(text) : NULL;
    if (copy == NULL)
        return -1;
    arguments->v[arguments->count++] = copy;
    return 0;
}

/* "(0-3,6)": a set of CPUs as EAL writes it, as far as EAL can count. */
static void cpus_print(const cpu_set_t *set, char *text, size_t size) {
    size_t used = 0;
    for (int cpu = 0; cpu < RTE_MAX_LCORE && used < size; cpu++) {
        int last = cpu;
        if (!CPU_ISSET(cpu, set))
            continue;
        while (last + 1 < RTE_MAX_LCORE && CPU_ISSET(last + 1, set))
            last++;
        used +=
            (size_t)snprintf(text + used, size - used, "%c%d-%d", used == 0 ? '(' : ',', cpu, last);
        cpu = last;
    }
    if (used < size)
        snprintf(text + used, size - used, ")");
}

/* Lcore 0 is the main thread, on what the workers leave; lcore i + 1 is worker i. Several lcores
 * may share a CPU. */
static int add_lcores(const struct config *config, const struct eal_machine *machine,
                      struct eal_arguments *arguments, char *error, unsigned error_size) {
    unsigned cpus[RTE_MAX_LCORE];
    int cpus_count = 0;
    cpu_set_t rest = machine->cpus;
    char text[ARGUMENT_MAX] = "--lcores=", set[CPUS_TEXT_MAX];
    if (config->workers.count == 0 || config->workers.count >= RTE_MAX_LCORE)
        return port_error(error, error_size, "workers.count: between 1 and %d", RTE_MAX_LCORE - 1);
    if (config->workers.cpus != NULL) {
        cpus_count = eal_cpus_parse(config->workers.cpus, cpus, RTE_MAX_LCORE);
        if (cpus_count <= 0)
            return port_error(error, error_size,
                              "workers.cpus: `%s` is no list of CPUs like 2,3 or 2-5",
                              config->workers.cpus);
    }
    for (int i = 0; i < cpus_count; i++) {
        if (cpus[i] >= RTE_MAX_LCORE || !CPU_ISSET(cpus[i], &machine->cpus))
            return port_error(error, error_size,
                              "workers.cpus: CPU %u does not exist or this process may not use it",
                              cpus[i]);
        if ((unsigned)i < config->workers.count)
            CPU_CLR(cpus[i], &rest);
    }
    if (CPU_COUNT(&rest) == 0)
        rest = machine->cpus;
    cpus_print(&rest, set, sizeof set);
    int result = argument_add(text, sizeof text, "0@%s", set);
    cpus_print(&machine->cpus, set, sizeof set);
    for (unsigned i = 0; i < config->workers.count; i++)
        if (cpus_count > 0)
            result |=
                argument_add(text, sizeof text, ",%u@%u", i + 1, cpus[i % (unsigned)cpus_count]);
    if (cpus_count == 0)
        result |= argument_add(text, sizeof text, ",(1-%u)@%s", config->workers.count, set);
    if (result < 0 || add(arguments, text) < 0)
        return port_error(error, error_size, "workers.cpus: too many");
    return 0;
}

static bool hugepages_suffice(const struct config *config, const struct eal_machine *machine) {
    return config->workers.hugepages && machine->hugepages_mib >= config->workers.packet_memory_mib;
}

int eal_memory_check(const struct config *config, const struct eal_machine *machine, char *error,
                     unsigned error_size) {
    unsigned packets = hugepages_suffice(config, machine) ? 0 : config->workers.packet_memory_mib;
    uint64_t workers =
        config->workers.prefault ? (uint64_t)config->workers.memory_mib * config->workers.count : 0;
    unsigned most = machine->memory_mib - machine->memory_mib / MEMORY_SPARED;
    if (packets > most)
        return port_error(error, error_size,
                          "workers.packet_memory_mib: %u MiB is too much: this process can have "
                          "%u MiB of memory, some of which everything else needs; at most %u",
                          packets, machine->memory_mib, most);
    if (workers > most - packets)
        return port_error(error, error_size,
                          "workers.memory_mib: %u MiB for each of %u workers, touched at start "
                          "(workers.prefault), is too much: this process can have %u MiB of "
                          "memory; at most %u",
                          config->workers.memory_mib, config->workers.count, machine->memory_mib,
                          (most - packets) / config->workers.count);
    return 0;
}

static int add_memory(const struct config *config, const struct eal_machine *machine,
                      struct eal_arguments *arguments) {
    char text[64];
    unsigned mib = config->workers.packet_memory_mib;
    arguments->hugepages = hugepages_suffice(config, machine);
    int result = 0;
    if (arguments->hugepages) {
        result |= add(arguments, "--in-memory");
    } else {
        result |= add(arguments, "--no-huge");
        result |= add(arguments, "--no-shconf");
    }
    snprintf(text, sizeof text, "-m%u", mib);
    result |= add(arguments, text);
    return result;
}

static int add_ports(const struct config *config, struct eal_arguments *arguments, char *error,
                     unsigned error_size) {
    bool pci = false;
    for (unsigned i = 0; i < config->ports_count; i++) {
        const struct config_port *port = &config->ports[i];
        char text[1024];
        if (port_eal_argument(port, i, config->workers.count, text, sizeof text, error,
                              error_size) < 0)
            return -1;
        if (text[0] != '\0' && add(arguments, text) < 0)
            return port_error(error, error_size, "ports: too many");
        pci = pci || port->kind == PORT_PCI;
    }
    /* Without --no-pci EAL would take any NIC bound to vfio, somebody else's too. With real NICs
     * the addressing mode is EAL's choice: it knows whether there is an IOMMU. */
    if (!pci && (add(arguments, "--no-pci") < 0 || add(arguments, "--iova-mode=va") < 0))
        return port_error(error, error_size, "ports: too many");
    return 0;
}

static int add_users(const char *text, struct eal_arguments *arguments, char *error,
                     unsigned error_size) {
    char word[ARGUMENT_MAX];
    int end;
    for (; text != NULL && sscanf(text, "%8191s%n", word, &end) == 1; text += end) {
        if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
            return port_error(error, error_size,
                              "workers.eal: `%s` would end the broker; `dpdk-testpmd -h` shows "
                              "DPDK's help",
                              word);
        if (add(arguments, word) < 0)
            return port_error(error, error_size, "workers.eal: more than %d arguments in all",
                              EAL_ARGUMENTS_MAX);
    }
    return 0;
}

int eal_arguments_make(const struct config *config, const struct eal_machine *machine,
                       struct eal_arguments *arguments, char *error, unsigned error_size) {
    char prefix[64];
    *arguments = (struct eal_arguments){0};
    snprintf(prefix, sizeof prefix, "--file-prefix=linemq-%lu", machine->process);
    if (add(arguments, "linemqd") < 0 || add(arguments, prefix) < 0 ||
        add(arguments, "--no-telemetry") < 0 ||
        add(arguments, config->log.level == LOG_LEVEL_DEBUG ? "--log-level=*:info"
                                                            : "--log-level=*:warning") < 0 ||
        add_memory(config, machine, arguments) < 0)
        return port_error(error, error_size, "no memory");
    if (add_lcores(config, machine, arguments, error, error_size) < 0 ||
        add_ports(config, arguments, error, error_size) < 0)
        return -1;
    return add_users(config->workers.eal, arguments, error, error_size);
}

void eal_arguments_free(struct eal_arguments *arguments) {
    for (int i = 0; i < arguments->count; i++)
        free(arguments->v[i]);
    *arguments = (struct eal_arguments){0};
}
