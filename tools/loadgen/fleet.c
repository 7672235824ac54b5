/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/loadgen/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    TIMERS_PER_TURN = 256,
    OUTPUTS_PER_TURN = 256,
    OPENS_PER_TURN = 32,
    CLOSES_PER_TURN = 64,
    CHUNKS_SMALL = 4 << 20, /* address space: touched as far as they are used */
    CHUNKS_LARGE = 1 << 19,
};

static const uint64_t second = 1000000000;

/* --- what TCP tells -------------------------------------------------------------------------- */

void fleet_write(struct fleet *fleet, uint32_t number, const uint8_t *data, uint32_t len) {
    if (!devtcp_write(&fleet->tcp, number, data, len))
        fleet->counts.no_buffer++;
}

void fleet_leave(struct fleet *fleet, uint32_t number) {
    fleet->tcp.devices[number].mqtt = MQTT_CLOSING;
    devtcp_close(&fleet->tcp, number);
}

void fleet_malformed(struct fleet *fleet, uint32_t number) {
    fleet->counts.malformed++;
    fleet_leave(fleet, number);
}

static void opened(void *app, uint32_t number) {
    struct fleet *fleet = app;
    uint8_t id[FORM_MAX], packet[PACKET_CONNECT_MAX];
    uint32_t values[FIELDS] = {0};
    fleet_is_publisher(fleet, number, &values[FIELD_GROUP], &values[FIELD_PUBLISHER]);
    values[FIELD_SUBSCRIBER] = values[FIELD_PUBLISHER];
    values[FIELD_DEVICE] = number;
    form_make(&fleet->client_id, id, values);
    struct connect_fields fields = {
        .client_id = id,
        .client_id_len = fleet->client_id.len,
        .keep_alive = (uint16_t)fleet->scenario->fleet.keep_alive,
        .username = fleet->scenario->fleet.username,
        .password = fleet->scenario->fleet.password,
    };
    fleet->tcp.devices[number].mqtt = MQTT_CONNECTING;
    fleet_write(fleet, number, packet, connect_put(packet, &fields));
}

static void finished(void *app, uint32_t number) {
}

static void ended(void *app, uint32_t number, enum devtcp_end why) {
    struct fleet *fleet = app;
    struct device *device = &fleet->tcp.devices[number];
    switch ((enum mqtt_state)(device->mqtt & MQTT_STATE)) {
    case MQTT_READY:
        fleet->counts.ready--;
        fleet->counts.disconnected++;
        break;
    case MQTT_CLOSING:
        break;
    default:
        fleet->counts.connecting--;
        if (why == DEVTCP_REFUSED)
            fleet->counts.refused++;
        else
            fleet->counts.failed++;
    }
    device->mqtt = MQTT_NONE;
}

static void timer(void *app, uint32_t number) {
    struct fleet *fleet = app;
    struct device *device = &fleet->tcp.devices[number];
    const uint8_t ping[2] = {KIND_PINGREQ << 4, 0};
    if ((device->mqtt & MQTT_STATE) != MQTT_READY)
        return;
    if (device->mqtt & MQTT_PINGING)
        fleet->counts.unanswered_pings++;
    device->mqtt |= MQTT_PINGING;
    fleet->counts.pings++;
    fleet_write(fleet, number, ping, sizeof ping);
    devtcp_timer_set(&fleet->tcp, number, fleet->scenario->fleet.keep_alive * 1000000);
}

/* --- set-up ---------------------------------------------------------------------------------- */

