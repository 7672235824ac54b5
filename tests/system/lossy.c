/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wire that loses and delays frames. It creates the TAP interface OUTER, for the devices' side of
 * the conversation, and carries frames in both directions between it and the server's side: an
 * existing interface (--inner, which must have no address and no ARP: only raw frames pass it) or
 * a second TAP that it creates (--inner-tap). What happens to a frame, in this order:
 *
 *   --queue KIB     so much may wait for the link (with --rate); what comes beyond is dropped
 *   --rate MBIT     the link takes so many megabits a second; 0: any number
 *   --loss PERCENT  a share, chosen by a generator with a --seed, is lost
 *   --delay MS      all arrive so much later
 *   --jitter MS     and each up to so much later than that, so that they overtake each other
 *
 * There is one link, or with --links one for each IPv4 address of the devices' side; then frames of
 * the address --clean, and those that are not IPv4, pass at once and unharmed. With --held nothing
 * is lost before SIGUSR1. In each direction the rate is that of the link.
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_MAX = 65536, SOCKET_BUFFER = 4 << 20, LINKS = 1 << 16, ETHER_BYTES = 14 };

static struct {
    double loss;            /* 0 to 1 */
    uint64_t delay, jitter; /* nanoseconds */
    double rate;            /* nanoseconds a byte; 0 = none */
    uint64_t queue;         /* bytes */
    bool links;
    uint32_t clean; /* network order */
} options = {.queue = 1 << 20};

struct direction {
    int from, to;
    unsigned address_at; /* where a device's IPv4 address stands in a frame */
    uint64_t carried, dropped, overflowed;
    uint64_t free_at[LINKS]; /* when the link has sent all that waits for it */
};

/* A frame under way. */
struct frame {
    uint64_t due, number;
    struct direction *direction;
    size_t len;
    uint8_t bytes[];
};

static volatile sig_atomic_t stopped, held;
static uint64_t generator;
static struct direction out = {.address_at = ETHER_BYTES + 12},
                        in = {.address_at = ETHER_BYTES + 16};
/* Those under way, the one that is due first on top of a heap. */
static struct frame **heap;
static size_t heap_count, heap_room;

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

static void begin(int signal) {
    (void)signal;
    held = 0;
}

