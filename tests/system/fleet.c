/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet of MQTT clients in one process, for system tests and the end-to-end bench. Every client
 * subscribes to its own topic and publishes numbered, time-stamped messages to the topic of another
 * one; each message must arrive once and in order.
 *
 * Talks on standard output: `ready N` when all are connected and subscribed, and at the end one
 * JSON object. With --pairs it then reads `PUBLISHER TARGET` lines (numbers from 0) up to an empty
 * one; with --hold it publishes nothing and stays until standard input ends.
 *
 * Exit status: 0 all arrived as it should, 1 not, 2 wrong usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/system/mqtt_buffer.h"

enum { CONNECTING_MAX = 200, HELD_MAX = 256, STAMP = 16, BUCKETS = 59 * 64 };
enum { NAME_MAX_LENGTH = 128 };

struct client {
    int fd;
    bool ready, writing, touched;
    struct buffer in, out;
    unsigned target, publisher; /* whom it publishes to, who publishes to it */
    uint32_t sent, received_rec, done, delivered;
    uint16_t held[HELD_MAX]; /* QoS 2 identifiers between PUBLISH and PUBREL */
    unsigned held_count;
};

static struct {
    const char *host, *port, *prefix;
    unsigned clients, messages, qos_publish, qos_subscribe, window, payload, timeout;
    unsigned id_length, topic_length; /* numbers are padded with zeros up to these */
    bool pairs, hold, persistent;
} options = {.host = "10.88.0.2",
             .port = "1883",
             .prefix = "fleet",
             .clients = 100,
             .messages = 100,
             .qos_publish = 1,
             .qos_subscribe = 1,
             .window = 8,
             .payload = 64,
             .timeout = 60};

static struct {
    uint64_t delivered, acknowledged, duplicates, out_of_order, foreign, disconnected;
    uint64_t acknowledged_out_of_order, latency[BUCKETS];
} stats;

static struct client *clients;
static unsigned opened, connecting, ready;
static unsigned *touched, touched_count; /* clients with something to send after this round */
static bool publishing;
static int epoll_fd;
static uint64_t progress_at;

static uint64_t nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void fatal(const char *what) {
    fprintf(stderr, "fleet: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* A histogram of microseconds with 32 steps an octave. */
static void latency_add(uint64_t microseconds) {
    unsigned octave = microseconds < 64 ? 0 : 58 - (unsigned)__builtin_clzll(microseconds);
    stats.latency[octave * 64 + (microseconds >> octave)]++;
}

static uint64_t latency_percentile(double share) {
    uint64_t total = 0, seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++)
        total += stats.latency[i];
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += stats.latency[i];
        if (seen > 0 && (double)seen >= share * (double)total)
            return (uint64_t)(i % 64) << (i / 64);
    }
    return 0;
}

/* A client identifier or topic of its own for each client. */
static void make_name(char name[NAME_MAX_LENGTH + 1], char separator, unsigned number,
                      unsigned length) {
    int prefix = snprintf(name, NAME_MAX_LENGTH + 1, "%s%c", options.prefix, separator);
    int digits = (int)length > prefix ? (int)length - prefix : 1;
    if (prefix > NAME_MAX_LENGTH)
        prefix = NAME_MAX_LENGTH;
    snprintf(name + prefix, NAME_MAX_LENGTH + 1 - (size_t)prefix, "%0*u", digits, number);
}

static void send_connect(struct client *client, unsigned number) {
    char name[NAME_MAX_LENGTH + 1];
    make_name(name, '-', number, options.id_length);
    mqtt_connect(&client->out, name, !options.persistent);
}

static void send_subscribe(struct client *client, unsigned number) {
    char topic[NAME_MAX_LENGTH + 1];
    make_name(topic, '/', number, options.topic_length);
    mqtt_subscribe(&client->out, topic, options.qos_subscribe);
}

