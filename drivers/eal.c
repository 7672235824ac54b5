/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/eal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "drivers/eal_arguments.h"
#include "drivers/kinds.h"
#include "drivers/lock.h"

enum { LOG_KEPT = 8192 };

static struct {
    struct eal_arguments arguments;
    unsigned hugepages_mib; /* free before the start */
    char text[LOG_KEPT + 1];
    size_t log_used;
    bool echo;
    FILE *log;
} eal;

/* Keeps the end of the log; stdio has locked the stream. */
static ssize_t log_write(void *cookie, const char *text, size_t len) {
    size_t keep = len < LOG_KEPT ? len : LOG_KEPT;
    size_t over = eal.log_used + keep > LOG_KEPT ? eal.log_used + keep - LOG_KEPT : 0;
    memmove(eal.text, eal.text + over, eal.log_used - over);
    memcpy(eal.text + eal.log_used - over, text + len - keep, keep);
    eal.log_used += keep - over;
    eal.text[eal.log_used] = '\0';
    if (eal.echo)
        fwrite(text, 1, len, stderr);
    return (ssize_t)len;
}

const char *eal_log(void) {
    if (eal.log != NULL)
        fflush(eal.log);
    return eal.text;
}

const char *eal_log_last(char *line, unsigned size) {
    const char *log = eal_log();
    size_t end = strlen(log), start;
    while (end > 0 && isspace((unsigned char)log[end - 1]))
        end--;
    for (start = end; start > 0 && log[start - 1] != '\n'; start--)
        ;
    snprintf(line, size, "%.*s", (int)(end - start), log + start);
    return line;
}

static void log_open(bool echo) {
    cookie_io_functions_t functions = {.write = log_write};
    eal.echo = echo;
    eal.log = fopencookie(NULL, "w", functions);
    if (eal.log != NULL) {
        setvbuf(eal.log, NULL, _IOLBF, 512);
        rte_openlog_stream(eal.log);
    }
}

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
    log_open(config->log.level == LOG_LEVEL_DEBUG);
    memcpy(v, eal.arguments.v, sizeof v); /* EAL reorders what it is given */
    if (rte_eal_init(eal.arguments.count, v) >= 0) {
        /* Nothing is kept there unless the user's arguments want it: a process that is killed
         * should not leave it behind. */
        rmdir(rte_eal_get_runtime_dir());
        return 0;
    }
    int reason = rte_errno;
    runtime_directory_remove();
    locks_release();
    eal_log_last(line, sizeof line);
    if (reason == ENODEV && config->ports_count > 0)
        return port_error(error, error_size,
                          "DPDK did not start: %s; is the driver installed (package %s)?", line,
                          port_kind(config->ports[0].kind)->package);
    return port_error(error, error_size, "DPDK did not start: %s (%s)", line, rte_strerror(reason));
}

void eal_stop(void) {
    rte_eal_cleanup();
    runtime_directory_remove();
    rte_openlog_stream(NULL);
    if (eal.log != NULL)
        fclose(eal.log);
    eal.log = NULL;
    eal_arguments_free(&eal.arguments);
    locks_release();
}

bool eal_hugepages(void) {
    return eal.arguments.hugepages;
}

unsigned eal_hugepages_mib(void) {
    return eal.hugepages_mib;
}
