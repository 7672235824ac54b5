/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "drivers/eal.h"
#include "drivers/host.h"
#include "drivers/kinds.h"

enum {
    FRAME_OVERHEAD = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN, /* around the MTU */
    VLAN_OVERHEAD = 4,
};

#define LINK_UP (UINT32_C(1) << 31) /* of port.link; the rest is the speed */

const struct port_kind *port_kind(enum config_port_kind kind) {
    switch (kind) {
    case PORT_TAP:
        return &port_kind_tap;
    case PORT_AF_PACKET:
        return &port_kind_af_packet;
    case PORT_AF_XDP:
        return &port_kind_af_xdp;
    case PORT_MEMIF:
        return &port_kind_memif;
    case PORT_RING:
        return &port_kind_ring;
    case PORT_PCI:
        return &port_kind_pci;
    }
    return NULL;
}

unsigned port_queues(const struct config_port *config, unsigned workers) {
    const struct port_kind *kind = port_kind(config->kind);
    unsigned wanted = config->queues != 0 ? config->queues : kind->queues_unasked;
    unsigned queues = wanted == 0 || wanted > workers ? workers : wanted;
    if (kind->queues_max != 0 && queues > kind->queues_max)
        queues = kind->queues_max;
    return queues;
}

int port_error(char *error, unsigned error_size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return -1;
}

int argument_add(char *argument, unsigned size, const char *format, ...) {
    size_t used = strlen(argument);
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(argument + used, size - used, format, arguments);
    va_end(arguments);
    return written < 0 || (size_t)written >= size - used ? -1 : 0;
}

int argument_options(char *argument, unsigned size, const struct config_port *config) {
    if (config->options == NULL || config->options[0] == '\0')
        return 0;
    return argument_add(argument, size, ",%s", config->options);
}

bool options_have(const struct config_port *config, const char *key) {
    size_t len = strlen(key);
    for (const char *at = config->options; at != NULL && *at != '\0';) {
        if (strncmp(at, key, len) == 0 && at[len] == '=')
            return true;
        at = strchr(at, ',');
        at = at == NULL ? NULL : at + 1;
    }
    return false;
}

/* Whether a word is among others that are separated by blanks. */
static bool is_among(const char *words, const char *word, size_t len) {
    for (; *words != '\0'; words += strspn(words, " ")) {
        size_t here = strcspn(words, " ");
        if (here == len && memcmp(words, word, len) == 0)
            return true;
        words += here;
    }
    return false;
}

int port_eal_argument(const struct config_port *config, unsigned index, unsigned workers,
                      char *argument, unsigned size, char *error, unsigned error_size) {
    const struct port_kind *kind = port_kind(config->kind);
    const char *option = config->options;
    while (kind->options != NULL && option != NULL && *option != '\0') {
        size_t len = strcspn(option, "=,");
        if (!is_among(kind->options, option, len))
            return port_error(error, error_size,
                              "port %s: options: `%.*s` is none of a %s port; "
                              "there are: %s",
                              config->device, (int)len, option, kind->name,
                              kind->options[0] == '\0' ? "none" : kind->options);
        option += strcspn(option, ",");
        option += *option == ',';
    }
    return kind->eal_argument(config, index, port_queues(config, workers), argument, size, error,
                              error_size);
}

int find_vdev(const char *driver, unsigned index, uint16_t *id) {
    char name[RTE_ETH_NAME_MAX_LEN];
    snprintf(name, sizeof name, "%s%u", driver, index);
    return rte_eth_dev_get_port_by_name(name, id);
}

/* A sentence about what a driver refused, with what it logged. */
static int driver_error(char *error, unsigned error_size, const char *device, const char *what,
                        int result) {
    char line[160];
    eal_log_last(line, sizeof line);
    return port_error(error, error_size, "port %s: %s: %s%s%s", device, what, rte_strerror(-result),
                      line[0] == '\0' ? "" : "; the driver says: ", line);
}

