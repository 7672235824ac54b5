/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wire that loses frames. It creates the TAP interface OUTER, for the kernel's side of the
 * conversation, and carries frames between it and the existing interface INNER, the broker's, in
 * both directions; a share of them, chosen by a seeded generator, is dropped.
 *
 * INNER must have no address and no ARP: only raw frames pass it.
 *
 * Runs until SIGTERM, then prints one JSON object with what it carried and dropped.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_MAX = 65536, SOCKET_BUFFER = 4 << 20 };

static volatile sig_atomic_t stopped;
static uint64_t generator;

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

static void fatal(const char *what) {
    fprintf(stderr, "lossy: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Between 0 and 1 (splitmix64). */
static double random_share(void) {
    uint64_t z = generator += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static int open_tap(const char *name) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
        fatal(name);
    return fd;
}

static int open_raw(const char *name) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)if_nametoindex(name)};
    int size = SOCKET_BUFFER, one = 1;
    if (fd < 0 || address.sll_ifindex == 0)
        fatal(name);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    /* Only what comes in: not the frames that this program sends. */
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fatal(name);
    return fd;
}

struct direction {
    int from, to;
    uint64_t carried, dropped;
};

static void carry(struct direction *direction, double loss) {
    static uint8_t frame[FRAME_MAX];
    for (int i = 0; i < 64; i++) {
        ssize_t n = read(direction->from, frame, sizeof frame);
        if (n <= 0)
            return;
        if (random_share() < loss)
            direction->dropped++;
        else if (write(direction->to, frame, (size_t)n) == n)
            direction->carried++;
        else
            direction->dropped++;
    }
}

int main(int argc, char **argv) {
    static const struct option known[] = {
        {"outer", 1, NULL, 'o'}, {"inner", 1, NULL, 'i'}, {"loss", 1, NULL, 'l'},
        {"seed", 1, NULL, 's'},  {NULL, 0, NULL, 0},
    };
    const char *outer = NULL, *inner = NULL;
    double loss = 0;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;)
        if (option == 'o')
            outer = optarg;
        else if (option == 'i')
            inner = optarg;
        else if (option == 'l')
            loss = strtod(optarg, NULL) / 100;
        else if (option == 's')
            generator = strtoull(optarg, NULL, 0);
        else
            return 2;
    if (outer == NULL || inner == NULL || loss < 0 || loss > 1) {
        fprintf(stderr, "usage: lossy --outer TAP --inner INTERFACE --loss PERCENT [--seed N]\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    int tap = open_tap(outer), raw = open_raw(inner);
    struct direction out = {.from = tap, .to = raw}, in = {.from = raw, .to = tap};
    while (!stopped) {
        struct pollfd fds[] = {{.fd = tap, .events = POLLIN}, {.fd = raw, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents != 0)
            carry(&out, loss);
        if (fds[1].revents != 0)
            carry(&in, loss);
    }
    printf("{\"to_broker\": {\"carried\": %" PRIu64 ", \"dropped\": %" PRIu64
           "}, \"from_broker\": {\"carried\": %" PRIu64 ", \"dropped\": %" PRIu64 "}}\n",
           out.carried, out.dropped, in.carried, in.dropped);
    return 0;
}
