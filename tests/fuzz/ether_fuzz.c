/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bursts of frames against one struct ether, worker 1 of 3. The input is a row of frames: a byte of
 * options, two bytes of length, the frame. Checksums can be made good on the way, or nothing past
 * them would be reached. Each frame lies in a heap block of its exact size, so that sanitizers see
 * a read beyond it.
 *
 * Checked besides: what is handed up lies inside its frame, answers are from us, never to a group
 * that did not ask, never longer than what they answer by more than an option, and every buffer
 * comes back.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/checksum.h"
#include "dataplane/ether/ether.h"
#include "drivers/eal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum option {
    OPTION_ADDRESS = 1,   /* the MAC addresses are ours and a peer's */
    OPTION_CHECKSUMS = 2, /* good checksums */
    OPTION_FLUSH = 4,     /* the burst ends here */
    OPTION_HANDED_OVER = 8,
    OPTION_MARKED = 16, /* the device says that checksums are good */
    OPTION_HASHED = 32,
    OPTION_SPLIT = 64,   /* in two buffers */
    OPTION_TAGGED = 128, /* the device took a VLAN tag off */
};

enum { FRAME_MAX = 1600, ROOM_BEFORE = RTE_PKTMBUF_HEADROOM };

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 2}, peer_mac[6] = {2, 0, 0, 0, 0, 1};
static struct config_port port_config = {.kind = PORT_RING,
                                         .device = "fuzz",
                                         .address = "10.88.0.2/24",
                                         .address6 = "fd88::2/64",
                                         .gateway = "10.88.0.9",
                                         .router_advertisements = true,
                                         .mac = "02:00:00:00:00:02",
                                         .mtu = 1500,
                                         .queue_size = 256};
static struct port port;
static struct rte_mempool *mempool;
static struct rte_ring *sent;

static void die(const char *why) {
    fprintf(stderr, "%s\n", why);
    abort();
}

static void start(void) {
    const struct config config = {.workers = {.count = 1, .packet_memory_mib = 64}};
    char error[256];
    if (eal_start(&config, error, sizeof error) < 0)
        die(error);
    atexit(eal_stop);
    mempool =
        rte_pktmbuf_pool_create("frames", 2047, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (mempool == NULL || port_open(&port, &port_config, 0, 3, mempool, error, sizeof error) < 0)
        die("no port");
    sent = rte_ring_lookup("fuzz_tx1");
}

static void block_free(void *block, void *unused) {
    free(block);
}

static struct rte_mbuf *frame_make(const uint8_t *data, size_t len) {
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(mempool);
    uint8_t *block = malloc(sizeof(struct rte_mbuf_ext_shared_info) + ROOM_BEFORE + len);
    if (mbuf == NULL || block == NULL)
        die("no buffer");
    struct rte_mbuf_ext_shared_info *info = (struct rte_mbuf_ext_shared_info *)block;
    info->free_cb = block_free;
    info->fcb_opaque = NULL;
    rte_mbuf_ext_refcnt_set(info, 1);
    rte_pktmbuf_attach_extbuf(mbuf, block, 0, (uint16_t)(sizeof *info + ROOM_BEFORE + len), info);
    mbuf->data_off = sizeof *info + ROOM_BEFORE;
    mbuf->data_len = (uint16_t)len;
    mbuf->pkt_len = (uint32_t)len;
    mbuf->port = port.id;
    memcpy(rte_pktmbuf_mtod(mbuf, void *), data, len);
    return mbuf;
}

static void checksum_put(uint8_t *message, uint32_t len, unsigned offset, uint64_t pseudo) {
    if (offset + 2 > len)
        return;
    memset(message + offset, 0, 2);
    uint16_t checksum = checksum_finish(checksum_sum(message, len) + pseudo);
    memcpy(message + offset, &checksum, 2);
}

static void payload_checksum(uint8_t *payload, uint32_t len, unsigned protocol,
                             const uint8_t *source, unsigned address_len) {
    uint64_t pseudo =
        checksum_pseudo_header(source, source + address_len, address_len, (uint8_t)protocol, len);
    if (protocol == 6)
        checksum_put(payload, len, 16, pseudo);
    else if (protocol == 58)
        checksum_put(payload, len, 2, pseudo);
    else if (protocol == 1)
        checksum_put(payload, len, 2, 0);
}

static void ipv4_checksums(uint8_t *packet, size_t len) {
    uint32_t header_len = (packet[0] & 15u) * 4, total = load_be16(packet + 2);
    if (header_len < 20 || total < header_len || total > len)
        return;
    checksum_put(packet, header_len, 10, 0);
    payload_checksum(packet + header_len, total - header_len, packet[9], packet + 12, 4);
}

static void ipv6_checksums(uint8_t *packet, size_t len) {
    uint32_t left = load_be16(packet + 4);
    unsigned protocol = packet[6];
    uint8_t *payload = packet + 40;
    if (left > len - 40)
        return;
    while ((protocol == 0 || protocol == 60) && left >= 8 && payload[1] * 8u + 8 <= left) {
        uint32_t header_len = payload[1] * 8u + 8;
        protocol = payload[0];
        payload += header_len;
        left -= header_len;
    }
    payload_checksum(payload, left, protocol, packet + 8, 16);
}

static void checksums_make_good(uint8_t *frame, size_t len) {
    if (len >= 34 && load_be16(frame + 12) == 0x0800)
        ipv4_checksums(frame + 14, len - 14);
    else if (len >= 54 && load_be16(frame + 12) == 0x86dd)
        ipv6_checksums(frame + 14, len - 14);
}

static void segment_check(const struct tcp_segment *segment, const struct rte_mbuf *mbuf) {
    const uint8_t *start_of_frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    if (segment->header < start_of_frame + 34 ||
        segment->header + segment->len > start_of_frame + mbuf->data_len || segment->len < 20 ||
        (segment->header[12] >> 4) * 4u > segment->len || segment->header[12] >> 4 < 5)
        die("a segment outside of its frame");
}

static void answers_check(void) {
    void *frame;
    while (rte_ring_dequeue(sent, &frame) == 0) {
        struct rte_mbuf *mbuf = frame;
        const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *);
        if (mbuf->nb_segs != 1 || mbuf->pkt_len < 42 || mbuf->pkt_len > FRAME_MAX + 32)
            die("an answer of strange length");
        if (memcmp(bytes + 6, our_mac, 6) != 0)
            die("an answer that is not from us");
        bool arp = load_be16(bytes + 12) == 0x0806;
        if ((bytes[0] & 1) && (arp ? bytes[21] != 1 : mbuf->pkt_len < 86 || bytes[54] != 136))
            die("an answer to a group");
        rte_pktmbuf_free(mbuf);
    }
}

