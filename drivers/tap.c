/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap: a software NIC whose other end is an interface of the kernel; needs no hugepages.
 *
 * The driver wants to be told about received frames by a real-time signal, which interrupts
 * whatever thread is running, and afterwards looks at a queue only if a signal has come: a worker
 * woken by epoll before the handler ran elsewhere would find nothing. While every such signal has a
 * handler already the driver does without, and reads the descriptor at each poll.
 *
 * The kernel's end has the driver's MAC address; ours must be another, or both ends would have the
 * same IPv6 link-local address. The driver filters nothing, so a made-up one does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>

#include "drivers/host.h"
#include "drivers/kinds.h"

static const char tap_control[] = "/dev/net/tun";

/* The driver announces the receive and the transmit descriptor of every queue in one message
 * between processes, which has room for 8, and writes past its end when there are more. */
enum { QUEUES_MAX = RTE_MP_MAX_FD_NUM / 2 };

/* Gives every real-time signal that nobody handles a handler, for the life of the process: queues
 * are set up long after this, perhaps of several ports. */
static void signals_occupy(void) {
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
            signal(number, SIG_IGN);
    }
}

static int machine_check(const struct config_port *config, char *error, unsigned error_size) {
    const char *device = config->device;
    if (!host_interface_name_valid(device))
        return port_error(error, error_size,
                          "port %s: device: an interface name has 1 to 15 characters, without "
                          "blanks and `/:%%,`",
                          device);
    if (access(tap_control, F_OK) < 0)
        return port_error(error, error_size,
                          "port %s: %s is missing; `modprobe tun` loads it, a container must be "
                          "given the device",
                          device, tap_control);
    if (!host_may(CAP_NET_ADMIN))
        return port_error(error, error_size,
                          "port %s: a tap interface needs CAP_NET_ADMIN; run it as root", device);
    int fd = open(tap_control, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return port_error(error, error_size, "port %s: %s cannot be opened: %s", device,
                          tap_control, strerror(errno));
    close(fd);
    if (host_interface_exists(device))
        return port_error(error, error_size,
                          "port %s: an interface of this name exists already; remove it, or choose "
                          "another name",
                          device);
    return 0;
}

static int eal_argument(const struct config_port *config, unsigned index, unsigned queues,
                        char *argument, unsigned size, char *error, unsigned error_size) {
    if (machine_check(config, error, error_size) < 0)
        return -1;
    signals_occupy();
    argument[0] = '\0';
    if (argument_add(argument, size, "--vdev=net_tap%u,iface=%s", index, config->device) < 0 ||
        argument_options(argument, size, config) < 0)
        return port_error(error, error_size, "port %s: options: too long", config->device);
    return 0;
}

static int find(const struct config_port *config, unsigned index, unsigned queues, uint16_t *id) {
    return find_vdev("net_tap", index, id);
}

const struct port_kind port_kind_tap = {
    .name = "tap",
    .package = "librte-net-tap23",
    .queues_max = QUEUES_MAX,
    .interface = true,
    .interrupts = true,
    .sets_mtu = true,
    .options = "mac remote persist",
    .eal_argument = eal_argument,
    .find = find,
};
