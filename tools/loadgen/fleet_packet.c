/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker's packets do to a device. */
#include "dataplane/base/bytes.h"
#include "tools/loadgen/fleet.h"

static void ready(struct fleet *fleet, uint32_t number) {
    struct device *device = &fleet->tcp.devices[number];
    uint32_t now = (uint32_t)((fleet->now_ns - fleet->connect_ns) / 1000);
    device->mqtt = MQTT_READY;
    fleet->counts.connecting--;
    fleet->counts.ready++;
    fleet->connected_ns = fleet->now_ns;
    histogram_add(&fleet->connect_latency, (uint64_t)(now - fleet->opened_at[number]) * 1000);
    if (fleet->scenario->fleet.keep_alive > 0) {
        /* The first ping comes after half an interval to a whole one, so that a fleet that
         * connected at once does not ping at once. */
        uint64_t interval = fleet->scenario->fleet.keep_alive * 1000000;
        fleet->random = fleet->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        devtcp_timer_set(&fleet->tcp, number,
                         interval / 2 + (fleet->random >> 33) % (interval / 2));
    }
}

/* The next SUBSCRIBE of a device, with filters from `first` on, as many as fit a segment; its
 * packet identifier is one more than the number of packets before. Each packet holds the same
 * number of filters, so that a SUBACK says how far the device is. */
static void subscribe(struct fleet *fleet, uint32_t number, uint32_t packet) {
    uint8_t bytes[CHUNK_ROOM_MAX];
    uint32_t group, index, values[FIELDS];
    bool publisher = fleet_is_publisher(fleet, number, &group, &index);
    const struct form *form = publisher ? &fleet->commands.form.topic : &fleet->filter;
    uint32_t filters = publisher ? 1 : fleet->filters;
    uint32_t each = (devtcp_segment(&fleet->tcp) - 16) / (form->len + 3u);
    uint32_t first = packet * each;
    if ((publisher && fleet->commands.publishers_count == 0) ||
        (!publisher && !fleet->has_filter) || first >= filters) {
        ready(fleet, number);
        return;
    }
    uint8_t *at = subscribe_begin(bytes, (uint16_t)(packet + 1));
    uint8_t qos = (uint8_t)(publisher ? fleet->scenario->publish.command_qos
                                      : fleet->scenario->publish.subscribe_qos);
    for (uint32_t i = first; i < filters && i < first + each; i++) {
        uint8_t name[FORM_MAX];
        values[FIELD_GROUP] = group;
        values[FIELD_PUBLISHER] = publisher ? index : i / fleet->reports.topics;
        values[FIELD_TOPIC] = i % fleet->reports.topics;
        values[FIELD_SUBSCRIBER] = index - (publisher ? 0 : fleet->publishers);
        values[FIELD_DEVICE] = number;
        form_make(form, name, values);
        at = subscribe_filter(at, name, form->len, qos);
    }
    fleet->tcp.devices[number].mqtt = MQTT_SUBSCRIBING;
    fleet_write(fleet, number, bytes, subscribe_end(bytes, at));
}

static void connack(struct fleet *fleet, uint32_t number, const uint8_t *body, uint32_t len) {
    struct device *device = &fleet->tcp.devices[number];
    if (len != 2 || (device->mqtt & MQTT_STATE) != MQTT_CONNECTING) {
        fleet_malformed(fleet, number);
        return;
    }
    if (body[1] != 0) {
        fleet->counts.rejected++;
        fleet->counts.connecting--;
        fleet_leave(fleet, number);
        return;
    }
    fleet->counts.connected++;
    subscribe(fleet, number, 0);
}

static void suback(struct fleet *fleet, uint32_t number, const uint8_t *body, uint32_t len) {
    const struct device *device = &fleet->tcp.devices[number];
    if (len < 3 || (device->mqtt & MQTT_STATE) != MQTT_SUBSCRIBING) {
        fleet_malformed(fleet, number);
        return;
    }
    for (uint32_t i = 2; i < len; i++) {
        if (body[i] > 2) {
            fleet_malformed(fleet, number);
            return;
        }
        fleet->counts.subscribed++;
    }
    subscribe(fleet, number, load_be16(body));
}

/* Where a topic number leads: whether this device hears the topic, and its slot. */
static struct slot *slot_find(struct fleet *fleet, uint32_t number, uint32_t topic,
                              struct stream **stream, uint32_t values[FIELDS],
                              uint32_t *publisher) {
    uint32_t group, index;
    if (fleet_is_publisher(fleet, number, &group, &index)) {
        uint32_t mine = group * fleet->publishers + index;
        if ((topic ^ COMMANDS) != mine || fleet->commands.publishers_count == 0)
            return NULL;
        *stream = &fleet->commands;
        *publisher = group;
        values[FIELD_GROUP] = group;
        values[FIELD_PUBLISHER] = index;
        values[FIELD_TOPIC] = index;
        return &fleet->commands.slots[mine];
    }
    struct stream *reports = &fleet->reports;
    uint32_t heard = fleet->publishers * reports->topics; /* by each subscriber */
    uint32_t nth = topic - group * heard;
    if (nth >= heard)
        return NULL;
    *stream = reports;
    *publisher = reports->topics == 1 ? topic : topic / reports->topics;
    values[FIELD_GROUP] = group;
    values[FIELD_PUBLISHER] = reports->topics == 1 ? nth : nth / reports->topics;
    values[FIELD_TOPIC] = reports->topics == 1 ? 0 : nth % reports->topics;
    uint64_t subscriber = (uint64_t)group * fleet->subscribers + (index - fleet->publishers);
    return &reports->slots[subscriber * heard + nth];
}

