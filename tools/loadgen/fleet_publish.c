/* SPDX-License-Identifier: Apache-2.0 */
/* Who publishes when. */
#include "tools/loadgen/fleet.h"

enum {
    UNSENT_SEGMENTS = 2,    /* that may wait for TCP's window, of one device */
    BATCHES_PER_TURN = 512, /* begun by the schedule in one turn */
};

static uint64_t batch_time(const struct stream *stream, uint32_t index, uint32_t message) {
    uint64_t batch = (uint64_t)(message / stream->per_segment) * stream->publishers_count + index;
    return stream->start_ns + (uint64_t)((double)batch * stream->period_ns);
}

/* How many messages the publisher may send now. */
static uint32_t allowance(const struct fleet *fleet, const struct stream *stream,
                          const struct publisher *publisher) {
    uint32_t most = UINT32_MAX;
    uint64_t messages = fleet->scenario->publish.messages;
    if (stream->form.qos > 0)
        most = stream->window > publisher->unacked ? stream->window - publisher->unacked : 0;
    if (stream->period_ns > 0 || stream->at_once > 0) {
        uint32_t due = publisher->due - publisher->published;
        return due < most ? due : most;
    }
    uint32_t full = stream->window * stream->copies;
    uint32_t room = full > publisher->outstanding ? full - publisher->outstanding : 0;
    room /= stream->copies;
    most = room < most ? room : most;
    if (messages > 0 && messages - publisher->published < most)
        return (uint32_t)(messages - publisher->published);
    /* Segments are sent full, unless the window is smaller than one. */
    uint32_t batch = stream->per_segment < stream->window ? stream->per_segment : stream->window;
    return most < batch ? 0 : most;
}

static void publish_one(struct fleet *fleet, const struct stream *stream,
                        struct publisher *publisher, uint32_t index, uint8_t *to) {
    uint32_t nth = 0, seq = publisher->published, values[FIELDS];
    if (stream->topics > 1) {
        nth = publisher->published % stream->topics;
        seq = publisher->published / stream->topics;
    }
    struct stamp stamp = {.topic = index * stream->topics + nth,
                          .seq = seq,
                          .sent = stream->period_ns > 0
                                      ? batch_time(stream, index, publisher->published)
                                      : fleet->now_ns};
    if (stream == &fleet->commands) {
        stamp.topic |= COMMANDS;
        values[FIELD_GROUP] = index;
        values[FIELD_PUBLISHER] = nth;
        values[FIELD_DEVICE] = index * fleet->per_group + nth;
    } else {
        values[FIELD_DEVICE] = publisher->device;
        values[FIELD_GROUP] = fleet->publishers == 1 ? index : index / fleet->publishers;
        values[FIELD_PUBLISHER] = fleet->publishers == 1 ? 0 : index % fleet->publishers;
    }
    values[FIELD_TOPIC] = nth;
    values[FIELD_SUBSCRIBER] = 0;
    publish_put(&stream->form, to, publisher->next_id, &stamp, values);
    publisher->published++;
    publisher->outstanding += stream->copies;
    fleet->counts.published++;
    if (stream->form.qos > 0) {
        publisher->unacked++;
        publisher->next_id = packet_id_after(publisher->next_id);
    }
}

void fleet_publish(struct fleet *fleet, struct stream *stream, uint32_t index) {
    struct publisher *publisher = &stream->publishers[index];
    struct devtcp *tcp = &fleet->tcp;
    const struct device *device = &tcp->devices[publisher->device];
    uint32_t segment = devtcp_segment(tcp), len = stream->form.len;
    uint32_t most = allowance(fleet, stream, publisher);
    while (most > 0 && device_unsent(device) < UNSENT_SEGMENTS * segment) {
        uint32_t batch = stream->per_segment < most ? stream->per_segment : most;
        if (len > segment) {
            const struct publisher before = *publisher;
            publish_one(fleet, stream, publisher, index, fleet->scratch);
            if (!devtcp_write(tcp, publisher->device, fleet->scratch, len)) {
                *publisher = before;
                fleet->counts.published--;
                return;
            }
            most--;
            continue;
        }
        for (uint32_t i = 0; i < batch; i++) {
            uint8_t *to = devtcp_reserve(tcp, publisher->device, len, (batch - i) * len);
            if (to == NULL)
                return; /* sent when there are buffers: the device is touched by the next ACK */
            publish_one(fleet, stream, publisher, index, to);
            devtcp_commit(tcp, publisher->device, len, i + 1 == batch);
        }
        most -= batch;
    }
}

void fleet_sending(void *app, uint32_t number) {
    struct fleet *fleet = app;
    uint32_t index;
    if (fleet->phase != FLEET_WARMUP && fleet->phase != FLEET_MEASURE)
        return;
    if ((fleet->tcp.devices[number].mqtt & MQTT_STATE) != MQTT_READY)
        return;
    struct stream *stream = fleet_stream(fleet, number, &index);
    if (stream != NULL)
        fleet_publish(fleet, stream, index);
}

void fleet_settled(struct fleet *fleet, struct stream *stream, uint32_t index, uint32_t count) {
    struct publisher *publisher = &stream->publishers[index];
    publisher->outstanding -= count < publisher->outstanding ? count : publisher->outstanding;
    stream->settled += count;
    if (stream->period_ns == 0 && stream->at_once == 0)
        devtcp_touch(&fleet->tcp, publisher->device);
}

/* Whether the next batch's time has come, or its turn. */
static bool batch_due(const struct fleet *fleet, const struct stream *stream) {
    if (stream->at_once > 0)
        return (stream->batches + 1) * stream->per_segment * stream->copies <=
               stream->settled + stream->at_once * stream->copies;
    return stream->start_ns + (uint64_t)((double)stream->batches * stream->period_ns) <=
           fleet->now_ns;
}

void fleet_schedule(struct fleet *fleet, struct stream *stream) {
    uint64_t messages = fleet->scenario->publish.messages;
    for (unsigned i = 0; i < BATCHES_PER_TURN; i++) {
        struct publisher *publisher =
            &stream->publishers[stream->batches % stream->publishers_count];
        if (!batch_due(fleet, stream) || (messages > 0 && publisher->due >= messages))
            return;
        publisher->due += stream->per_segment;
        fleet->counts.offered += stream->per_segment;
        stream->batches++;
        fleet->activity = true;
        devtcp_touch(&fleet->tcp, publisher->device);
    }
}