static void send_publish(struct client *client, unsigned number) {
    char topic[NAME_MAX_LENGTH + 1];
    make_name(topic, '/', client->target, options.topic_length);
    uint8_t *at = mqtt_publish(&client->out, topic, options.qos_publish, client->sent % 65535 + 1,
                               options.payload);
    uint64_t now = nanoseconds();
    uint32_t publisher = number;
    memcpy(at, &publisher, 4);
    memcpy(at + 4, &client->sent, 4);
    memcpy(at + 8, &now, 8);
    memset(at + STAMP, 'x', options.payload - STAMP);
    client->sent++;
}

/* Publishes while the window is open: unacknowledged messages, or with QoS 0 those that have not
 * arrived. */
static void pump(struct client *client) {
    unsigned number = (unsigned)(client - clients);
    while (publishing && client->sent < options.messages) {
        uint32_t done = options.qos_publish > 0 ? client->done : clients[client->target].delivered;
        if (client->sent - done >= options.window)
            return;
        send_publish(client, number);
    }
}

static void disconnected(struct client *client) {
    stats.disconnected++;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, client->fd, NULL);
    close(client->fd);
    client->fd = -1;
}

static void flush(struct client *client) {
    if (client->fd < 0)
        return;
    if (!buffer_send(&client->out, client->fd)) {
        disconnected(client);
        return;
    }
    bool writing = client->out.begin < client->out.end;
    if (writing != client->writing) {
        client->writing = writing;
        struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0),
                                    .data.u32 = (uint32_t)(client - clients)};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
    }
}

static void deliver(struct client *client, const uint8_t *payload, size_t size) {
    uint32_t publisher, sequence;
    uint64_t stamp;
    if (size < STAMP) {
        stats.foreign++;
        return;
    }
    memcpy(&publisher, payload, 4);
    memcpy(&sequence, payload + 4, 4);
    memcpy(&stamp, payload + 8, 8);
    if (publisher != client->publisher) {
        stats.foreign++;
    } else if (sequence < client->delivered) {
        stats.duplicates++;
    } else {
        if (sequence > client->delivered)
            stats.out_of_order++;
        client->delivered = sequence + 1;
        stats.delivered++;
        latency_add((nanoseconds() - stamp) / 1000);
    }
    struct client *source = &clients[client->publisher];
    if (options.qos_publish == 0 && !source->touched) {
        source->touched = true;
        touched[touched_count++] = client->publisher;
    }
}

static void handle_publish(struct client *client, uint8_t first, const uint8_t *body, size_t size) {
    unsigned qos = first >> 1 & 3;
    size_t header = 2 + get16(body) + (qos > 0 ? 2 : 0);
    unsigned identifier = qos > 0 ? get16(body + header - 2) : 0;
    if (qos == 2) {
        for (unsigned i = 0; i < client->held_count; i++) {
            if (client->held[i] == identifier) {
                mqtt_acknowledge(&client->out, PUBREC, identifier);
                return;
            }
        }
        if (client->held_count == HELD_MAX) {
            fprintf(stderr, "fleet: more than %d QoS 2 messages in flight\n", HELD_MAX);
            exit(1);
        }
        client->held[client->held_count++] = (uint16_t)identifier;
    }
    deliver(client, body + header, size - header);
    if (qos > 0)
        mqtt_acknowledge(&client->out, qos == 1 ? PUBACK : PUBREC, identifier);
}

static void handle_acknowledged(struct client *client, unsigned identifier) {
    if (identifier != client->done % 65535 + 1)
        stats.acknowledged_out_of_order++;
    client->done++;
    stats.acknowledged++;
    pump(client);
}

static void handle(struct client *client, uint8_t first, const uint8_t *body, size_t size) {
    switch (first >> 4) {
    case CONNACK:
        if (body[1] != 0) {
            fprintf(stderr, "fleet: CONNACK says %u\n", body[1]);
            exit(1);
        }
        send_subscribe(client, (unsigned)(client - clients));
        break;
    case SUBACK:
        if (body[2] != options.qos_subscribe) {
            fprintf(stderr, "fleet: SUBACK says %u\n", body[2]);
            exit(1);
        }
        client->ready = true;
        ready++;
        connecting--;
        break;
    case PUBLISH:
        handle_publish(client, first, body, size);
        break;
    case PUBACK:
    case PUBCOMP:
        handle_acknowledged(client, get16(body));
        break;
    case PUBREC:
        if (get16(body) != client->received_rec++ % 65535 + 1)
            stats.acknowledged_out_of_order++;
        mqtt_acknowledge(&client->out, PUBREL, get16(body));
        break;
    case PUBREL:
        for (unsigned i = 0; i < client->held_count; i++) {
            if (client->held[i] == get16(body)) {
                client->held[i] = client->held[--client->held_count];
                break;
            }
        }
        mqtt_acknowledge(&client->out, PUBCOMP, get16(body));
        break;
    default:
        fprintf(stderr, "fleet: unexpected packet %02x\n", first);
        exit(1);
    }
}

