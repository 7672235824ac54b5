/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack as a shared object for packetdrill's --so_filename: socket calls on one side, IP
 * packets on the other, and a clock of its own that moves only when packetdrill waits.
 * packetdrill.sh runs its public scripts against this.
 *
 * Those scripts are written for Linux, so some things are translated on the way:
 *
 *  - A connection of ours begins with the peer's first data, theirs with the handshake. The peer's
 *    initial number is told to the stack one lower, and the byte won by that is the first data: it
 *    comes with the handshake's ACK, and the answer to it is swallowed.
 *
 *        the script's   SYN s  |s+1 ...            the stack's   SYN s-1  |s|s+1 ...
 *
 *  - Most of them have SACK and window scale without time stamps, which our cookies can't. Time
 *    stamps are added to what comes in and taken off what goes out; the MSS is larger by as much.
 *  - The SYN-ACK's options look like those of Linux: MSS 1460, window scale 8. PSH is taken off, as
 *    Linux sets it where a burst ends, we where the data ends.
 *
 * IPv4, one connection. The socket calls are in packetdrill_calls.c.
 */
#include "tests/packet/packetdrill_shim.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/base/bytes.h"
#include "dataplane/tcp/cookie.h"
#include "dataplane/tcp/header.h"
#include "dataplane/tcp/tuple.h"

enum {
    MEMORY = 8 << 20,
    IP_HEADER = 20,
    LINUX_SHIFT = 8,
    SILENCE = 600 * 1000000, /* nothing is sent for so long: nothing will be */
};

struct shim shim = {.now = UINT64_C(1000000000)};

/* --- packets --------------------------------------------------------------------------------- */

