/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/memory.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The value of a line like "MemAvailable:   123 kB", or of a file with one number. UINT64_MAX:
 * none. */
static uint64_t number_read(const char *path, const char *format) {
    char line[256];
    uint64_t number = UINT64_MAX;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, format, &number) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return number;
}

/* The least limit of the control groups that this process is in (version 2), in bytes. */
static uint64_t group_limit(void) {
    char path[PATH_MAX], name[PATH_MAX] = "";
    uint64_t least = UINT64_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file != NULL && fgets(path, sizeof path, file) != NULL)
        if (sscanf(path, "0::%4095s", name) == 1)
            break;
    if (file != NULL)
        fclose(file);
    while (name[0] == '/') {
        snprintf(path, sizeof path, "/sys/fs/cgroup%.4000s/memory.max", name);
        uint64_t limit = number_read(path, "%" SCNu64);
        least = limit < least ? limit : least;
        *strrchr(name, '/') = '\0';
    }
    return least;
}

unsigned memory_available_mib(void) {
    uint64_t available = number_read("/proc/meminfo", "MemAvailable: %" SCNu64);
    uint64_t limit = group_limit();
    if (available != UINT64_MAX)
        available /= 1024;
    if (limit / 1048576 < available)
        available = limit / 1048576;
    return available > UINT_MAX ? UINT_MAX : (unsigned)available;
}
