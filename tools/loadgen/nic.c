/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/loadgen/nic.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/checksum.h"
#include "drivers/eal.h"
#include "drivers/packet_pool.h"

enum {
    ETHERNET = 14,
    IPV4 = 20,
    HEAD = ETHERNET + IPV4,
    ARP_PACKET = 28,
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    PROTOCOL_TCP = 6,
    ASK_EVERY_NS = 200000000,
    KNOCKS = 3, /* times without a link until the port is started again */
};

/* --- opening --------------------------------------------------------------------------------- */

static bool address_read(const char *text, uint32_t *address, char *error, size_t size) {
    struct in_addr in;
    if (inet_pton(AF_INET, text, &in) != 1) {
        snprintf(error, size, "network: `%s` is no IPv4 address", text);
        return false;
    }
    *address = ntohl(in.s_addr);
    return true;
}

/* The port is described as the broker describes its own, so that the same code checks it. */
static struct config *config_make(const struct scenario *scenario, char *error, size_t size) {
    enum { OVERRIDES = 14, LENGTH = 512 };
    char text[OVERRIDES][LENGTH];
    const char *overrides[OVERRIDES];
    unsigned n = 0;
    bool memif = strcmp(scenario->port.kind, "memif") == 0;
    const char *options = scenario->port.options == NULL ? "" : scenario->port.options;
    bool role = memif && strstr(options, "role=") == NULL;
    snprintf(text[n++], LENGTH, "workers.count=%u", (unsigned)scenario->port.queues);
    snprintf(text[n++], LENGTH, "workers.hugepages=%s",
             scenario->port.hugepages ? "true" : "false");
    snprintf(text[n++], LENGTH, "workers.packet_memory_mib=%u",
             (unsigned)scenario->port.packet_memory_mib);
    if (scenario->port.cpu != NULL)
        snprintf(text[n++], LENGTH, "workers.cpus='%s'", scenario->port.cpu);
    if (scenario->port.eal != NULL)
        snprintf(text[n++], LENGTH, "workers.eal='%s'", scenario->port.eal);
    snprintf(text[n++], LENGTH, "ports[0].kind=%s", scenario->port.kind);
    snprintf(text[n++], LENGTH, "ports[0].device='%s'", scenario->port.device);
    snprintf(text[n++], LENGTH, "ports[0].address=null");
    snprintf(text[n++], LENGTH, "ports[0].address6='fd88::3/64'");
    snprintf(text[n++], LENGTH, "ports[0].queue_size=%u", (unsigned)scenario->port.queue_size);
    snprintf(text[n++], LENGTH, "ports[0].mtu=%u", (unsigned)scenario->port.mtu);
    if (role || *options != '\0')
        snprintf(text[n++], LENGTH, "ports[0].options='%s%s%s'", role ? "role=client" : "",
                 role && *options != '\0' ? "," : "", options);
    if (scenario->port.mac != NULL)
        snprintf(text[n++], LENGTH, "ports[0].mac='%s'", scenario->port.mac);
    for (unsigned i = 0; i < n; i++)
        overrides[i] = text[i];
    struct config *config = config_load(NULL, overrides, n, stderr);
    if (config == NULL)
        snprintf(error, size, "the scenario's port is not right");
    return config;
}

static bool pool_open(struct nic *nic, char *error, size_t size) {
    uint64_t bytes = nic->scenario->port.packet_memory_mib << 20;
    unsigned buffers = (unsigned)(bytes / 4 * 3 / PACKET_BUFFER_COST);
    nic->mempool = packet_pool_create(buffers);
    if (nic->mempool == NULL)
        snprintf(error, size, "no memory for %u packet buffers: %s", buffers,
                 rte_strerror(rte_errno));
    return nic->mempool != NULL;
}

static void head_make(struct nic *nic) {
    uint8_t *head = nic->head;
    memcpy(head, nic->broker_mac, 6);
    memcpy(head + 6, nic->port.mac, 6);
    store_be16(head + 12, TYPE_IPV4);
    uint8_t *ip = head + ETHERNET;
    memset(ip, 0, IPV4);
    ip[0] = 0x45;
    ip[6] = 0x40; /* do not fragment */
    ip[8] = 64;
    ip[9] = PROTOCOL_TCP;
    store_be32(ip + 16, nic->broker);
    nic->ip_sum = checksum_sum(ip, IPV4);
    nic->tcp_sum = checksum_sum(ip + 16, 4) + ((uint64_t)PROTOCOL_TCP << 8);
}