static void message(struct fleet *fleet, uint32_t number, const uint8_t *topic, uint32_t topic_len,
                    const uint8_t *payload, uint32_t have, uint32_t len) {
    struct stamp stamp;
    struct stream *stream;
    uint32_t values[FIELDS], publisher;
    if (have < PAYLOAD_MIN || len < PAYLOAD_MIN) {
        fleet->counts.foreign++;
        return;
    }
    memcpy(&stamp, payload, PAYLOAD_MIN);
    struct slot *slot = slot_find(fleet, number, stamp.topic, &stream, values, &publisher);
    if (slot == NULL) {
        fleet->counts.foreign++;
        return;
    }
    values[FIELD_DEVICE] =
        stream == &fleet->commands ? number : stream->publishers[publisher].device;
    values[FIELD_SUBSCRIBER] = 0;
    if (!form_is(&stream->form.topic, topic, topic_len, values) ||
        !payload_good(&stream->form, payload, have, len, &stamp)) {
        fleet->counts.foreign++;
        return;
    }
    uint64_t received = fleet->verdicts.received;
    uint32_t settled = slot_take(slot, stamp.seq, &fleet->verdicts);
    fleet->counts.delivered += fleet->verdicts.received - received;
    if (stamp.sent >= fleet->measure_ns && fleet->measure_ns != 0 &&
        (fleet->stop_ns == 0 || stamp.sent < fleet->stop_ns))
        histogram_add(&fleet->latency, fleet->now_ns > stamp.sent ? fleet->now_ns - stamp.sent : 0);
    if (settled > 0)
        fleet_settled(fleet, stream, publisher, settled);
}

static void publish(struct fleet *fleet, uint32_t number, uint8_t flags, const uint8_t *body,
                    uint32_t have, uint32_t len) {
    uint32_t qos = flags >> 1 & 3, topic = have < 2 ? 0 : load_be16(body);
    uint32_t at = 2 + topic + (qos > 0 ? 2 : 0);
    if (qos == 3 || at > have || topic == 0) {
        fleet_malformed(fleet, number);
        return;
    }
    fleet->counts.marked_dup += flags >> 3 & 1;
    if (qos > 0) {
        uint8_t ack[4];
        ack_put(ack, qos == 1 ? KIND_PUBACK : KIND_PUBREC, load_be16(body + 2 + topic));
        fleet_write(fleet, number, ack, sizeof ack);
    }
    message(fleet, number, body + 2, topic, body + at, have - at, len - at);
}

/* PUBACK, PUBREC and PUBCOMP come in the order of the messages (MQTT-4.6.0-2 to -4). */
static void acknowledgement(struct fleet *fleet, uint32_t number, enum packet_kind kind,
                            uint16_t id) {
    uint32_t index;
    const struct stream *stream = fleet_stream(fleet, number, &index);
    struct publisher *publisher = stream == NULL ? NULL : &stream->publishers[index];
    if (publisher == NULL || publisher->unacked == 0) {
        fleet_malformed(fleet, number);
        return;
    }
    uint16_t *next = kind == KIND_PUBREC ? &publisher->next_rec : &publisher->next_ack;
    fleet->counts.ack_misorder += *next != id;
    *next = packet_id_after(*next);
    if (kind == KIND_PUBREC) {
        uint8_t release[4];
        ack_put(release, KIND_PUBREL, id);
        fleet_write(fleet, number, release, sizeof release);
        return;
    }
    publisher->unacked--;
    fleet->counts.acknowledged++;
    devtcp_touch(&fleet->tcp, number);
}

void fleet_packet(struct fleet *fleet, uint32_t number, const uint8_t *packet, uint32_t header,
                  uint32_t have, uint32_t len) {
    const uint8_t *body = packet + header;
    struct device *device = &fleet->tcp.devices[number];
    uint32_t body_have = have - header, body_len = len - header;
    enum packet_kind kind = packet[0] >> 4;
    uint8_t complete[4];
    switch (kind) {
    case KIND_PUBLISH:
        publish(fleet, number, packet[0] & 15, body, body_have, body_len);
        return;
    case KIND_CONNACK:
        connack(fleet, number, body, body_len);
        return;
    case KIND_SUBACK:
        suback(fleet, number, body, body_have);
        return;
    case KIND_PUBACK:
    case KIND_PUBREC:
    case KIND_PUBCOMP:
        if (body_len == 2) {
            acknowledgement(fleet, number, kind, load_be16(body));
            return;
        }
        break;
    case KIND_PUBREL:
        if (body_len == 2) {
            ack_put(complete, KIND_PUBCOMP, load_be16(body));
            fleet_write(fleet, number, complete, sizeof complete);
            return;
        }
        break;
    case KIND_PINGRESP:
        if (body_len == 0 && device->mqtt & MQTT_PINGING) {
            device->mqtt &= (uint8_t)~MQTT_PINGING;
            fleet->counts.pongs++;
            return;
        }
        break;
    default:
        break;
    }
    fleet_malformed(fleet, number);
}