static void fatal(const char *what) {
    fprintf(stderr, "lossy: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
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

/* --- frames under way ------------------------------------------------------------------------ */

static bool before(const struct frame *a, const struct frame *b) {
    return a->due != b->due ? a->due < b->due : a->number < b->number;
}

static void push(struct frame *frame) {
    if (heap_count == heap_room) {
        heap_room = heap_room ? 2 * heap_room : 1024;
        heap = realloc(heap, heap_room * sizeof(struct frame *));
        if (heap == NULL)
            fatal("memory");
    }
    size_t at = heap_count++;
    for (; at && before(frame, heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = frame;
}

static struct frame *pop(void) {
    struct frame *top = heap[0], *last = heap[--heap_count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap_count; at = child) {
        if (child + 1 < heap_count && before(heap[child + 1], heap[child]))
            child++;
        if (before(last, heap[child]))
            break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}

static void deliver(struct direction *direction, const uint8_t *bytes, size_t len) {
    if (write(direction->to, bytes, len) == (ssize_t)len)
        direction->carried++;
    else
        direction->dropped++;
}

static void deliver_due(uint64_t now) {
    while (heap_count && heap[0]->due <= now) {
        struct frame *frame = pop();
        deliver(frame->direction, frame->bytes, frame->len);
        free(frame);
    }
}

/* The link of a frame; -1: none, it passes unharmed. */
static int link_of(const struct direction *direction, const uint8_t *bytes, size_t len) {
    uint32_t address;
    if (!options.links)
        return 0;
    if (len < direction->address_at + sizeof address || bytes[12] != 8 || bytes[13] != 0)
        return -1;
    memcpy(&address, bytes + direction->address_at, sizeof address);
    return address == options.clean ? -1 : (int)(ntohl(address) % LINKS);
}

static void carry(struct direction *direction, const uint8_t *bytes, size_t len, uint64_t now) {
    static uint64_t number;
    int link = link_of(direction, bytes, len);
    if (link < 0) {
        deliver(direction, bytes, len);
        return;
    }
    uint64_t due = now;
    if (options.rate > 0) {
        uint64_t *free_at = &direction->free_at[link];
        if (*free_at > now && (double)(*free_at - now) > (double)options.queue * options.rate) {
            direction->overflowed++;
            return;
        }
        due = (*free_at > now ? *free_at : now) + (uint64_t)((double)len * options.rate);
        *free_at = due;
    }
    if (random_share() < options.loss && !held) {
        direction->dropped++;
        return;
    }
    due += options.delay + (uint64_t)((double)options.jitter * random_share());
    if (due == now) {
        deliver(direction, bytes, len);
        return;
    }
    struct frame *frame = malloc(sizeof *frame + len);
    if (frame == NULL)
        fatal("memory");
    *frame = (struct frame){.due = due, .number = number++, .direction = direction, .len = len};
    memcpy(frame->bytes, bytes, len);
    push(frame);
}

static void take(struct direction *direction) {
    static uint8_t bytes[FRAME_MAX];
    uint64_t now = nanoseconds();
    for (int i = 0; i < 64; i++) {
        ssize_t n = read(direction->from, bytes, sizeof bytes);
        if (n <= 0)
            return;
        carry(direction, bytes, (size_t)n, now);
    }
}

static void run(void) {
    while (!stopped) {
        struct pollfd fds[] = {{.fd = out.from, .events = POLLIN},
                               {.fd = in.from, .events = POLLIN}};
        uint64_t now = nanoseconds();
        uint64_t wait = heap_count && heap[0]->due > now ? heap[0]->due - now : 0;
        struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000u),
                                   .tv_nsec = (long)(wait % 1000000000u)};
        if (ppoll(fds, 2, heap_count ? &timeout : NULL, NULL) < 0)
            continue;
        if (fds[0].revents != 0)
            take(&out);
        if (fds[1].revents != 0)
            take(&in);
        deliver_due(nanoseconds());
    }
}

static void report(const char *name, const struct direction *direction, const char *end) {
    printf("\"%s\": {\"carried\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"overflowed\": %" PRIu64
           "}%s",
           name, direction->carried, direction->dropped, direction->overflowed, end);
}

static void usage(void) {
    fprintf(stderr,
            "usage: lossy --outer TAP {--inner INTERFACE | --inner-tap TAP} --loss PERCENT\n"
            "             [--delay MS] [--jitter MS] [--rate MBIT] [--queue KIB]\n"
            "             [--links] [--clean ADDRESS] [--held] [--seed N]\n");
    exit(2);
}

int main(int argc, char **argv) {
    static const struct option known[] = {
        {"outer", 1, NULL, 'o'}, {"inner", 1, NULL, 'i'}, {"inner-tap", 1, NULL, 'I'},
        {"loss", 1, NULL, 'l'},  {"delay", 1, NULL, 'd'}, {"jitter", 1, NULL, 'j'},
        {"rate", 1, NULL, 'r'},  {"queue", 1, NULL, 'q'}, {"links", 0, NULL, 'L'},
        {"clean", 1, NULL, 'c'}, {"held", 0, NULL, 'h'},  {"seed", 1, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    const char *outer = NULL, *inner = NULL, *inner_tap = NULL;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        double value = optarg ? strtod(optarg, NULL) : 0;
        if (option == 'o')
            outer = optarg;
        else if (option == 'i')
            inner = optarg;
        else if (option == 'I')
            inner_tap = optarg;
        else if (option == 'l')
            options.loss = value / 100;
        else if (option == 'd')
            options.delay = (uint64_t)(value * 1e6);
        else if (option == 'j')
            options.jitter = (uint64_t)(value * 1e6);
        else if (option == 'r')
            options.rate = value > 0 ? 8000 / value : 0;
        else if (option == 'q')
            options.queue = (uint64_t)(value * 1024);
        else if (option == 'L')
            options.links = true;
        else if (option == 'c' && inet_pton(AF_INET, optarg, &options.clean) == 1)
            continue;
        else if (option == 'h')
            held = 1;
        else if (option == 's')
            generator = strtoull(optarg, NULL, 0);
        else
            usage();
    }
    if (outer == NULL || !inner == !inner_tap || options.loss < 0 || options.loss > 1)
        usage();
    struct sigaction ends = {.sa_handler = stop}, begins = {.sa_handler = begin};
    sigaction(SIGTERM, &ends, NULL);
    sigaction(SIGINT, &ends, NULL);
    sigaction(SIGUSR1, &begins, NULL);
    prctl(PR_SET_TIMERSLACK, 1);

    int tap = open_tap(outer), server = inner ? open_raw(inner) : open_tap(inner_tap);
    out.from = in.to = tap;
    out.to = in.from = server;
    run();
    printf("{");
    report("to_broker", &out, ", ");
    report("from_broker", &in, "}\n");
    return 0;
}