static uint16_t checksum(uint32_t sum, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += load_be16(bytes + i);
    if (len & 1)
        sum += (uint32_t)bytes[len - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* The options of a SYN-ACK as Linux writes them. */
static size_t linux_options(uint8_t *to, const struct tcp_options *ours) {
    size_t len = 0;
    to[len++] = TCP_OPTION_MSS;
    to[len++] = 4;
    store_be16(to + len, shim.maxseg ? shim.maxseg : LINUX_MSS);
    len += 2;
    if (shim.own_timestamps) {
        to[len] = shim.offered_sack ? TCP_OPTION_SACK_PERMITTED : TCP_OPTION_NOP;
        to[len + 1] = shim.offered_sack ? 2 : TCP_OPTION_NOP;
        to[len + 2] = TCP_OPTION_TIMESTAMP;
        to[len + 3] = 10;
        store_be32(to + len + 4, ours->tsval);
        store_be32(to + len + 8, ours->tsecr);
        len += 12;
    } else if (shim.offered_sack) {
        const uint8_t sack[4] = {TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_SACK_PERMITTED, 2};
        memcpy(to + len, sack, sizeof sack);
        len += sizeof sack;
    }
    if (shim.offered_shift) {
        const uint8_t shift[4] = {TCP_OPTION_NOP, TCP_OPTION_WSCALE, 3, LINUX_SHIFT};
        memcpy(to + len, shift, sizeof shift);
        len += sizeof shift;
    }
    return len;
}

/* Queues what the stack sent, as the script expects to see it. */
static void queue(const struct tcp_header *header, const uint8_t *segment) {
    if (shim.out_count == PACKETS)
        abort();
    struct packet *packet = &shim.out[(shim.out_first + shim.out_count++) % PACKETS];
    uint8_t *ip = packet->bytes, *tcp = ip + IP_HEADER;
    size_t options_len = (segment[12] >> 4) * 4u - TCP_HEADER_BYTES;
    const uint8_t *options = segment + TCP_HEADER_BYTES;
    memset(ip, 0, IP_HEADER);
    memcpy(tcp, segment, TCP_HEADER_BYTES);
    if (header->flags & TCP_SYN) {
        store_be32(tcp + 8, header->ack + 1);
        options_len = linux_options(tcp + TCP_HEADER_BYTES, &header->options);
    } else {
        if (!shim.own_timestamps && header->options.has_timestamp) {
            options += TCP_TIMESTAMP_BYTES;
            options_len -= TCP_TIMESTAMP_BYTES;
        }
        memcpy(tcp + TCP_HEADER_BYTES, options, options_len);
        if (shim.offered_shift)
            store_be16(tcp + 14, (uint16_t)(header->wnd >> LINUX_SHIFT));
    }
    size_t tcp_len = TCP_HEADER_BYTES + options_len + header->len;
    memcpy(tcp + TCP_HEADER_BYTES + options_len, header->payload, header->len);
    tcp[12] = (uint8_t)((TCP_HEADER_BYTES + options_len) / 4 << 4);
    tcp[13] &= (uint8_t)~TCP_PSH;
    ip[0] = 0x45;
    store_be16(ip + 2, (uint16_t)(IP_HEADER + tcp_len));
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = IPPROTO_TCP;
    memcpy(ip + 12, shim.tuple.local + 12, 4);
    memcpy(ip + 16, shim.tuple.remote + 12, 4);
    store_be16(ip + 10, checksum(0, ip, IP_HEADER));
    store_be16(tcp + 16, 0);
    uint32_t pseudo = IPPROTO_TCP + (uint32_t)tcp_len;
    for (unsigned i = 12; i < 20; i += 2)
        pseudo += load_be16(ip + i);
    store_be16(tcp + 16, checksum(pseudo, tcp, tcp_len));
    packet->len = (uint32_t)(IP_HEADER + tcp_len);
    packet->at = shim.now;
}

static uint8_t *link_frame(void *link, size_t len, void **frame) {
    static uint8_t buffer[PACKET_MAX];
    *frame = buffer;
    return len + IP_HEADER + TCP_OPTIONS_MAX <= PACKET_MAX ? buffer : NULL;
}

static void link_transmit(void *link, void *frame, size_t len, const struct tcp_tuple *tuple,
                          uint32_t hop) {
    struct tcp_segment segment = {.tuple = *tuple, .header = frame, .len = (uint32_t)len};
    struct tcp_header header;
    if (!header_parse(&header, &segment))
        abort();
    if (header.options.has_timestamp)
        shim.latest = header.options.tsval;
    bool swallowed = shim.swallow && header.flags == TCP_ACK && header.len == 0;
    if (!swallowed)
        queue(&header, frame);
}

/* --- the application ------------------------------------------------------------------------- */

static bool app_opened(void *app, struct tcp_conn *conn) {
    shim.conn = conn;
    shim.opened = true;
    return true;
}

static size_t app_received(void *app, struct tcp_conn *conn, const uint8_t *data, size_t len) {
    shim.received += len;
    return len;
}

static void app_finished(void *app, struct tcp_conn *conn) {
    shim.fin = true;
}

static void app_fetch(void *app, struct tcp_conn *conn, uint32_t offset, uint8_t *to, size_t len) {
    memset(to, 0, len);
}

static void app_acknowledged(void *app, struct tcp_conn *conn, uint32_t len) {
}

static void app_closed(void *app, struct tcp_conn *conn, enum tcp_close why) {
    shim.conn = NULL;
    shim.reset = why == TCP_CLOSED_RESET || why == TCP_CLOSED_TIMEOUT;
}

static void app_timer(void *app, struct tcp_conn *conn) {
}

/* A cookie in the SYN-ACK's time stamp makes the first round trip measured longer by as much as it
 * takes off: a secret for which that is nothing. */
static void choose_secret(struct tcp_config *config, const struct tcp_options *offered) {
    uint8_t shift = offered->has_wscale ? offered->wscale : COOKIE_WSCALE_NONE;
    for (unsigned i = 0; i < 256; i++) {
        config->secret[0] = (uint8_t)i;
        uint32_t tsval = (uint32_t)(shim.now >> TCP_FAST_SHIFT) +
                         cookie_base(config->secret, &shim.tuple).ts_offset;
        if (cookie_timestamp(tsval, shift, offered->sack_permitted) == tsval)
            return;
    }
}

/* The stack is made when the peer's MSS is known: the largest step of the cookies is exact. */
static void create(uint16_t mss, const struct tcp_options *offered) {
    struct tcp_config config = {
        .connections_max = 16,
        .window = 65535,
        .mss = mss,
        .rto_min_ms = 200,
        .rto_max_ms = 120000,
        .rto_initial_ms = 1000,
        .give_up_ms = 900000,
        .time_wait_ms = 60000,
        .fin_wait_ms = 60000,
        .time_wait_max = 16,
        .out_of_order_max = 65536,
        .secret = "packetdrill key",
        .flow_key = "packetdrill flo",
        .ports = {shim.port},
        .congestion = TCP_CUBIC, /* as in Linux */
        .sack = true,
        .rack = true,
        .tail_loss_probe = true,
        .prr = true,
        .undo = true,
        .limited_transmit = true,
    };
    choose_secret(&config, offered);
    void *memory = aligned_alloc(1 << 16, MEMORY);
    void *state = calloc(1, arena_footprint(MEMORY));
    if (!memory || !state)
        abort();
    pool_init(&shim.pool, arena_init(state, memory, MEMORY, MEMORY));
    struct tcp_link link = {link_frame, link_transmit, NULL, NULL};
    struct tcp_app app = {app_opened,       app_received, app_finished, app_fetch,
                          app_acknowledged, app_closed,   app_timer,    NULL};
    shim.tcp = tcp_create(&config, &shim.pool, &link, &app, &shim.counters, shim.now);
    if (!shim.tcp)
        abort();
}

/* --- time ------------------------------------------------------------------------------------ */

void shim_settle(void) {
    if (!shim.tcp)
        return;
    while (tcp_timers(shim.tcp, shim.now, 64))
        ;
    while (tcp_output(shim.tcp, shim.now, 64))
        ;
}

static void pass(uint64_t until, bool stop) {
    shim_settle();
    while (shim.now < until && !(stop && shim.out_count)) {
        uint64_t next = shim.tcp ? tcp_next_timer(shim.tcp) : UINT64_MAX;
        if (next <= shim.now)
            next = shim.now + 100;
        shim.now = next < until ? next : until;
        shim_settle();
    }
}

int shim_usleep(void *userdata, useconds_t usec) {
    pass(shim.now + usec, false);
    return 0;
}

/* packetdrill spins for the last few microseconds before an event. */
int shim_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz) {
    pass(shim.now + 1, false);
    tv->tv_sec = (time_t)(shim.now / 1000000);
    tv->tv_usec = (suseconds_t)(shim.now % 1000000);
    return 0;
}

/* --- the wire -------------------------------------------------------------------------------- */

static void input(uint8_t *bytes, size_t len) {
    struct tcp_segment segment = {
        .tuple = shim.tuple, .header = bytes, .len = (uint32_t)len, .hop = 1};
    segment.hash = tcp_tuple_hash(&shim.tuple, shim.tcp->config.flow_key);
    tcp_input(shim.tcp, &segment, 1, shim.now);
    shim_settle();
}

/* A copy with time stamps, if the script has none. Returns the length. */
static size_t with_timestamps(uint8_t *to, const uint8_t *tcp, size_t len) {
    size_t header = (tcp[12] >> 4) * 4u;
    memcpy(to, tcp, header);
    size_t more = 0;
    if (!shim.own_timestamps &&
        header + TCP_TIMESTAMP_BYTES <= TCP_HEADER_BYTES + TCP_OPTIONS_MAX) {
        bool syn = tcp[13] & TCP_SYN;
        more = tcp_options_put_timestamp(to + header, (uint32_t)(shim.now / 1000),
                                         syn ? 0 : shim.latest);
    }
    to[12] = (uint8_t)((header + more) / 4 << 4);
    memcpy(to + header + more, tcp + header, len - header);
    return len + more;
}

static void input_syn(uint8_t *bytes, size_t len, const struct tcp_header *header) {
    shim.own_timestamps = header->options.has_timestamp;
    shim.offered_shift = header->options.has_wscale;
    shim.offered_sack = header->options.sack_permitted;
    uint16_t mss = header->options.has_mss ? header->options.mss : 536;
    if (shim.maxseg && shim.maxseg < mss)
        mss = shim.maxseg;
    if (!shim.own_timestamps)
        mss += TCP_TIMESTAMP_BYTES;
    if (!shim.tcp)
        create(mss, &header->options);
    uint8_t out[PACKET_MAX];
    shim.first = header->seq;
    store_be32(bytes + 4, header->seq - 1);
    len = with_timestamps(out, bytes, len);
    size_t end = (out[12] >> 4) * 4u;
    for (size_t at = TCP_HEADER_BYTES; at + 4 <= end; at += out[at] <= 1 ? 1 : out[at + 1])
        if (out[at] == TCP_OPTION_MSS)
            store_be16(out + at + 2, mss);
    input(out, len);
}

/* The byte before the peer's first, which opens the connection. */
static void open_connection(const uint8_t *bytes) {
    uint8_t opening[TCP_HEADER_BYTES + TCP_OPTIONS_MAX + 1], out[PACKET_MAX];
    size_t header = (bytes[12] >> 4) * 4u;
    memcpy(opening, bytes, header);
    opening[header] = 0;
    opening[13] = TCP_ACK;
    store_be32(opening + 4, shim.first);
    shim.swallow = true;
    input(out, with_timestamps(out, opening, header + 1));
    shim.swallow = false;
    shim.read = shim.received;
}

int shim_netdev_send(void *userdata, const void *buf, size_t count) {
    const uint8_t *ip = buf;
    if (count < IP_HEADER + TCP_HEADER_BYTES || ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP)
        return 0;
    size_t ip_header = (ip[0] & 15) * 4u;
    uint8_t bytes[PACKET_MAX], out[PACKET_MAX];
    size_t len = count - ip_header;
    if (len > PACKET_MAX - TCP_OPTIONS_MAX)
        return -1;
    memcpy(bytes, ip + ip_header, len);
    memset(&shim.tuple, 0, sizeof shim.tuple);
    uint32_t address;
    memcpy(&address, ip + 12, 4);
    tuple_map(shim.tuple.remote, address);
    memcpy(&address, ip + 16, 4);
    tuple_map(shim.tuple.local, address);
    shim.tuple.remote_port = load_be16(bytes);
    shim.tuple.local_port = load_be16(bytes + 2);
    struct tcp_segment segment = {.tuple = shim.tuple, .header = bytes, .len = (uint32_t)len};
    struct tcp_header header;
    if (!header_parse(&header, &segment))
        return 0;
    shim_settle();
    if ((header.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        input_syn(bytes, len, &header);
        return 0;
    }
    if (!shim.tcp)
        return 0;
    if (!shim.opened && (header.flags & (TCP_ACK | TCP_RST)) == TCP_ACK)
        open_connection(bytes);
    input(out, with_timestamps(out, bytes, len));
    return 0;
}

int shim_netdev_receive(void *userdata, void *buf, size_t *count, long long *time_usecs) {
    pass(shim.now + SILENCE, true);
    if (!shim.out_count) {
        fprintf(stderr, "the stack sends nothing more\n");
        exit(1);
    }
    const struct packet *packet = &shim.out[shim.out_first];
    shim.out_first = (shim.out_first + 1) % PACKETS;
    shim.out_count--;
    if (*count > packet->len)
        *count = packet->len;
    memcpy(buf, packet->bytes, *count);
    *time_usecs = (long long)packet->at;
    return 0;
}
