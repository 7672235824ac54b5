/* SPDX-License-Identifier: Apache-2.0 */
#include "control/status/sys.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/topics/router.h"

enum { TOPIC_MAX = 80, SPANS = 3 };

#define FIGURE(field) offsetof(struct sys_figures, field)

static const struct {
    const char *name;
    size_t figure;
} values[] = {
    {"clients/active", FIGURE(connected)}, /* the old name of clients/connected */
    {"clients/connected", FIGURE(connected)},
    {"clients/disconnected", FIGURE(disconnected)},
    {"clients/inactive", FIGURE(disconnected)}, /* the old name of clients/disconnected */
    {"clients/expired", FIGURE(expired)},
    {"messages/received", FIGURE(messages_in)},
    {"messages/sent", FIGURE(messages_out)},
    {"messages/stored", FIGURE(stored)}, /* the old name of store/messages/count */
    {"store/messages/count", FIGURE(stored)},
    {"store/messages/bytes", FIGURE(stored_bytes)},
    {"publish/messages/received", FIGURE(publish_in)},
    {"publish/messages/sent", FIGURE(publish_out)},
    {"publish/messages/dropped", FIGURE(publish_dropped)},
    {"publish/bytes/received", FIGURE(publish_bytes_in)},
    {"publish/bytes/sent", FIGURE(publish_bytes_out)},
    {"bytes/received", FIGURE(bytes_in)},
    {"bytes/sent", FIGURE(bytes_out)},
    {"retained messages/count", FIGURE(retained)},
    {"subscriptions/count", FIGURE(subscriptions)},
    {"heap/current", FIGURE(memory)},
};

/* Moving averages, per minute. */
static const struct {
    const char *name;
    size_t figure;
} loads[] = {
    {"messages/received", FIGURE(messages_in)},
    {"messages/sent", FIGURE(messages_out)},
    {"publish/received", FIGURE(publish_in)},
    {"publish/sent", FIGURE(publish_out)},
    {"publish/dropped", FIGURE(publish_dropped)},
    {"bytes/received", FIGURE(bytes_in)},
    {"bytes/sent", FIGURE(bytes_out)},
    {"sockets", FIGURE(sockets)},
    {"connections", FIGURE(connects)},
};

static const struct {
    const char *name;
    double minutes;
} spans[SPANS] = {{"1min", 1}, {"5min", 5}, {"15min", 15}};

enum {
    VALUES = sizeof values / sizeof values[0],
    LOADS = sizeof loads / sizeof loads[0],
    MORE = 5, /* version, uptime, clients/total, clients/maximum, heap/maximum */
    TOPICS = MORE + VALUES + LOADS * SPANS,
};

struct sys {
    struct router *router;
    void (*collect)(void *argument, uint64_t wall_clock, struct sys_figures *figures);
    void *argument;
    uint64_t interval, next;                  /* microseconds; 0: has not begun */
    uint64_t clients_maximum, memory_maximum; /* of those seen at an interval */
    uint64_t last_time;
    struct sys_figures last;
    double averages[LOADS][SPANS];
    char published[TOPICS][48]; /* the value that stands */
};

struct sys *sys_create(struct router *router, unsigned interval,
                       void (*collect)(void *argument, uint64_t wall_clock,
                                       struct sys_figures *figures),
                       void *argument) {
    struct sys *sys = calloc(1, sizeof *sys);
    if (sys != NULL) {
        sys->router = router;
        sys->interval = (uint64_t)interval * 1000000;
        sys->collect = collect;
        sys->argument = argument;
    }
    return sys;
}

void sys_destroy(struct sys *sys) {
    free(sys);
}

static uint64_t figure(const struct sys_figures *figures, size_t offset) {
    uint64_t value;
    memcpy(&value, (const uint8_t *)figures + offset, sizeof value);
    return value;
}

static void publish(struct sys *sys, unsigned index, uint64_t wall_clock, const char *topic,
                    const char *text) {
    char *published = sys->published[index];
    if (strcmp(published, text) == 0)
        return;
    struct publish message = {.topic = (const uint8_t *)topic,
                              .payload = (const uint8_t *)text,
                              .topic_len = (uint16_t)strlen(topic),
                              .payload_len = (uint32_t)strlen(text),
                              .retain = true,
                              .flags = MESSAGE_SYS,
                              .wall_clock = wall_clock};
    /* What finds no room is published at the next interval. */
    if (router_publish(sys->router, &message, NULL) == PUBLISH_DONE)
        snprintf(published, sizeof sys->published[index], "%s", text);
}

static void publish_number(struct sys *sys, unsigned index, uint64_t wall_clock, const char *name,
                           uint64_t number) {
    char topic[TOPIC_MAX], text[24];
    snprintf(topic, sizeof topic, "$SYS/broker/%s", name);
    snprintf(text, sizeof text, "%" PRIu64, number);
    publish(sys, index, wall_clock, topic, text);
}

static void publish_loads(struct sys *sys, uint64_t wall_clock, const struct sys_figures *figures,
                          double minutes, unsigned index) {
    for (unsigned i = 0; i < LOADS; i++) {
        double rate =
            (double)(figure(figures, loads[i].figure) - figure(&sys->last, loads[i].figure)) /
            minutes;
        for (unsigned span = 0; span < SPANS; span++) {
            double *average = &sys->averages[i][span];
            char topic[TOPIC_MAX], text[48];
            *average = rate + exp(-minutes / spans[span].minutes) * (*average - rate);
            snprintf(topic, sizeof topic, "$SYS/broker/load/%s/%s", loads[i].name,
                     spans[span].name);
            snprintf(text, sizeof text, "%.2f", *average);
            publish(sys, index++, wall_clock, topic, text);
        }
    }
}

void sys_turn(struct sys *sys, uint64_t now, uint64_t wall_clock) {
    if (now < sys->next)
        return;
    struct sys_figures figures = {0};
    char text[48];
    unsigned index = 0;
    bool first = sys->next == 0;
    sys->next = now + sys->interval;
    sys->collect(sys->argument, wall_clock, &figures);
    uint64_t total = figures.connected + figures.disconnected;
    if (figures.connected > sys->clients_maximum)
        sys->clients_maximum = figures.connected;
    if (figures.memory > sys->memory_maximum)
        sys->memory_maximum = figures.memory;
    snprintf(text, sizeof text, "LineMQ %s", figures.version);
    publish(sys, index++, wall_clock, "$SYS/broker/version", text);
    snprintf(text, sizeof text, "%" PRIu64 " seconds", figures.uptime);
    publish(sys, index++, wall_clock, "$SYS/broker/uptime", text);
    publish_number(sys, index++, wall_clock, "clients/total", total);
    publish_number(sys, index++, wall_clock, "clients/maximum", sys->clients_maximum);
    publish_number(sys, index++, wall_clock, "heap/maximum", sys->memory_maximum);
    for (unsigned i = 0; i < VALUES; i++) {
        publish_number(sys, index++, wall_clock, values[i].name,
                       figure(&figures, values[i].figure));
    }
    if (first)
        sys->last = figures; /* there is no interval to average yet */
    double minutes = first ? (double)sys->interval / 6e7 : (double)(now - sys->last_time) / 6e7;
    publish_loads(sys, wall_clock, &figures, minutes, index);
    sys->last = figures;
    sys->last_time = now;
}