/* Handles the whole packets in the buffer. */
static void parse(struct client *client) {
    uint8_t first;
    const uint8_t *body;
    size_t size;
    while (mqtt_take(&client->in, &first, &body, &size))
        handle(client, first, body, size);
}

static void readable(struct client *client) {
    ssize_t n = recv(client->fd, buffer_room(&client->in, 16384), 16384, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        disconnected(client);
        return;
    }
    client->in.end += (size_t)n;
    progress_at = nanoseconds();
    parse(client);
    flush(client);
}

static void open_client(const struct addrinfo *address) {
    struct client *client = &clients[opened];
    client->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        fatal("socket");
    int one = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(client->fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS)
        fatal("connect");
    send_connect(client, opened);
    client->writing = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u32 = opened};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0)
        fatal("epoll_ctl");
    opened++;
    connecting++;
}

/* One round of events. False: nothing has moved for `timeout` seconds. */
static bool turn(void) {
    struct epoll_event events[256];
    int n = epoll_wait(epoll_fd, events, 256, 100);
    for (int i = 0; i < n; i++) {
        struct client *client = &clients[events[i].data.u32];
        if (client->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
            readable(client);
        if (client->fd >= 0 && (events[i].events & EPOLLOUT) != 0)
            flush(client);
    }
    while (touched_count > 0) {
        struct client *client = &clients[touched[--touched_count]];
        client->touched = false;
        pump(client);
        flush(client);
    }
    return nanoseconds() - progress_at < (uint64_t)options.timeout * 1000000000u;
}

static void read_pairs(void) {
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL && line[0] != '\n') {
        unsigned publisher, target;
        if (sscanf(line, "%u %u", &publisher, &target) != 2 || publisher >= options.clients ||
            target >= options.clients) {
            fprintf(stderr, "fleet: not a pair: %s", line);
            exit(2);
        }
        clients[publisher].target = target;
    }
    for (unsigned i = 0; i < options.clients; i++)
        clients[clients[i].target].publisher = i;
}

/* Until standard input ends. The clients say nothing; what comes is read. */
static void hold(void) {
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    for (;;) {
        char byte;
        ssize_t n = read(STDIN_FILENO, &byte, 1);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return;
        turn();
    }
}

static bool report(double seconds) {
    uint64_t expected = (uint64_t)options.clients * (options.hold ? 0 : options.messages);
    bool good = stats.delivered == expected && stats.duplicates == 0 && stats.out_of_order == 0 &&
                stats.foreign == 0 && stats.disconnected == 0 &&
                stats.acknowledged_out_of_order == 0 &&
                (options.qos_publish == 0 || stats.acknowledged == expected);
    printf("{\"clients\": %u, \"expected\": %" PRIu64 ", \"delivered\": %" PRIu64
           ", \"acknowledged\": %" PRIu64 ", \"duplicates\": %" PRIu64
           ", \"out_of_order\": %" PRIu64 ", \"foreign\": %" PRIu64 ", \"disconnected\": %" PRIu64
           ", \"acknowledged_out_of_order\": %" PRIu64 ", \"seconds\": %.3f, \"rate\": %.0f"
           ", \"p50_us\": %" PRIu64 ", \"p99_us\": %" PRIu64 ", \"p999_us\": %" PRIu64 "}\n",
           options.clients, expected, stats.delivered, stats.acknowledged, stats.duplicates,
           stats.out_of_order, stats.foreign, stats.disconnected, stats.acknowledged_out_of_order,
           seconds, seconds > 0 ? (double)stats.delivered / seconds : 0, latency_percentile(0.5),
           latency_percentile(0.99), latency_percentile(0.999));
    return good;
}

