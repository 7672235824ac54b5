/* SPDX-License-Identifier: Apache-2.0 */
/*
 * af_packet: an existing interface through a packet socket; works everywhere, copies everything.
 *
 * The kernel sees the frames too, so our address must not be the kernel's. Frames that the kernel
 * has merged (GRO) or left without a checksum are no use to us: receive offloads of the interface
 * are switched off while we run, and a veth peer's transmit offloads for good.
 */
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_ether.h>

#include "drivers/host.h"
#include "drivers/kinds.h"
#include "drivers/peer.h"

enum {
    QUEUES_MAX = 16,
    FRAME_HEADER = 66, /* TPACKET2_HDRLEN and room for a VLAN tag, rounded up */
};

static int eal_argument(const struct config_port *config, unsigned index, unsigned queues,
                        char *argument, unsigned size, char *error, unsigned error_size) {
    if (!host_may(CAP_NET_RAW) || !host_may(CAP_NET_ADMIN))
        return port_error(error, error_size,
                          "port %s: af_packet needs CAP_NET_RAW and CAP_NET_ADMIN; run it as root",
                          config->device);
    if (host_interface_usable(config, error, error_size) < 0)
        return -1;
    /* A frame must fit into a packet buffer of the mempool with its header taken off, and frames
     * fill a block without rest: 2048 bytes is the one size for an ordinary MTU. */
    unsigned frame = rte_align32pow2(config->mtu + RTE_ETHER_HDR_LEN + FRAME_HEADER);
    unsigned block = RTE_MAX((unsigned)sysconf(_SC_PAGESIZE), frame);
    argument[0] = '\0';
    int result = argument_add(argument, size, "--vdev=net_af_packet%u,iface=%s,qpairs=%u", index,
                              config->device, queues);
    if (!options_have(config, "framesz") && !options_have(config, "blocksz"))
        result |= argument_add(argument, size, ",framesz=%u,blocksz=%u", frame, block);
    if (!options_have(config, "framecnt"))
        result |= argument_add(argument, size, ",framecnt=%u",
                               rte_align32pow2(RTE_MAX(config->queue_size, block / frame)));
    if (!options_have(config, "qdisc_bypass"))
        result |= argument_add(argument, size, ",qdisc_bypass=1");
    if (result < 0 || argument_options(argument, size, config) < 0)
        return port_error(error, error_size, "port %s: options: too long", config->device);
    return 0;
}

static int find(const struct config_port *config, unsigned index, unsigned queues, uint16_t *id) {
    return find_vdev("net_af_packet", index, id);
}

/* Receive offloads that hand over frames the sender never sent (checksum offload off takes large
 * receive offload with it), and which of them were on, by DPDK port. */
static const struct {
    uint32_t get, set;
} receive_offloads[] = {{ETHTOOL_GGRO, ETHTOOL_SGRO}, {ETHTOOL_GRXCSUM, ETHTOOL_SRXCSUM}};
enum { RECEIVE_OFFLOADS = sizeof receive_offloads / sizeof *receive_offloads };
static bool were_on[RTE_MAX_ETHPORTS][RECEIVE_OFFLOADS];

static int started(const struct config_port *config, const struct port *port, char *error,
                   unsigned error_size) {
    if (peer_offloads_off(config->device, error, error_size) < 0)
        return -1;
    for (unsigned i = 0; i < RECEIVE_OFFLOADS; i++)
        were_on[port->id][i] =
            host_offload(config->device, receive_offloads[i].get) &&
            host_offload_set(config->device, receive_offloads[i].set, false) == 0;
    return 0;
}

static void closing(const struct config_port *config, const struct port *port) {
    for (unsigned i = 0; i < RECEIVE_OFFLOADS; i++) {
        if (were_on[port->id][i])
            host_offload_set(config->device, receive_offloads[i].set, true);
        were_on[port->id][i] = false;
    }
}

const struct port_kind port_kind_af_packet = {
    .name = "af_packet",
    .package = "librte-net-af-packet23",
    .queues_max = QUEUES_MAX,
    .interface = true,
    .device_mac = true,
    .promiscuous = true,
    .options = "blocksz framesz framecnt qdisc_bypass",
    .eal_argument = eal_argument,
    .find = find,
    .started = started,
    .closing = closing,
};