static bool network_read(struct nic *nic, char *error, size_t size) {
    const struct scenario *scenario = nic->scenario;
    nic->devices = (uint32_t)(scenario->fleet.groups *
                              (scenario->fleet.publishers + scenario->fleet.subscribers));
    nic->ports_per_address = (uint32_t)scenario->network.ports_per_address;
    nic->first_port = (uint16_t)scenario->network.first_port;
    nic->broker_port = (uint16_t)scenario->network.port;
    nic->addresses = (nic->devices + nic->ports_per_address - 1) / nic->ports_per_address;
    nic->random = scenario->network.seed * 2 + 1;
    nic->drop_in = (uint32_t)(scenario->network.loss_from_broker / 100 * UINT32_MAX);
    nic->drop_out = (uint32_t)(scenario->network.loss_to_broker / 100 * UINT32_MAX);
    if (!address_read(scenario->network.broker, &nic->broker, error, size) ||
        !address_read(scenario->network.address, &nic->first, error, size))
        return false;
    if (nic->first + nic->addresses < nic->first || nic->broker - nic->first < nic->addresses) {
        snprintf(error, size,
                 "network.address: %u addresses from %s on are needed, without the "
                 "broker's",
                 nic->addresses, scenario->network.address);
        return false;
    }
    struct rte_ether_addr mac;
    nic->broker_known = scenario->network.broker_mac != NULL;
    if (nic->broker_known) {
        if (rte_ether_unformat_addr(scenario->network.broker_mac, &mac) != 0) {
            snprintf(error, size, "network.broker_mac: `%s` is no MAC address",
                     scenario->network.broker_mac);
            return false;
        }
        memcpy(nic->broker_mac, mac.addr_bytes, 6);
    }
    return true;
}

bool nic_open(struct nic *nic, const struct scenario *scenario, char *error, size_t size) {
    *nic = (struct nic){.scenario = scenario};
    if (!network_read(nic, error, size))
        return false;
    nic->config = config_make(scenario, error, size);
    if (nic->config == NULL)
        return false;
    if (eal_start(nic->config, error, (unsigned)size) < 0) {
        config_free(nic->config);
        return false;
    }
    if (pool_open(nic, error, size) &&
        port_open(&nic->port, nic->config->ports, 0, (unsigned)scenario->port.queues, nic->mempool,
                  error, (unsigned)size) == 0) {
        head_make(nic);
        return true;
    }
    rte_mempool_free(nic->mempool);
    eal_stop();
    config_free(nic->config);
    return false;
}

void nic_close(struct nic *nic) {
    port_close(&nic->port);
    rte_mempool_free(nic->mempool);
    eal_stop();
    config_free(nic->config);
}

/* --- sending --------------------------------------------------------------------------------- */

static bool chance(struct nic *nic, uint32_t share) {
    if (share == 0)
        return false;
    nic->random ^= nic->random << 13;
    nic->random ^= nic->random >> 7;
    nic->random ^= nic->random << 17;
    return (uint32_t)(nic->random >> 32) < share;
}

static void queue_flush(struct nic *nic, unsigned index) {
    struct nic_queue *queue = &nic->queues[index];
    while (queue->count > 0) {
        uint16_t burst = (uint16_t)(queue->count < NIC_BURST ? queue->count : NIC_BURST);
        uint16_t sent =
            rte_eth_tx_burst(nic->port.id, (uint16_t)index, queue->frames + queue->first, burst);
        nic->stats.frames_out += sent;
        queue->first += sent;
        queue->count -= sent;
        if (sent < burst)
            break;
    }
    if (queue->first > 0 && queue->count > 0)
        memmove(queue->frames, queue->frames + queue->first, queue->count * sizeof *queue->frames);
    queue->first = 0;
}

static void queue_push(struct nic *nic, unsigned index, struct rte_mbuf *frame) {
    struct nic_queue *queue = &nic->queues[index];
    if (queue->count == NIC_BACKLOG) { /* frame() looks first; this is for ARP alone */
        nic->stats.backlog_full++;
        rte_pktmbuf_free(frame);
        return;
    }
    queue->frames[queue->first + queue->count++] = frame;
}

unsigned nic_flush(struct nic *nic) {
    unsigned waiting = 0;
    for (unsigned i = 0; i < nic->port.queues; i++) {
        queue_flush(nic, i);
        waiting += nic->queues[i].count;
    }
    return waiting;
}