static void *reserve(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void release(void *memory, size_t size) {
    if (memory != NULL)
        munmap(memory, size);
}

static bool stream_init(struct stream *stream, const struct form *topic, uint64_t qos,
                        const struct scenario *scenario) {
    if (!publish_form_init(&stream->form, topic, (uint8_t)qos, (uint32_t)scenario->publish.payload))
        return false;
    stream->publishers = calloc(stream->publishers_count, sizeof *stream->publishers);
    stream->slots = reserve(stream->slots_count * sizeof *stream->slots);
    stream->window = (uint32_t)scenario->publish.window;
    stream->per_segment = (uint32_t)scenario->publish.per_segment;
    stream->at_once = scenario->publish.rate > 0 ? 0 : scenario->publish.at_once;
    for (uint32_t i = 0; stream->publishers != NULL && i < stream->publishers_count; i++)
        stream->publishers[i] = (struct publisher){.next_id = 1, .next_ack = 1, .next_rec = 1};
    return stream->publishers != NULL && stream->slots != NULL;
}

static bool reports_init(struct fleet *fleet, char *error, size_t size) {
    const struct scenario *scenario = fleet->scenario;
    struct stream *reports = &fleet->reports;
    struct form topic;
    uint64_t groups = scenario->fleet.groups;
    reports->topics = (uint32_t)scenario->fleet.topics;
    reports->copies = fleet->subscribers;
    reports->publishers_count = (uint32_t)(groups * fleet->publishers);
    reports->slots_count = groups * fleet->subscribers * fleet->publishers * scenario->fleet.topics;
    if (reports->publishers_count == 0)
        return true;
    if (!form_parse(&topic, scenario->publish.topic, error, size))
        return false;
    if (!stream_init(reports, &topic, scenario->publish.qos, scenario)) {
        snprintf(error, size, "no memory for %u publishers", reports->publishers_count);
        return false;
    }
    for (uint32_t i = 0; i < reports->publishers_count; i++)
        reports->publishers[i].device =
            i / fleet->publishers * fleet->per_group + i % fleet->publishers;
    double rate = scenario->publish.rate * (1 - scenario->publish.commands_percent / 100);
    if (rate > 0)
        reports->period_ns = (double)second * reports->per_segment / rate;
    return true;
}

static bool commands_init(struct fleet *fleet, char *error, size_t size) {
    const struct scenario *scenario = fleet->scenario;
    struct stream *commands = &fleet->commands;
    struct form topic;
    if (scenario->publish.commands_percent <= 0)
        return true;
    commands->topics = fleet->publishers;
    commands->copies = 1;
    commands->publishers_count = (uint32_t)scenario->fleet.groups;
    commands->slots_count = fleet->reports.publishers_count;
    if (!form_parse(&topic, scenario->publish.command_topic, error, size))
        return false;
    if (!stream_init(commands, &topic, scenario->publish.command_qos, scenario)) {
        snprintf(error, size, "no memory for %u publishers", commands->publishers_count);
        return false;
    }
    commands->per_segment = 1;
    for (uint32_t i = 0; i < commands->publishers_count; i++)
        commands->publishers[i].device = i * fleet->per_group + fleet->publishers;
    commands->period_ns =
        (double)second / (scenario->publish.rate * scenario->publish.commands_percent / 100);
    return true;
}

static bool tcp_init(struct fleet *fleet, const struct devtcp_link *link, uint64_t now_ns,
                     char *error, size_t size) {
    const struct scenario *scenario = fleet->scenario;
    struct devtcp_config config = {
        .devices = fleet->devices,
        .window = (uint32_t)scenario->tcp.window,
        .rto_us = (uint32_t)scenario->tcp.rto_ms * 1000,
        .rto_max_us = 16000000,
        .mss = (uint16_t)scenario->tcp.mss,
        .retries = (uint8_t)scenario->tcp.retries,
        .ack_segments = (uint8_t)scenario->tcp.ack_segments,
        .timestamps = scenario->tcp.timestamps,
    };
    if (!devtcp_init(&fleet->tcp, &config, CHUNKS_SMALL, CHUNKS_LARGE, now_ns / 1000)) {
        snprintf(error, size, "no memory for %u devices", fleet->devices);
        return false;
    }
    fleet->tcp.link = *link;
    fleet->tcp.app = (struct devtcp_app){.opened = opened,
                                         .received = fleet_received,
                                         .finished = finished,
                                         .ended = ended,
                                         .timer = timer,
                                         .sending = fleet_sending,
                                         .app = fleet};
    return true;
}

static bool filters_init(struct fleet *fleet, char *error, size_t size) {
    const struct scenario *scenario = fleet->scenario;
    fleet->has_filter = scenario->publish.filter != NULL;
    fleet->filters = 1;
    if (!form_parse(&fleet->client_id, scenario->fleet.client_id, error, size) ||
        (fleet->has_filter && !form_parse(&fleet->filter, scenario->publish.filter, error, size)))
        return false;
    if (fleet->has_filter && form_has(&fleet->filter, FIELD_TOPIC))
        fleet->filters = fleet->publishers * fleet->reports.topics;
    else if (fleet->has_filter && form_has(&fleet->filter, FIELD_PUBLISHER))
        fleet->filters = fleet->publishers;
    return true;
}

struct fleet *fleet_new(const struct scenario *scenario, const struct devtcp_link *link,
                        uint64_t now_ns, char *error, size_t size) {
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) {
        snprintf(error, size, "no memory");
        return NULL;
    }
    fleet->scenario = scenario;
    fleet->publishers = (uint32_t)scenario->fleet.publishers;
    fleet->subscribers = (uint32_t)scenario->fleet.subscribers;
    fleet->per_group = fleet->publishers + fleet->subscribers;
    fleet->devices = (uint32_t)(scenario->fleet.groups * fleet->per_group);
    fleet->random = scenario->network.seed;
    fleet->scratch = malloc(PAYLOAD_MAX + FORM_MAX + 16);
    fleet->opened_at = reserve((size_t)fleet->devices * sizeof *fleet->opened_at);
    if (fleet->scratch != NULL && fleet->opened_at != NULL &&
        tcp_init(fleet, link, now_ns, error, size) && reports_init(fleet, error, size) &&
        commands_init(fleet, error, size) && filters_init(fleet, error, size))
        return fleet;
    fleet_free(fleet);
    return NULL;
}