static unsigned number(const char *text, unsigned min, unsigned max) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != '\0' || value < min || value > max) {
        fprintf(stderr, "fleet: %s is not a number from %u to %u\n", text, min, max);
        exit(2);
    }
    return (unsigned)value;
}

static void parse_options(int argc, char **argv) {
    static const struct option known[] = {
        {"host", 1, NULL, 'h'},      {"port", 1, NULL, 'p'},          {"prefix", 1, NULL, 'x'},
        {"clients", 1, NULL, 'c'},   {"messages", 1, NULL, 'm'},      {"qos-publish", 1, NULL, 'q'},
        {"window", 1, NULL, 'w'},    {"qos-subscribe", 1, NULL, 's'}, {"payload", 1, NULL, 'b'},
        {"timeout", 1, NULL, 't'},   {"pairs", 0, NULL, 'P'},         {"hold", 0, NULL, 'H'},
        {"id-length", 1, NULL, 'i'}, {"topic-length", 1, NULL, 'l'},  {"persistent", 0, NULL, 'k'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'h':
            options.host = optarg;
            break;
        case 'p':
            options.port = optarg;
            break;
        case 'x':
            options.prefix = optarg;
            break;
        case 'c':
            options.clients = number(optarg, 1, 60000);
            break;
        case 'm':
            options.messages = number(optarg, 1, 1000000000);
            break;
        case 'q':
            options.qos_publish = number(optarg, 0, 2);
            break;
        case 's':
            options.qos_subscribe = number(optarg, 0, 2);
            break;
        case 'w':
            options.window = number(optarg, 1, 1000);
            break;
        case 'b':
            options.payload = number(optarg, STAMP, 65536);
            break;
        case 't':
            options.timeout = number(optarg, 1, 3600);
            break;
        case 'i':
            options.id_length = number(optarg, 1, NAME_MAX_LENGTH);
            break;
        case 'l':
            options.topic_length = number(optarg, 1, NAME_MAX_LENGTH);
            break;
        case 'k':
            options.persistent = true;
            break;
        case 'P':
            options.pairs = true;
            break;
        case 'H':
            options.hold = true;
            break;
        default:
            exit(2);
        }
    }
}

static void connect_all(void) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *address;
    int error = getaddrinfo(options.host, options.port, &hints, &address);
    if (error != 0) {
        fprintf(stderr, "fleet: %s: %s\n", options.host, gai_strerror(error));
        exit(2);
    }
    progress_at = nanoseconds();
    while (ready < options.clients) {
        while (opened < options.clients && connecting < CONNECTING_MAX)
            open_client(address);
        if (!turn() || stats.disconnected > 0) {
            fprintf(stderr, "fleet: %u of %u clients connected, %" PRIu64 " disconnected\n", ready,
                    options.clients, stats.disconnected);
            exit(1);
        }
    }
    freeaddrinfo(address);
    printf("ready %u\n", ready);
    fflush(stdout);
}

int main(int argc, char **argv) {
    parse_options(argc, argv);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    clients = calloc(options.clients, sizeof *clients);
    touched = calloc(options.clients, sizeof *touched);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (clients == NULL || touched == NULL || epoll_fd < 0)
        fatal("set-up");
    connect_all();

    for (unsigned i = 0; i < options.clients; i++) {
        clients[i].target = (i + options.clients / 2) % options.clients;
        clients[clients[i].target].publisher = i;
    }
    if (options.hold) {
        hold();
        return report(0) ? 0 : 1;
    }
    if (options.pairs)
        read_pairs();

    uint64_t began = progress_at = nanoseconds();
    uint64_t expected = (uint64_t)options.clients * options.messages;
    publishing = true;
    for (unsigned i = 0; i < options.clients; i++) {
        pump(&clients[i]);
        flush(&clients[i]);
    }
    while (stats.delivered < expected || (options.qos_publish > 0 && stats.acknowledged < expected))
        if (!turn() || stats.disconnected > 0)
            break;
    return report((double)(nanoseconds() - began) / 1e9) ? 0 : 1;
}