/* A locally administered address that stays the same for a device name on one machine. FNV-1a. */
static void mac_from_name(const struct config_port *config, uint8_t mac[6]) {
    char machine[64] = "";
    FILE *file = fopen("/etc/machine-id", "r");
    if (file != NULL) {
        if (fgets(machine, sizeof machine, file) == NULL)
            machine[0] = '\0';
        fclose(file);
    }
    const char *parts[] = {config->device, config->options == NULL ? "" : config->options, machine};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (unsigned i = 0; i < 3; i++)
        for (const char *at = parts[i]; at != NULL && *at != '\0'; at++)
            hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    mac[0] = 0x02;
    for (unsigned i = 1; i < 6; i++)
        mac[i] = (uint8_t)(hash >> (8 * i));
}

static int mac_choose(struct port *port, const struct port_kind *kind, char *error,
                      unsigned error_size) {
    const struct config_port *config = port->config;
    struct rte_ether_addr address;
    if (config->mac != NULL) {
        if (rte_ether_unformat_addr(config->mac, &address) != 0 ||
            !rte_is_valid_assigned_ether_addr(&address))
            return port_error(error, error_size,
                              "port %s: mac: `%s` is no MAC address of a station, like "
                              "02:00:00:00:00:01",
                              config->device, config->mac);
        if (kind->hardware && rte_eth_dev_default_mac_addr_set(port->id, &address) < 0)
            return port_error(error, error_size, "port %s: the device refuses MAC address %s",
                              config->device, config->mac);
    } else if (kind->device_mac) {
        if (rte_eth_macaddr_get(port->id, &address) < 0)
            return port_error(error, error_size, "port %s: the device tells no MAC address",
                              config->device);
    } else {
        mac_from_name(config, address.addr_bytes);
    }
    memcpy(port->mac, address.addr_bytes, sizeof port->mac);
    return 0;
}

/* Hashing by the device is only asked for when it covers both kinds of TCP, so that one rule finds
 * the owner; the key is ours, so that peers cannot work out queues (and owners) beforehand. */
static void rss_ask(struct port *port, const struct rte_eth_dev_info *info,
                    struct rte_eth_conf *conf) {
    uint64_t types = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;
    if (port->queues < 2 || (info->flow_type_rss_offloads & types) != types ||
        !(info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH) || info->hash_key_size < 40 ||
        info->hash_key_size > PORT_RSS_KEY_MAX || info->reta_size == 0 ||
        info->reta_size > RTE_ETH_RSS_RETA_SIZE_512 ||
        getrandom(port->rss_key, info->hash_key_size, 0) != info->hash_key_size)
        return;
    port->rss_key_size = info->hash_key_size;
    port->reta_size = info->reta_size;
    port->offloads |= PORT_RX_HASH;
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_RSS_HASH;
    conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
        .rss_key = port->rss_key, .rss_key_len = info->hash_key_size, .rss_hf = types};
}

static void offloads_ask(struct port *port, const struct port_kind *kind,
                         const struct rte_eth_dev_info *info, struct rte_eth_conf *conf) {
    if (kind->interrupts) {
        port->offloads |= PORT_RX_INTERRUPT;
        conf->intr_conf.rxq = 1;
    }
    if (!kind->hardware)
        return;
    uint64_t rx = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
    if ((info->rx_offload_capa & rx) == rx) {
        port->offloads |= PORT_RX_CHECKSUM;
        conf->rxmode.offloads |= rx;
    }
    if (port->config->vlan != 0)
        conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
    if (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) {
        port->offloads |= PORT_TX_IPV4_CHECKSUM;
        conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
    }
    if (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) {
        port->offloads |= PORT_TX_TCP_CHECKSUM;
        conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
    }
    rss_ask(port, info, conf);
}

/* Entry i of the table means worker i % workers (ether/owner.c); with fewer queues than workers,
 * queue i % queues receives for it. */
