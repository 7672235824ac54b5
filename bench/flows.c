/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices at the far end of links, each with an IPv4 address of its own, and one publisher beside
 * the broker that feeds them. All at once:
 *
 *   down   devices that are sent large QoS 1 messages without a pause
 *   up     devices that publish large QoS 1 messages without a pause
 *   thin   devices that are sent a small QoS 1 message now and then: time until it is there
 *   echo   devices that publish a small QoS 0 message to themselves now and then: until it is back
 *
 * Prints `ready` when all are connected, begins with a line on standard input, and ends with one
 * JSON object: bytes that arrived of the large messages, percentiles of the times of the small
 * ones.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/system/mqtt_buffer.h"

enum { LARGE = 32768, SMALL = 100, WINDOW = 16, SAMPLES_MAX = 1 << 20 };
enum { PAUSE_MIN_US = 50000, PAUSE_SPREAD_US = 250000, LATE_US = 4000000 };

enum kind { PUMP, DOWN, UP, THIN, ECHO, KINDS };

struct client {
    enum kind kind;
    int fd;
    bool ready, writing;
    struct buffer in, out;
    uint16_t identifier;
    uint64_t sent_at, next_at; /* small messages, microseconds; sent_at 0: none is under way */
    uint64_t bytes, bytes_before;
};

static struct {
    struct sockaddr_in host;
    uint32_t first; /* address of the first device */
    unsigned count[KINDS], seconds;
} options = {.count = {[PUMP] = 1}, .seconds = 10};

static const char *const names[KINDS] = {"pump", "down", "up", "thin", "echo"};
static struct client *clients, *pump;
static unsigned total, ready;
static uint64_t *samples[KINDS];
static size_t sample_count[KINDS];
static uint64_t ends_at = UINT64_MAX;
static int epoll_fd;

static uint64_t microseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_nsec / 1000;
}

static void fatal(const char *what) {
    fprintf(stderr, "flows: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void flush(struct client *client) {
    if (!buffer_send(&client->out, client->fd))
        fatal(names[client->kind]);
    bool writing = client->out.begin < client->out.end;
    if (writing != client->writing) {
        struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0),
                                    .data.ptr = client};
        client->writing = writing;
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
    }
}

/* Publishes to a device. */
static void publish(struct client *client, const struct client *to, unsigned qos, size_t payload) {
    char topic[32];
    snprintf(topic, sizeof topic, "f/%u", (unsigned)(to - clients));
    client->identifier = client->identifier == UINT16_MAX ? 1 : client->identifier + 1;
    memset(mqtt_publish(&client->out, topic, qos, client->identifier, payload), 'x', payload);
    flush(client);
}

static void send_small(struct client *client) {
    client->sent_at = microseconds();
    if (client->kind == ECHO)
        publish(client, client, 0, SMALL);
    else
        publish(pump, client, 1, SMALL);
}

static void arrived(struct client *client) {
    uint64_t now = microseconds();
    if (client->kind == DOWN) {
        if (now < ends_at)
            publish(pump, client, 1, LARGE);
        return;
    }
    if (sample_count[client->kind] < SAMPLES_MAX)
        samples[client->kind][sample_count[client->kind]++] = now - client->sent_at;
    client->sent_at = 0;
    client->next_at = now + PAUSE_MIN_US + (uint64_t)(random() % PAUSE_SPREAD_US);
}

static void is_ready(struct client *client) {
    client->ready = true;
    ready++;
}

static void handle(struct client *client, uint8_t first, const uint8_t *body) {
    char text[32];
    switch (first >> 4) {
    case CONNACK:
        if (body[1] != 0) {
            fprintf(stderr, "flows: CONNACK says %u\n", body[1]);
            exit(1);
        }
        if (client->kind == PUMP || client->kind == UP) {
            is_ready(client);
            break;
        }
        snprintf(text, sizeof text, "f/%u", (unsigned)(client - clients));
        mqtt_subscribe(&client->out, text, 1);
        break;
    case SUBACK:
        is_ready(client);
        break;
    case PUBLISH:
        if (first & 6) {
            mqtt_acknowledge(&client->out, PUBACK, get16(body + 2 + get16(body)));
            flush(client);
        }
        arrived(client);
        break;
    case PUBACK:
        if (client->kind == UP && microseconds() < ends_at)
            publish(client, client, 1, LARGE);
        break;
    default:
        fprintf(stderr, "flows: unexpected packet %02x\n", first);
        exit(1);
    }
}

/* Handles the whole packets in the buffer. */
static void parse(struct client *client) {
    uint8_t first;
    const uint8_t *body;
    size_t size;
    while (mqtt_take(&client->in, &first, &body, &size))
        handle(client, first, body);
}

static void readable(struct client *client) {
    ssize_t n = recv(client->fd, buffer_room(&client->in, 65536), 65536, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        fatal(names[client->kind]);
    client->in.end += (size_t)n;
    if (microseconds() < ends_at)
        client->bytes += (uint64_t)n;
    parse(client);
    flush(client);
}

static void turn(void) {
    struct epoll_event events[256];
    int n = epoll_wait(epoll_fd, events, 256, 2);
    for (int i = 0; i < n; i++) {
        struct client *client = events[i].data.ptr;
        if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            readable(client);
        if (events[i].events & EPOLLOUT)
            flush(client);
    }
}

static void open_client(struct client *client, enum kind kind, uint32_t address) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    int one = 1;
    client->kind = kind;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (client->fd < 0 || (address && bind(client->fd, (struct sockaddr *)&own, sizeof own) != 0))
        fatal("bind");
    if (connect(client->fd, (struct sockaddr *)&options.host, sizeof options.host) != 0 &&
        errno != EINPROGRESS)
        fatal("connect");
    char name[32];
    snprintf(name, sizeof name, "%s-%u", names[kind], (unsigned)(client - clients));
    mqtt_connect(&client->out, name, true);
    client->writing = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = client};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0)
        fatal("epoll_ctl");
}

