/* SPDX-License-Identifier: Apache-2.0 */
/*
 * af_xdp: an existing interface through XDP sockets. All frames of its receive queues come to us,
 * so there must be a socket on each queue: their number is the interface's, and if workers are more
 * or fewer, frames are handed over. Nothing is offloaded in either direction, and a veth peer's
 * transmit offloads are switched off.
 */
#include <linux/capability.h>
#include <linux/ethtool.h>

#include <rte_common.h>

#include "drivers/host.h"
#include "drivers/kinds.h"
#include "drivers/peer.h"

/* Receive queues that the interface has now; 1 where it does not say. */
static unsigned channels(const char *device) {
    struct ethtool_channels now = {.cmd = ETHTOOL_GCHANNELS};
    if (host_ethtool(device, &now) < 0)
        return 1;
    unsigned count = now.combined_count > 0 ? now.combined_count : now.rx_count;
    return count == 0 ? 1 : count;
}

static int eal_argument(const struct config_port *config, unsigned index, unsigned queues,
                        char *argument, unsigned size, char *error, unsigned error_size) {
    if (!host_may(CAP_NET_RAW) || !host_may(CAP_NET_ADMIN))
        return port_error(error, error_size,
                          "port %s: af_xdp needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF; run it as "
                          "root",
                          config->device);
    if (host_interface_usable(config, error, error_size) < 0)
        return -1;
    unsigned has = channels(config->device);
    if (has > queues)
        return port_error(error, error_size,
                          "port %s: the interface receives on %u queues and only %u workers (or "
                          "ports[].queues) serve it; `ethtool -L %s combined %u` makes them fit",
                          config->device, has, queues, config->device, queues);
    argument[0] = '\0';
    if (argument_add(argument, size, "--vdev=net_af_xdp%u,iface=%s,start_queue=0,queue_count=%u",
                     index, config->device, has) < 0 ||
        argument_options(argument, size, config) < 0)
        return port_error(error, error_size, "port %s: options: too long", config->device);
    return 0;
}

static int find(const struct config_port *config, unsigned index, unsigned queues, uint16_t *id) {
    return find_vdev("net_af_xdp", index, id);
}

static int started(const struct config_port *config, const struct port *port, char *error,
                   unsigned error_size) {
    return peer_offloads_off(config->device, error, error_size);
}

const struct port_kind port_kind_af_xdp = {
    .name = "af_xdp",
    .package = "librte-net-af-xdp23",
    .interface = true,
    .device_mac = true,
    .promiscuous = true,
    .options = "shared_umem xdp_prog busy_budget force_copy",
    .eal_argument = eal_argument,
    .find = find,
    .started = started,
};