static int reta_set(const struct port *port) {
    struct rte_eth_rss_reta_entry64 reta[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
    memset(reta, 0, sizeof reta);
    for (unsigned i = 0; i < port->reta_size; i++) {
        struct rte_eth_rss_reta_entry64 *group = &reta[i / RTE_ETH_RETA_GROUP_SIZE];
        group->mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
        group->reta[i % RTE_ETH_RETA_GROUP_SIZE] = (uint16_t)(i % port->queues);
    }
    return rte_eth_dev_rss_reta_update(port->id, reta, port->reta_size);
}

static int queues_set(const struct port *port, const struct port_kind *kind,
                      struct rte_mempool *mempool) {
    uint16_t rx = port->config->queue_size, tx = port->config->queue_size;
    int result = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);
    if (result < 0)
        return result;
    if (kind == &port_kind_tap)
        rx = 1; /* it reads frame by frame into one buffer; more would only lie there */
    int socket = rte_eth_dev_socket_id(port->id);
    unsigned node = socket < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)socket;
    for (uint16_t i = 0; i < port->queues && result == 0; i++)
        result = rte_eth_rx_queue_setup(port->id, i, rx, node, NULL, mempool);
    for (uint16_t i = 0; i < port->queues && result == 0; i++)
        result = rte_eth_tx_queue_setup(port->id, i, tx, node, NULL);
    return result;
}

