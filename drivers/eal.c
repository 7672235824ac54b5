/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/eal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "drivers/eal_arguments.h"
#include "drivers/eal_log.h"
#include "drivers/kinds.h"
#include "drivers/lock.h"

static struct {
    struct eal_arguments arguments;
    unsigned hugepages_mib; /* free before the start */
} eal;

/* EAL leaves its runtime directory behind, with or without files in it. */
static void runtime_directory_remove(void) {
    const char *path = rte_eal_get_runtime_dir();
    DIR *directory = path == NULL || path[0] == '\0' ? NULL : opendir(path);
    if (directory == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_type != DT_DIR)
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(path);
}

int eal_check(const struct config *config, char *error, unsigned error_size) {
    struct eal_machine machine;
    eal_machine_look(&machine);
    return eal_memory_check(config, &machine, error, error_size);
}

void eal_leave(void) {
    runtime_directory_remove();
}

int eal_start(const struct config *config, char *error, unsigned error_size) {
    struct eal_machine machine;
    char *v[EAL_ARGUMENTS_MAX + 1];
    char line[256];
    if (locks_take(config, error, error_size) < 0)
        return -1;
    eal_machine_look(&machine);
    eal.hugepages_mib = machine.hugepages_mib;
    if (eal_arguments_make(config, &machine, &eal.arguments, error, error_size) < 0) {
        eal_arguments_free(&eal.arguments);
        locks_release();
        return -1;
    }
    eal_log_open(config->log.level == LOG_LEVEL_DEBUG);
    for (unsigned i = 0; i < config->ports_count; i++)
        if (config->ports[i].kind == PORT_AF_XDP)
            eal_log_xdp();
    memcpy(v, eal.arguments.v, sizeof v); /* EAL reorders what it is given */
    struct eal_aside aside;
    char printed[256];
    eal_aside_begin(&aside);
    int result = rte_eal_init(eal.arguments.count, v);
    int reason = rte_errno;
    eal_aside_end(&aside, printed, sizeof printed);
    if (result >= 0) {
        /* Nothing is kept there unless the user's arguments want it: a process that is killed
         * should not leave it behind. */
        rmdir(rte_eal_get_runtime_dir());
        return 0;
    }
    runtime_directory_remove();
    locks_release();
    eal_log_last(line, sizeof line);
    if (reason == ENODEV && config->ports_count > 0)
        return port_error(error, error_size,
                          "DPDK did not start: %s; is the driver installed (package %s)?", line,
                          port_kind(config->ports[0].kind)->package);
    /* All other arguments are ours. */
    if (config->workers.eal != NULL && config->workers.eal[0] != '\0' && reason == EINVAL)
        return port_error(error, error_size, "workers.eal: DPDK refuses `%s`: %s",
                          config->workers.eal, printed[0] != '\0' ? printed : line);
    return port_error(error, error_size, "DPDK did not start: %s (%s)", line, rte_strerror(reason));
}

void eal_stop(void) {
    rte_eal_cleanup();
    runtime_directory_remove();
    eal_log_close();
    eal_arguments_free(&eal.arguments);
    locks_release();
}

bool eal_hugepages(void) {
    return eal.arguments.hugepages;
}

unsigned eal_hugepages_mib(void) {
    return eal.hugepages_mib;
}