/* What of a device's large messages has arrived at the broker. */
static uint64_t bytes_acknowledged(const struct client *client) {
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    getsockopt(client->fd, IPPROTO_TCP, TCP_INFO, &info, &len);
    return info.tcpi_bytes_acked;
}

static void begin(void) {
    uint64_t now = microseconds();
    ends_at = now + options.seconds * UINT64_C(1000000);
    for (unsigned i = 0; i < total; i++) {
        struct client *client = &clients[i];
        client->bytes = 0;
        client->next_at = now + (uint64_t)(random() % PAUSE_SPREAD_US);
        if (client->kind == UP)
            client->bytes_before = bytes_acknowledged(client);
        for (unsigned j = 0; j < WINDOW; j++)
            if (client->kind == DOWN || client->kind == UP)
                publish(client->kind == UP ? client : pump, client, 1, LARGE);
    }
}

/* Sends small messages that are due; returns how many devices wait for one. */
static unsigned small_messages(uint64_t now) {
    unsigned waiting = 0;
    for (unsigned i = 0; i < total; i++) {
        struct client *client = &clients[i];
        if (client->kind != THIN && client->kind != ECHO)
            continue;
        if (!client->sent_at && now < ends_at && now >= client->next_at)
            send_small(client);
        waiting += client->sent_at != 0;
    }
    return waiting;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t percentile(enum kind kind, double share) {
    size_t at = (size_t)(share * (double)sample_count[kind]);
    return sample_count[kind] ? samples[kind][at < sample_count[kind] ? at : at - 1] : 0;
}

static uint64_t mean(enum kind kind) {
    uint64_t sum = 0;
    for (size_t i = 0; i < sample_count[kind]; i++)
        sum += samples[kind][i];
    return sample_count[kind] ? sum / sample_count[kind] : 0;
}

static void report(const uint64_t *bytes) {
    printf("{\"seconds\": %u, \"down\": %" PRIu64 ", \"up\": %" PRIu64, options.seconds,
           bytes[DOWN], bytes[UP]);
    for (enum kind kind = THIN; kind <= ECHO; kind++) {
        qsort(samples[kind], sample_count[kind], sizeof(uint64_t), compare);
        printf(", \"%s\": {\"count\": %zu, \"mean\": %" PRIu64 ", \"p50\": %" PRIu64
               ", \"p95\": %" PRIu64 ", \"p99\": %" PRIu64 "}",
               names[kind], sample_count[kind], mean(kind), percentile(kind, 0.5),
               percentile(kind, 0.95), percentile(kind, 0.99));
    }
    printf("}\n");
}

static void measure(void) {
    uint64_t bytes[KINDS] = {0};
    begin();
    while (microseconds() < ends_at) {
        turn();
        small_messages(microseconds());
    }
    for (unsigned i = 0; i < total; i++) {
        struct client *client = &clients[i];
        if (client->kind == UP)
            client->bytes = bytes_acknowledged(client) - client->bytes_before;
        bytes[client->kind] += client->bytes;
    }
    /* Those that are late count too, lest the slowest ones are left out. */
    while (small_messages(microseconds()) && microseconds() < ends_at + LATE_US)
        turn();
    for (unsigned i = 0; i < total; i++)
        if (clients[i].sent_at)
            arrived(&clients[i]);
    report(bytes);
}

int main(int argc, char **argv) {
    static const struct option known[] = {
        {"host", 1, NULL, 'h'}, {"first", 1, NULL, 'f'},   {"down", 1, NULL, 'd'},
        {"up", 1, NULL, 'u'},   {"thin", 1, NULL, 't'},    {"echo", 1, NULL, 'e'},
        {"port", 1, NULL, 'p'}, {"seconds", 1, NULL, 's'}, {NULL, 0, NULL, 0},
    };
    options.host.sin_family = AF_INET;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        struct in_addr address;
        unsigned value = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;
        if (option == 'h' && inet_pton(AF_INET, optarg, &options.host.sin_addr) == 1)
            continue;
        if (option == 'f' && inet_pton(AF_INET, optarg, &address) == 1)
            options.first = ntohl(address.s_addr);
        else if (option == 'p')
            options.host.sin_port = htons((uint16_t)value);
        else if (option == 's')
            options.seconds = value;
        else if (strchr("dute", option))
            options.count[option == 'd'   ? DOWN
                          : option == 'u' ? UP
                          : option == 't' ? THIN
                                          : ECHO] = value;
        else
            return 2;
    }
    for (enum kind kind = 0; kind < KINDS; kind++)
        total += options.count[kind];
    clients = calloc(total, sizeof *clients);
    samples[THIN] = calloc(SAMPLES_MAX, sizeof(uint64_t));
    samples[ECHO] = calloc(SAMPLES_MAX, sizeof(uint64_t));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!clients || !samples[THIN] || !samples[ECHO] || epoll_fd < 0)
        fatal("memory");
    pump = clients;
    struct client *client = clients;
    for (enum kind kind = 0; kind < KINDS; kind++)
        for (unsigned i = 0; i < options.count[kind]; i++, client++)
            open_client(client, kind,
                        kind == PUMP ? 0 : options.first + (uint32_t)(client - clients) - 1);
    while (ready < total)
        turn();
    printf("ready\n");
    fflush(stdout);
    if (getchar() == EOF)
        return 1;
    measure();
    return 0;
}