static int shared_tx_create(struct port *port) {
    port->shared_tx = calloc(port->queues, sizeof(struct rte_ring *));
    if (port->shared_tx == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < port->queues; i++) {
        char name[RTE_RING_NAMESIZE];
        snprintf(name, sizeof name, "shared_tx_%u_%u", port->id, i);
        port->shared_tx[i] =
            rte_ring_create(name, PORT_SHARED_TX_SLOTS, SOCKET_ID_ANY, RING_F_SC_DEQ);
        if (port->shared_tx[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

static void shared_tx_free(struct port *port) {
    for (unsigned i = 0; port->shared_tx != NULL && i < port->queues; i++) {
        void *frame;
        while (port->shared_tx[i] != NULL && rte_ring_dequeue(port->shared_tx[i], &frame) == 0)
            rte_pktmbuf_free(frame);
        rte_ring_free(port->shared_tx[i]);
    }
    free(port->shared_tx);
    port->shared_tx = NULL;
}

static int mtu_check(const struct port *port, const struct rte_eth_dev_info *info,
                     const struct rte_mempool *mempool, char *error, unsigned error_size) {
    unsigned mtu = port->config->mtu, most = info->max_mtu;
    unsigned room = rte_pktmbuf_data_room_size((struct rte_mempool *)(uintptr_t)mempool) -
                    RTE_PKTMBUF_HEADROOM - FRAME_OVERHEAD - VLAN_OVERHEAD;
    if (info->max_rx_pktlen != 0 && info->max_rx_pktlen - FRAME_OVERHEAD < most)
        most = info->max_rx_pktlen - FRAME_OVERHEAD;
    if (room < most)
        most = room;
    if (mtu > most || mtu < info->min_mtu)
        return port_error(error, error_size,
                          "port %s: mtu: %u is outside of %u to %u, which is "
                          "what the device and the packet buffers take",
                          port->config->device, mtu, info->min_mtu, most);
    return 0;
}

static int configure(struct port *port, const struct port_kind *kind, struct rte_mempool *mempool,
                     char *error, unsigned error_size) {
    const char *device = port->config->device;
    struct rte_eth_dev_info info;
    int result = rte_eth_dev_info_get(port->id, &info);
    if (result < 0)
        return port_error(error, error_size, "port %s: no information: %s", device,
                          rte_strerror(-result));
    if (port->queues > info.max_rx_queues)
        port->queues = info.max_rx_queues;
    if (port->queues > info.max_tx_queues)
        port->queues = info.max_tx_queues;
    if (kind->device_queues != NULL && port->queues > kind->device_queues(info.driver_name))
        port->queues = (uint16_t)kind->device_queues(info.driver_name);
    if (mtu_check(port, &info, mempool, error, error_size) < 0)
        return -1;
    struct rte_eth_conf conf = {.rxmode = {.mtu = port->mtu}};
    offloads_ask(port, kind, &info, &conf);
    result = rte_eth_dev_configure(port->id, port->queues, port->queues, &conf);
    if (result < 0)
        return port_error(error, error_size, "port %s: it cannot be configured with %u queues: %s",
                          device, port->queues, rte_strerror(-result));
    if (kind->sets_mtu && (result = rte_eth_dev_set_mtu(port->id, port->mtu)) < 0)
        return port_error(error, error_size, "port %s: mtu: the device refuses %u: %s", device,
                          port->mtu, rte_strerror(-result));
    if ((result = queues_set(port, kind, mempool)) < 0)
        return driver_error(error, error_size, device, "its queues cannot be set up", result);
    return mac_choose(port, kind, error, error_size);
}

static int start(struct port *port, const struct port_kind *kind, unsigned workers, char *error,
                 unsigned error_size) {
    const char *device = port->config->device;
    int result = rte_eth_dev_start(port->id);
    if (result < 0)
        return driver_error(error, error_size, device, "it cannot be started", result);
    if ((port->offloads & PORT_RX_HASH) && (result = reta_set(port)) < 0)
        return port_error(error, error_size,
                          "port %s: the device refuses its RSS indirection table: %s", device,
                          rte_strerror(-result));
    /* Best effort: drivers without filters have no such operation. */
    if (kind->promiscuous)
        rte_eth_promiscuous_enable(port->id);
    else if (kind->hardware && rte_eth_allmulticast_enable(port->id) < 0)
        rte_eth_promiscuous_enable(port->id);
    if (port->queues < workers && shared_tx_create(port) < 0)
        return port_error(error, error_size, "port %s: no memory for shared transmit queues",
                          device);
    return kind->started == NULL ? 0 : kind->started(port->config, port, error, error_size);
}

int port_open(struct port *port, const struct config_port *config, unsigned index, unsigned workers,
              struct rte_mempool *mempool, char *error, unsigned error_size) {
    const struct port_kind *kind = port_kind(config->kind);
    unsigned queues = port_queues(config, workers);
    *port = (struct port){.queues = (uint16_t)queues, .mtu = config->mtu, .config = config};
    if (kind->find(config, index, queues, &port->id) < 0)
        return kind->refused != NULL ? kind->refused(config, error, error_size)
                                     : driver_error(error, error_size, config->device,
                                                    "the driver made no such device", -ENODEV);
    if (configure(port, kind, mempool, error, error_size) < 0 ||
        start(port, kind, workers, error, error_size) < 0) {
        port_close(port);
        return -1;
    }
    return 0;
}

void port_close(struct port *port) {
    const struct port_kind *kind = port_kind(port->config->kind);
    if (kind->closing != NULL)
        kind->closing(port->config, port);
    shared_tx_free(port);
    if (kind->promiscuous)
        rte_eth_promiscuous_disable(port->id);
    rte_eth_dev_stop(port->id);
    rte_eth_dev_close(port->id);
    if (kind->closed != NULL)
        kind->closed(port->config);
}

bool port_link_look(struct port *port) {
    struct rte_eth_link link = {0};
    uint32_t seen = 0;
    bool up = rte_eth_link_get_nowait(port->id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
    /* The drivers of such ports say what was true at their start. */
    if (port_kind(port->config->kind)->interface)
        up = host_interface_running(port->config->device);
    if (up)
        seen = LINK_UP | (link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed);
    __atomic_store_n(&port->link, seen, __ATOMIC_RELAXED);
    return up;
}

bool port_link(const struct port *port, uint32_t *mbit) {
    uint32_t seen = __atomic_load_n(&port->link, __ATOMIC_RELAXED);
    *mbit = seen & ~LINK_UP;
    return (seen & LINK_UP) != 0;
}