static void stream_free(struct stream *stream) {
    publish_form_free(&stream->form);
    free(stream->publishers);
    release(stream->slots, stream->slots_count * sizeof *stream->slots);
}

void fleet_free(struct fleet *fleet) {
    stream_free(&fleet->reports);
    stream_free(&fleet->commands);
    if (fleet->tcp.devices != NULL)
        devtcp_fini(&fleet->tcp);
    release(fleet->opened_at, (size_t)fleet->devices * sizeof *fleet->opened_at);
    free(fleet->scratch);
    free(fleet);
}

/* --- the run --------------------------------------------------------------------------------- */

const char *fleet_phase_name(enum fleet_phase phase) {
    static const char *const names[] = {"link",    "connect", "settle", "warm-up",
                                        "measure", "drain",   "close",  "done"};
    return names[phase];
}

static void streams_start(struct fleet *fleet) {
    fleet->reports.start_ns = fleet->commands.start_ns = fleet->now_ns;
    for (uint32_t i = 0; i < fleet->reports.publishers_count; i++)
        devtcp_touch(&fleet->tcp, fleet->reports.publishers[i].device);
}

void fleet_phase_set(struct fleet *fleet, enum fleet_phase phase) {
    fleet->phase_ns = fleet->now_ns;
    if (phase == FLEET_CONNECT)
        fleet->connect_ns = fleet->connected_ns = fleet->now_ns;
    if (phase == FLEET_WARMUP)
        streams_start(fleet);
    if (phase == FLEET_MEASURE) {
        fleet->measure_ns = fleet->now_ns;
        fleet->at_measure = fleet->counts;
    }
    if (phase == FLEET_DRAIN) {
        fleet->stop_ns = fleet->now_ns;
        fleet->at_stop = fleet->counts;
    }
    __atomic_store_n(&fleet->phase, phase, __ATOMIC_RELEASE);
}

uint64_t fleet_outstanding(const struct fleet *fleet) {
    const struct stream *streams[] = {&fleet->reports, &fleet->commands};
    uint64_t outstanding = 0;
    for (unsigned s = 0; s < 2; s++)
        for (uint32_t i = 0; i < streams[s]->publishers_count; i++)
            outstanding += streams[s]->publishers[i].outstanding;
    return outstanding;
}

uint64_t fleet_lost(const struct fleet *fleet) {
    return fleet->verdicts.gaps + fleet_outstanding(fleet);
}

/* Opens connections as their time comes, or as others are done. */
static void connect_pace(struct fleet *fleet) {
    const struct scenario *scenario = fleet->scenario;
    double rate = scenario->connect.rate, elapsed = (double)(fleet->now_ns - fleet->connect_ns);
    for (unsigned i = 0; i < OPENS_PER_TURN && fleet->next_open < fleet->devices; i++) {
        uint64_t when = rate > 0 ? (uint64_t)((double)fleet->next_open * 1e9 / rate) : 0;
        if (fleet->counts.connecting >= scenario->connect.at_once || (double)when > elapsed)
            return;
        fleet->opened_at[fleet->next_open] =
            (uint32_t)((rate > 0 ? when : (uint64_t)elapsed) / 1000);
        fleet->counts.connecting++;
        fleet->activity = true;
        devtcp_open(&fleet->tcp, fleet->next_open++);
    }
}

