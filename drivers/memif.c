/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memif: shared memory between two processes on one machine, named by a Unix socket. We are the
 * server unless the options say role=client. The sender picks the queue: a peer does best to send a
 * flow on the queue its answers come from.
 *
 * Both sides must have as many queues: the driver refuses a peer that has more, and takes the
 * memory of the first for those that a peer with fewer does not have. It tells nobody how many the
 * peer has; so one is used unless the configuration says more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_common.h>

#include "drivers/kinds.h"

enum { RING_SIZE_LOG2_MAX = 14, SOCKET_PATH_MAX = sizeof((struct sockaddr_un *)0)->sun_path };

/* Whether a process listens on the socket. Asked of the kernel, for connecting just to see would
 * disturb the driver at the other end. */
static bool socket_listens(const char *path) {
    char line[512];
    bool found = false;
    FILE *file = fopen("/proc/net/unix", "r");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        char *name = strchr(line, '/');
        if (name != NULL) {
            name[strcspn(name, "\n")] = '\0';
            found = strcmp(name, path) == 0;
        }
    }
    if (file != NULL)
        fclose(file);
    return found;
}

/* The server's socket must not exist; one left behind by a process that died is removed. */
static int socket_check(const struct config_port *config, char *error, unsigned error_size) {
    struct stat status;
    const char *path = config->device;
    if (path[0] != '/' || strlen(path) >= SOCKET_PATH_MAX)
        return port_error(error, error_size,
                          "port %s: device: the path of a socket begins with / and has at "
                          "most %d characters",
                          path, SOCKET_PATH_MAX - 1);
    if (strchr(path, ',') != NULL)
        return port_error(error, error_size, "port %s: device: a path without commas", path);
    if (stat(path, &status) < 0) {
        char folder[SOCKET_PATH_MAX];
        strcpy(folder, path);
        char *slash = strrchr(folder, '/');
        slash[slash == folder] = '\0';
        if (access(folder, W_OK | X_OK) < 0)
            return port_error(error, error_size, "port %s: no socket can be made in %s: %s", path,
                              folder, strerror(errno));
        return 0;
    }
    if (!S_ISSOCK(status.st_mode))
        return port_error(error, error_size, "port %s: device: the file exists and is no socket",
                          path);
    if (socket_listens(path) || unlink(path) < 0)
        return port_error(error, error_size, "port %s: the socket is in use by another process",
                          path);
    return 0;
}

static int eal_argument(const struct config_port *config, unsigned index, unsigned queues,
                        char *argument, unsigned size, char *error, unsigned error_size) {
    bool client = config->options != NULL && strstr(config->options, "role=client") != NULL;
    if (!client && socket_check(config, error, error_size) < 0)
        return -1;
    argument[0] = '\0';
    int result = argument_add(argument, size, "--vdev=net_memif%u,socket=%s,socket-abstract=no",
                              index, config->device);
    if (!options_have(config, "role"))
        result |= argument_add(argument, size, ",role=server");
    if (!options_have(config, "rsize")) {
        unsigned log2 = rte_log2_u32(config->queue_size);
        result |= argument_add(argument, size, ",rsize=%u",
                               log2 > RING_SIZE_LOG2_MAX ? RING_SIZE_LOG2_MAX : log2);
    }
    if (result < 0 || argument_options(argument, size, config) < 0)
        return port_error(error, error_size, "port %s: options: too long", config->device);
    return 0;
}

static int find(const struct config_port *config, unsigned index, unsigned queues, uint16_t *id) {
    return find_vdev("net_memif", index, id);
}

const struct port_kind port_kind_memif = {
    .name = "memif",
    .package = "librte-net-memif23",
    .queues_max = 255,
    .queues_unasked = 1,
    .options = "id role bsize rsize mac secret zero-copy",
    .eal_argument = eal_argument,
    .find = find,
};
