/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/lock.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_build_config.h>

#include "drivers/kinds.h"
#include "drivers/pci_device.h"

static int locks[RTE_MAX_ETHPORTS];
static unsigned locks_count;

static int lock(const struct config_port *config, const char *name, char *error,
                unsigned error_size) {
    const char *what = port_kind(config->kind)->interface ? "interface" : "device";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* The first byte of an abstract name is zero. */
    int len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "linemq/port/%s", name);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    if (len < 0 || size > sizeof address)
        return port_error(error, error_size, "port %s: device: the name is too long",
                          config->device);
    if (locks_count == RTE_MAX_ETHPORTS)
        return port_error(error, error_size, "port %s: too many ports", config->device);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, size) == 0) {
        locks[locks_count++] = fd;
        return 0;
    }
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (why == EADDRINUSE)
        return port_error(error, error_size,
                          "port %s: another LineMQ runs on this %s; stop it, or choose another %s",
                          config->device, what, what);
    return port_error(error, error_size, "port %s: it cannot be locked: %s", config->device,
                      strerror(why));
}

int locks_take(const struct config *config, char *error, unsigned error_size) {
    for (unsigned i = 0; i < config->ports_count; i++) {
        const struct config_port *port = &config->ports[i];
        const char *name = port_kind(port->kind)->interface ? port->device : NULL;
        char address[PCI_ADDRESS_SIZE];
        if (port->kind == PORT_PCI && pci_address_parse(port->device, address))
            name = address; /* which has two spellings */
        if (name != NULL && lock(port, name, error, error_size) < 0) {
            locks_release();
            return -1;
        }
    }
    return 0;
}

void locks_release(void) {
    while (locks_count > 0)
        close(locks[--locks_count]);
}