static void close_pace(struct fleet *fleet) {
    const uint8_t disconnect[2] = {KIND_DISCONNECT << 4, 0};
    for (unsigned i = 0; i < CLOSES_PER_TURN && fleet->next_close < fleet->next_open; i++) {
        uint32_t number = fleet->next_close++;
        struct device *device = &fleet->tcp.devices[number];
        if (device->state == DEVICE_SYN_SENT)
            devtcp_abort(&fleet->tcp, number);
        if (device->state != DEVICE_OPEN)
            continue;
        fleet->counts.ready -= (device->mqtt & MQTT_STATE) == MQTT_READY;
        device->mqtt = MQTT_CLOSING;
        devtcp_timer_set(&fleet->tcp, number, 0);
        if (devtcp_write(&fleet->tcp, number, disconnect, sizeof disconnect))
            devtcp_close(&fleet->tcp, number);
        else
            devtcp_abort(&fleet->tcp, number);
    }
    fleet->activity |= fleet->next_close < fleet->next_open;
}

static bool past(const struct fleet *fleet, double seconds) {
    return fleet->now_ns - fleet->phase_ns >= (uint64_t)(seconds * 1e9);
}

/* All messages of a bounded run are out and back. */
static bool all_published(const struct fleet *fleet) {
    uint64_t messages = fleet->scenario->publish.messages;
    return messages > 0 && fleet->counts.published >= messages * fleet->reports.publishers_count;
}

static bool drained(const struct fleet *fleet) {
    return fleet->counts.published == 0 ||
           (past(fleet, 0.01) && fleet_outstanding(fleet) == 0 &&
            (fleet->reports.form.qos == 0 ||
             fleet->counts.acknowledged >= fleet->counts.published));
}

static void phase_advance(struct fleet *fleet) {
    const struct scenario *scenario = fleet->scenario;
    switch (fleet->phase) {
    case FLEET_CONNECT:
        connect_pace(fleet);
        if ((fleet->next_open == fleet->devices && fleet->counts.connecting == 0) ||
            past(fleet, (double)scenario->connect.timeout))
            fleet_phase_set(fleet, FLEET_SETTLE);
        break;
    case FLEET_SETTLE:
        if (past(fleet, scenario->run.settle))
            fleet_phase_set(fleet, FLEET_WARMUP);
        break;
    case FLEET_WARMUP:
    case FLEET_MEASURE:
        if (fleet->reports.period_ns > 0 || fleet->reports.at_once > 0)
            fleet_schedule(fleet, &fleet->reports);
        if (fleet->commands.period_ns > 0)
            fleet_schedule(fleet, &fleet->commands);
        if (fleet->phase == FLEET_WARMUP && past(fleet, scenario->run.warmup))
            fleet_phase_set(fleet, FLEET_MEASURE);
        else if (fleet->phase == FLEET_MEASURE &&
                 (past(fleet, scenario->run.duration) || all_published(fleet)))
            fleet_phase_set(fleet, FLEET_DRAIN);
        break;
    case FLEET_DRAIN:
        if (past(fleet, scenario->run.drain) || drained(fleet))
            fleet_phase_set(fleet, FLEET_CLOSE);
        break;
    case FLEET_CLOSE:
        if (scenario->run.disconnect)
            close_pace(fleet);
        if (!scenario->run.disconnect ||
            (fleet->next_close >= fleet->next_open && fleet->tcp.touched_count == 0 &&
             (fleet->tcp.wheel.linked == 0 || past(fleet, 2))))
            fleet_phase_set(fleet, FLEET_DONE);
        break;
    case FLEET_LINK:
    case FLEET_DONE:
        break;
    }
}

bool fleet_turn(struct fleet *fleet, uint64_t now_ns) {
    fleet->now_ns = now_ns;
    devtcp_time(&fleet->tcp, now_ns / 1000);
    uint64_t before = fleet->tcp.stats.segments_out;
    phase_advance(fleet);
    devtcp_timers(&fleet->tcp, TIMERS_PER_TURN);
    devtcp_output(&fleet->tcp, OUTPUTS_PER_TURN);
    bool activity = fleet->activity || fleet->tcp.stats.segments_out != before;
    fleet->activity = false;
    return activity;
}