static void burst_run(struct ether *ether, struct rte_mbuf **frames, unsigned count_frames,
                      bool handed_over) {
    struct ether_batch batch;
    ether_input(ether, 0, frames, count_frames, handed_over, &batch);
    if (batch.segments_count > count_frames || batch.foreign_count > ETHER_BURST ||
        (handed_over && batch.foreign_count > 0))
        die("a batch of strange size");
    for (unsigned i = 0; i < batch.segments_count; i++) {
        const struct tcp_segment *segment = &batch.segments[i];
        const struct tcp_link *link = ether_tcp_link(ether);
        void *frame;
        segment_check(segment, batch.frames[i]);
        uint8_t *header = link->frame(link->link, 20, &frame);
        if (header == NULL)
            die("no frame for an answer");
        memset(header, 0, 20);
        header[12] = 0x50;
        link->transmit(link->link, frame, 20, &segment->tuple, segment->hop);
        rte_pktmbuf_free(batch.frames[i]);
    }
    for (unsigned i = 0; i < batch.foreign_count; i++) {
        if (batch.owners[i] == 1 || batch.owners[i] > 2)
            die("a frame for no other worker");
        rte_pktmbuf_free(batch.foreign[i]);
    }
    ether_flush(ether, 0);
    answers_check();
}

static struct rte_mbuf *frame_next(unsigned options, const uint8_t *data, size_t len) {
    struct rte_mbuf *mbuf = frame_make(data, len);
    uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
    if ((options & OPTION_ADDRESS) && len >= 12) {
        if (!(bytes[0] & 1))
            memcpy(bytes, our_mac, 6);
        memcpy(bytes + 6, peer_mac, 5);
    }
    if (options & OPTION_CHECKSUMS)
        checksums_make_good(bytes, len);
    if (options & OPTION_MARKED)
        mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    if (options & OPTION_HASHED)
        mbuf->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
    if (options & OPTION_TAGGED)
        mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    if ((options & OPTION_SPLIT) && len > 20) {
        struct rte_mbuf *tail = frame_make(bytes + 20, len - 20);
        mbuf->data_len = 20;
        mbuf->pkt_len = 20;
        if (rte_pktmbuf_chain(mbuf, tail) != 0)
            die("no chain");
    }
    return mbuf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct counters counters;
    const uint8_t *end = data + size;
    struct rte_mbuf *frames[ETHER_BURST];
    unsigned count_frames = 0;
    if (mempool == NULL)
        start();
    struct ether_config config = {
        .ports = &port, .ports_count = 1, .self = 1, .workers = 3, .mempool = mempool};
    struct ether *ether = ether_create(&config, &counters);
    if (ether == NULL)
        die("no memory");
    ether_announce(ether);
    while (end - data >= 3) {
        unsigned options = data[0];
        size_t len = load_be16(data + 1);
        data += 3;
        if (len > FRAME_MAX)
            len = FRAME_MAX;
        if (len > (size_t)(end - data))
            len = (size_t)(end - data);
        frames[count_frames++] = frame_next(options, data, len);
        data += len;
        if ((options & OPTION_FLUSH) || count_frames == ETHER_BURST) {
            burst_run(ether, frames, count_frames, options & OPTION_HANDED_OVER);
            count_frames = 0;
        }
    }
    burst_run(ether, frames, count_frames, false);
    ether_destroy(ether);
    if (rte_mempool_in_use_count(mempool) != 0)
        die("buffers have not come back");
    return 0;
}