static uint8_t *link_frame(void *link, size_t len, void **frame) {
    struct nic *nic = link;
    /* Which queue it will be is known when it is sent: there must be room in each. */
    for (unsigned i = 0; i < nic->port.queues; i++) {
        if (nic->queues[i].count < NIC_BACKLOG - NIC_BURST)
            continue;
        queue_flush(nic, i);
        if (nic->queues[i].count >= NIC_BACKLOG - NIC_BURST) {
            nic->stats.backlog_full++;
            return NULL;
        }
    }
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(nic->mempool);
    if (mbuf == NULL) {
        nic->stats.no_buffer++;
        return NULL;
    }
    *frame = mbuf;
    return rte_pktmbuf_mtod_offset(mbuf, uint8_t *, HEAD);
}

static void link_transmit(void *link, void *frame, size_t len, uint32_t number) {
    struct nic *nic = link;
    struct rte_mbuf *mbuf = frame;
    uint8_t *head = rte_pktmbuf_mtod(mbuf, uint8_t *), *ip = head + ETHERNET, *tcp = head + HEAD;
    uint32_t address = nic->first + number / nic->ports_per_address;
    uint16_t checksum, total = (uint16_t)(IPV4 + len);
    memcpy(head, nic->head, HEAD);
    store_be16(ip + 2, total);
    store_be16(ip + 4, nic->ip_id);
    store_be32(ip + 12, address);
    /* Sums are of words as they lie in memory (checksum.h). */
    uint64_t source = checksum_sum(ip + 12, 4);
    checksum = checksum_finish(nic->ip_sum + source + __builtin_bswap16(total) +
                               __builtin_bswap16(nic->ip_id));
    memcpy(ip + 10, &checksum, 2);
    nic->ip_id++;
    store_be16(tcp, (uint16_t)(nic->first_port + number % nic->ports_per_address));
    store_be16(tcp + 2, nic->broker_port);
    checksum = checksum_finish(nic->tcp_sum + source + __builtin_bswap16((uint16_t)len) +
                               checksum_sum(tcp, len));
    memcpy(tcp + 16, &checksum, 2);
    mbuf->data_len = (uint16_t)(HEAD + len);
    mbuf->pkt_len = mbuf->data_len;
    if (chance(nic, nic->drop_out)) {
        nic->stats.lost_out++;
        rte_pktmbuf_free(mbuf);
        return;
    }
    queue_push(nic, nic->tcp->devices[number].queue, mbuf);
}

struct devtcp_link nic_link(struct nic *nic) {
    return (struct devtcp_link){.frame = link_frame, .transmit = link_transmit, .link = nic};
}

/* --- ARP (RFC 826) --------------------------------------------------------------------------- */

static void arp_send(struct nic *nic, uint16_t operation, const uint8_t *ethernet, uint32_t source,
                     const uint8_t *target_mac, uint32_t target) {
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(nic->mempool);
    if (mbuf == NULL)
        return;
    uint8_t *head = rte_pktmbuf_mtod(mbuf, uint8_t *), *arp = head + ETHERNET;
    memset(head, 0, 60);
    memcpy(head, ethernet, 6);
    memcpy(head + 6, nic->port.mac, 6);
    store_be16(head + 12, TYPE_ARP);
    store_be16(arp, 1);
    store_be16(arp + 2, TYPE_IPV4);
    arp[4] = 6;
    arp[5] = 4;
    store_be16(arp + 6, operation);
    memcpy(arp + 8, nic->port.mac, 6);
    store_be32(arp + 14, source);
    memcpy(arp + 18, target_mac, 6);
    store_be32(arp + 24, target);
    mbuf->data_len = 60;
    mbuf->pkt_len = 60;
    queue_push(nic, 0, mbuf);
}

static void arp_input(struct nic *nic, const uint8_t *arp, uint32_t len) {
    if (len < ARP_PACKET || load_be32(arp) != UINT32_C(0x00010800) ||
        load_be16(arp + 4) != 0x0604) {
        nic->stats.foreign++;
        return;
    }
    uint32_t source = load_be32(arp + 14), target = load_be32(arp + 24);
    if (source == nic->broker) {
        memcpy(nic->broker_mac, arp + 8, 6);
        nic->broker_known = true;
        head_make(nic);
    }
    if (load_be16(arp + 6) == 1 && target - nic->first < nic->addresses)
        arp_send(nic, 2, arp + 8, target, arp + 8, source);
}

