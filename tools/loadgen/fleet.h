/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fleet: what the simulated devices do. Devices connect, subscribe, publish by schedule or as
 * their window allows, acknowledge, ping, and check what they receive.
 *
 * Numbers: device d belongs to group d / (P + S), where P and S are publishers and subscribers of a
 * group; the first P of a group publish. Publisher p of the fleet owns the topics p * T to
 * p * T + T - 1 and takes them in turn, so message j of a publisher is number j / T of its topic
 * j % T. Commands (optional) go the other way: the first subscriber of a group sends them to each
 * of its publishers in turn; their topics are numbered from COMMANDS on.
 *
 * Time of sending: with a rate, message j of publisher p belongs into batch j / m of p, whose turn
 * comes at start + ((j / m) * publishers + p) * m / rate, however late it is really sent: latencies
 * are measured from there, so a stalled broker cannot slow down its own measurement.
 *
 * Without a rate publishers go by their windows, or, with publish.at_once, take turns as messages
 * of the whole fleet arrive.
 *
 * Pure: time comes in, segments leave through struct devtcp. One thread; the counters may be read
 * by others with relaxed loads.
 */
#ifndef LINEMQ_LOADGEN_FLEET_H
#define LINEMQ_LOADGEN_FLEET_H

#include "tools/loadgen/checker.h"
#include "tools/loadgen/devtcp.h"
#include "tools/loadgen/histogram.h"
#include "tools/loadgen/packet.h"
#include "tools/loadgen/scenario.h"

#define COMMANDS UINT32_C(0x80000000)

enum mqtt_state {
    MQTT_NONE,
    MQTT_CONNECTING,
    MQTT_SUBSCRIBING,
    MQTT_READY,
    MQTT_CLOSING,
    MQTT_STATE = 7, /* mask */
    MQTT_PINGING = 8,
};

enum fleet_phase {
    FLEET_LINK,    /* looks for the broker */
    FLEET_CONNECT, /* opens connections */
    FLEET_SETTLE,
    FLEET_WARMUP,
    FLEET_MEASURE,
    FLEET_DRAIN, /* waits for what is on the way */
    FLEET_CLOSE, /* disconnects */
    FLEET_DONE,
};

struct publisher {
    uint32_t device;
    uint32_t published;   /* messages */
    uint32_t due;         /* by the schedule; without one it has no meaning */
    uint32_t outstanding; /* deliveries that have not come */
    uint16_t next_id;     /* of the next QoS 1 or 2 message */
    uint16_t next_ack;    /* whose PUBACK or PUBCOMP must come next */
    uint16_t next_rec;    /* whose PUBREC must come next */
    uint16_t unacked;
};

/* Messages of one kind: reports of the publishers, or commands to them. */
struct stream {
    struct publish_form form;
    struct publisher *publishers;
    struct slot *slots;
    uint64_t slots_count;
    uint32_t publishers_count, topics; /* of a publisher */
    uint32_t copies;                   /* deliveries of a message */
    uint32_t per_segment;
    uint32_t window;  /* fewer than there are packet identifiers */
    double period_ns; /* between batches of the stream; 0: no schedule */
    uint64_t batches; /* begun */
    uint64_t at_once; /* messages of all publishers on the way; 0: no such limit */
    uint64_t settled; /* deliveries */
    uint64_t start_ns;
};

struct fleet_counts {
    uint64_t connecting, ready, connected, subscribed;
    uint64_t refused, rejected, failed, disconnected; /* by RST, by CONNACK, otherwise; when open */
    uint64_t published, acknowledged, delivered, offered;
    uint64_t pings, pongs, unanswered_pings;
    uint64_t foreign;      /* messages on the wrong topic, or with a payload that is not ours */
    uint64_t malformed;    /* packets that no broker may send */
    uint64_t ack_misorder; /* acknowledgements that were not the next one's */
    uint64_t marked_dup;   /* PUBLISH with DUP */
    uint64_t no_buffer;    /* packets not written for want of buffers */
};

struct fleet {
    const struct scenario *scenario;
    struct devtcp tcp;
    uint32_t devices, per_group, publishers, subscribers;
    struct stream reports, commands;
    struct form client_id, filter;
    bool has_filter;
    uint32_t filters;    /* of one subscriber */
    uint32_t *opened_at; /* [devices] us since connect_start, of connections not yet ready */

    enum fleet_phase phase;
    uint64_t now_ns;
    uint64_t phase_ns;            /* when the phase began */
    uint64_t measure_ns, stop_ns; /* of the measurement; stop_ns 0: it goes on */
    uint64_t connect_ns, connected_ns;
    uint32_t next_open, next_close;
    uint64_t random;
    bool activity;

    struct fleet_counts counts;
    struct fleet_counts at_measure, at_stop;
    struct verdicts verdicts;
    struct histogram latency, connect_latency;
    uint8_t *scratch; /* a packet longer than a segment */
};

/* NULL with a sentence in `error`. `link` is the way out. */
struct fleet *fleet_new(const struct scenario *scenario, const struct devtcp_link *link,
                        uint64_t now_ns, char *error, size_t error_size);
void fleet_free(struct fleet *fleet);

/* What a turn of the loop does beside input: timers, schedules, output. `now_ns` monotonic. Returns
 * whether there was something to do. */
bool fleet_turn(struct fleet *fleet, uint64_t now_ns);

void fleet_phase_set(struct fleet *fleet, enum fleet_phase phase);
const char *fleet_phase_name(enum fleet_phase phase);

/* Deliveries that never came. */
uint64_t fleet_lost(const struct fleet *fleet);
/* Deliveries that are to come yet. */
uint64_t fleet_outstanding(const struct fleet *fleet);

/* --- among the fleet's files ----------------------------------------------------------------- */

void fleet_received(void *fleet, uint32_t number, const uint8_t *data, uint32_t len);
void fleet_packet(struct fleet *fleet, uint32_t number, const uint8_t *packet, uint32_t header,
                  uint32_t have, uint32_t len);
void fleet_publish(struct fleet *fleet, struct stream *stream, uint32_t index);
void fleet_schedule(struct fleet *fleet, struct stream *stream);
void fleet_sending(void *fleet, uint32_t number);
/* `count` deliveries of a topic are settled. */
void fleet_settled(struct fleet *fleet, struct stream *stream, uint32_t index, uint32_t count);
/* Bytes to a device that must go; counted when there is no buffer. */
void fleet_write(struct fleet *fleet, uint32_t number, const uint8_t *data, uint32_t len);
/* Closes the connection; what the broker sends after that is not looked at. */
void fleet_leave(struct fleet *fleet, uint32_t number);
/* The same, because of a packet that no broker may send. */
void fleet_malformed(struct fleet *fleet, uint32_t number);

static inline bool fleet_is_publisher(const struct fleet *fleet, uint32_t number, uint32_t *group,
                                      uint32_t *index) {
    *group = number / fleet->per_group;
    *index = number % fleet->per_group;
    return *index < fleet->publishers;
}

/* What a device publishes, reports or commands, and which of the stream's publishers it is; NULL:
 * nothing. */
static inline struct stream *fleet_stream(struct fleet *fleet, uint32_t number, uint32_t *index) {
    uint32_t group;
    if (fleet_is_publisher(fleet, number, &group, index)) {
        *index += group * fleet->publishers;
        return &fleet->reports;
    }
    if (*index != fleet->publishers || fleet->commands.publishers_count == 0)
        return NULL;
    *index = group;
    return &fleet->commands;
}

#endif