bool nic_ready(struct nic *nic, uint64_t now_ns) {
    const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6] = {0};
    if (now_ns - nic->asked_ns < ASK_EVERY_NS)
        return false;
    nic->asked_ns = now_ns;
    if (!port_link_look(&nic->port)) {
        /* memif's client connects once, when it is started, and is turned away as long as the
         * broker's port is not. */
        if (nic->config->ports[0].kind == PORT_MEMIF && ++nic->down % KNOCKS == 0) {
            rte_eth_dev_stop(nic->port.id);
            rte_eth_dev_start(nic->port.id);
        }
        return false;
    }
    if (nic->broker_known)
        return true;
    arp_send(nic, 1, all, nic->first, none, nic->broker);
    return false;
}

/* --- receiving ------------------------------------------------------------------------------- */

struct arrival {
    const uint8_t *tcp;
    uint32_t len, number;
};

static bool foreign(struct nic *nic) {
    nic->stats.foreign++;
    return false;
}

/* What of a frame is a TCP segment of the broker for a device. */
static bool frame_parse(struct nic *nic, const struct rte_mbuf *mbuf, struct arrival *arrival) {
    const uint8_t *head = rte_pktmbuf_mtod(mbuf, const uint8_t *), *ip = head + ETHERNET;
    uint32_t len = mbuf->data_len;
    if (mbuf->nb_segs != 1 || len < ETHERNET + IPV4)
        return foreign(nic);
    uint16_t type = load_be16(head + 12);
    if (type == TYPE_ARP) {
        arp_input(nic, head + ETHERNET, len - ETHERNET);
        return false;
    }
    uint32_t total = load_be16(ip + 2);
    if (type != TYPE_IPV4 || ip[0] != 0x45 || ip[9] != PROTOCOL_TCP || total > len - ETHERNET ||
        total < IPV4 + 20 || load_be16(ip + 6) & 0x3fff || load_be32(ip + 12) != nic->broker ||
        memcmp(head, nic->port.mac, 6) != 0)
        return foreign(nic);
    arrival->tcp = ip + IPV4;
    arrival->len = total - IPV4;
    uint32_t address = load_be32(ip + 16) - nic->first;
    uint32_t port = (uint32_t)load_be16(arrival->tcp + 2) - nic->first_port;
    if (address >= nic->addresses || port >= nic->ports_per_address ||
        load_be16(arrival->tcp) != nic->broker_port)
        return foreign(nic);
    arrival->number = address * nic->ports_per_address + port;
    uint32_t header = (arrival->tcp[12] >> 4) * 4u;
    if (arrival->number >= nic->devices || header < 20 || header > arrival->len)
        return foreign(nic);
    return true;
}

/* All checksums are verified, whatever the port says: the generator judges. */
static bool checksums_good(struct nic *nic, const struct arrival *arrival) {
    const uint8_t *ip = arrival->tcp - IPV4;
    uint64_t pseudo = checksum_pseudo_header(ip + 12, ip + 16, 4, PROTOCOL_TCP, arrival->len);
    if (checksum_fold(checksum_sum(ip, IPV4)) == 0xffff &&
        checksum_fold(pseudo + checksum_sum(arrival->tcp, arrival->len)) == 0xffff)
        return true;
    nic->stats.bad_checksum++;
    return false;
}

static void burst_input(struct nic *nic, unsigned queue, struct rte_mbuf **frames, unsigned count) {
    struct arrival arrivals[NIC_BURST];
    unsigned arrived = 0;
    for (unsigned i = 0; i < count; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frames[i], const void *));
    for (unsigned i = 0; i < count; i++) {
        if (!frame_parse(nic, frames[i], &arrivals[arrived]))
            continue;
        rte_prefetch0(&nic->tcp->devices[arrivals[arrived].number]);
        arrived++;
    }
    for (unsigned i = 0; i < arrived; i++) {
        const struct arrival *arrival = &arrivals[i];
        if (chance(nic, nic->drop_in)) {
            nic->stats.lost_in++;
            continue;
        }
        if (!checksums_good(nic, arrival))
            continue;
        nic->tcp->devices[arrival->number].queue = (uint8_t)queue;
        devtcp_input(nic->tcp, arrival->number, arrival->tcp, arrival->len);
    }
    rte_pktmbuf_free_bulk(frames, count);
}

unsigned nic_input(struct nic *nic) {
    struct rte_mbuf *frames[NIC_BURST];
    unsigned total = 0;
    for (unsigned queue = 0; queue < nic->port.queues; queue++) {
        unsigned count = rte_eth_rx_burst(nic->port.id, (uint16_t)queue, frames, NIC_BURST);
        if (count > 0)
            burst_input(nic, queue, frames, count);
        total += count;
    }
    nic->stats.frames_in += total;
    return total;
}
