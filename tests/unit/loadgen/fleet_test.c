/* SPDX-License-Identifier: Apache-2.0 */
/* The fleet without a network: packets are put into open connections, in all ways that segments can
 * cut them, and what the devices write is read from their segments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/base/bytes.h"
#include "tools/loadgen/fleet.h"

enum { SECOND = 1000000000, HEADER = 20, OUT_MAX = 1 << 20 };

static struct scenario *scenario;
static struct fleet *fleet;
static uint8_t frame_bytes[2048], out[OUT_MAX];
static uint32_t out_len;
static unsigned segments;
static bool no_frames;

static uint8_t *frame(void *link, size_t len, void **handle) {
    assert_true(len <= sizeof frame_bytes);
    *handle = frame_bytes;
    return no_frames ? NULL : frame_bytes;
}

static void transmit(void *link, void *handle, size_t len, uint32_t number) {
    const uint8_t *bytes = handle;
    uint32_t header = (bytes[12] >> 4) * 4u;
    segments += len > header;
    assert_true(out_len + len <= OUT_MAX);
    memcpy(out + out_len, bytes + header, len - header);
    out_len += (uint32_t)len - header;
}

static void open_devices(void) {
    for (uint32_t i = 0; i < fleet->devices; i++) {
        struct device *device = &fleet->tcp.devices[i];
        devtcp_open(&fleet->tcp, i);
        *device = (struct device){.node = device->node,
                                  .state = DEVICE_OPEN,
                                  .snd_una = 1000,
                                  .snd_nxt = 1000,
                                  .snd_end = 1000,
                                  .snd_wnd = 65535,
                                  .mqtt = MQTT_READY};
        device->node.user = 100;
    }
    fleet->next_open = fleet->devices;
}

static void begin(const char *const *overrides, unsigned count) {
    char error[256];
    struct devtcp_link link = {frame, transmit, NULL};
    scenario = scenario_load(NULL, overrides, count, stderr);
    assert_non_null(scenario);
    fleet = fleet_new(scenario, &link, SECOND, error, sizeof error);
    assert_non_null(fleet);
    fleet->now_ns = SECOND;
    no_frames = false;
    open_devices();
    out_len = 0;
    segments = 0;
}

static void end(void) {
    fleet_free(fleet);
    scenario_free(scenario);
}

/* A segment to a device, ACK of all it has sent. */
static void give(uint32_t number, const uint8_t *bytes, uint32_t len) {
    uint8_t segment[HEADER + 4096] = {0};
    struct device *device = &fleet->tcp.devices[number];
    store_be32(segment + 4, device->rcv_nxt);
    store_be32(segment + 8, device->snd_nxt);
    segment[12] = HEADER / 4 << 4;
    segment[13] = 16; /* ACK */
    store_be16(segment + 14, 65535);
    memcpy(segment + HEADER, bytes, len);
    devtcp_input(&fleet->tcp, number, segment, HEADER + len);
}

static uint32_t message(uint8_t *to, uint32_t topic, uint32_t seq, uint16_t id) {
    const struct stream *stream = topic & COMMANDS ? &fleet->commands : &fleet->reports;
    struct stamp stamp = {.topic = topic, .seq = seq, .sent = SECOND};
    uint32_t values[FIELDS] = {
        [FIELD_GROUP] = (topic & ~COMMANDS) / fleet->publishers,
        [FIELD_PUBLISHER] = (topic & ~COMMANDS) % fleet->publishers,
    };
    values[FIELD_DEVICE] = values[FIELD_GROUP] * fleet->per_group + values[FIELD_PUBLISHER];
    publish_put(&stream->form, to, id, &stamp, values);
    return stream->form.len;
}

static void cuts_the_stream_anywhere(void **state) {
    begin(NULL, 0);
    uint8_t bytes[1024];
    uint32_t seq = 0, len = fleet->reports.form.len * 3;
    for (uint32_t cut = 1; cut < len; cut++)
        for (uint32_t second = cut + 1; second < len; second += 17) {
            for (uint32_t at = 0; at < len; at += fleet->reports.form.len)
                message(bytes + at, 0, seq++, 0);
            give(1, bytes, cut);
            give(1, bytes + cut, second - cut);
            give(1, bytes + second, len - second);
            assert_int_equal(fleet->counts.delivered, seq);
        }
    assert_int_equal(fleet->counts.foreign + fleet->counts.malformed, 0);
    assert_int_equal(fleet->verdicts.gaps + fleet->verdicts.duplicates, 0);
    assert_int_equal(fleet->tcp.chunks.classes[0].used, 0);
    end();
}

static void follows_packets_longer_than_a_buffer(void **state) {
    const char *overrides[] = {"publish.payload=3000"};
    begin(overrides, 1);
    uint8_t bytes[8192];
    uint32_t seq = 0, len = fleet->reports.form.len;
    for (uint32_t cut = 1; cut < len; cut += 13) {
        message(bytes, 0, seq++, 0);
        message(bytes + len, 0, seq++, 0);
        give(1, bytes, cut);
        give(1, bytes + cut, len - cut + 5);
        give(1, bytes + len + 5, len - 5);
        assert_int_equal(fleet->counts.delivered, seq);
    }
    assert_int_equal(fleet->counts.foreign + fleet->counts.malformed, 0);
    end();
}

static void notices_any_damaged_byte(void **state) {
    begin(NULL, 0);
    uint8_t bytes[1024];
    uint32_t len = message(bytes, 0, 0, 0);
    for (uint32_t i = fleet->reports.form.topic_at; i < len; i++) {
        bytes[i] ^= 1;
        give(1, bytes, len);
        bytes[i] ^= 1;
        assert_int_equal(fleet->counts.delivered, 0);
        assert_int_equal(fleet->counts.foreign, i + 1 - fleet->reports.form.topic_at);
    }
    give(1, bytes, len);
    assert_int_equal(fleet->counts.delivered, 1);
    end();
}

static void notices_what_was_meant_for_others(void **state) {
    const char *overrides[] = {"fleet.groups=3", "fleet.publishers=2"};
    begin(overrides, 2);
    uint8_t bytes[1024];
    /* Devices 0 1 | 2, 3 4 | 5, 6 7 | 8: publishers and subscriber of each group. */
    give(5, bytes, message(bytes, 3, 0, 0));
    assert_int_equal(fleet->counts.delivered, 1);
    give(5, bytes, message(bytes, 1, 0, 0));
    give(5, bytes, message(bytes, 4, 0, 0));
    give(3, bytes, message(bytes, 2, 0, 0));
    assert_int_equal(fleet->counts.delivered, 1);
    assert_int_equal(fleet->counts.foreign, 3);
    end();
}

static void refuses_malformed_packets(void **state) {
    static const struct {
        uint8_t len, bytes[8];
    } cases[] = {
        {2, {0x00, 0x00}},                   /* no such type */
        {5, {0x30, 0xff, 0xff, 0xff, 0xff}}, /* length of five bytes */
        {4, {0x20, 2, 0, 0}},                /* CONNACK when connected */
        {3, {0x90, 1, 0}},                   /* SUBACK without a code */
        {4, {0x40, 2, 0, 1}},                /* PUBACK of nothing */
        {2, {0xd0, 0}},                      /* PINGRESP without a request */
        {4, {0x36, 2, 0, 1}},                /* QoS 3 */
        {4, {0x30, 2, 0, 9}},                /* a topic beyond the packet */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(NULL, 0);
        give(0, cases[i].bytes, cases[i].len);
        assert_int_equal(fleet->counts.malformed, 1);
        end();
    }
}

static void publishes_within_its_window(void **state) {
    const char *overrides[] = {"publish.window=10", "publish.per_segment=4"};
    begin(overrides, 2);
    fleet_phase_set(fleet, FLEET_WARMUP);
    fleet_turn(fleet, 2 * (uint64_t)SECOND);
    /* 4, 4, 2: the window's rest is sent too. */
    assert_int_equal(fleet->counts.published, 10);
    assert_int_equal(segments, 3);
    assert_int_equal(out_len, 10 * fleet->reports.form.len);
    uint8_t bytes[1024];
    for (uint32_t seq = 0; seq < 3; seq++)
        give(1, bytes, message(bytes, 0, seq, 0));
    fleet_turn(fleet, 2 * (uint64_t)SECOND);
    assert_int_equal(fleet->counts.published, 10); /* room for three only: it waits for four */
    give(1, bytes, message(bytes, 0, 3, 0));
    fleet_turn(fleet, 2 * (uint64_t)SECOND);
    assert_int_equal(fleet->counts.published, 14);
    end();
}

static void publishes_on_time_and_stamps_the_time_it_should_have(void **state) {
    const char *overrides[] = {"fleet.groups=2", "publish.rate=1000", "publish.per_segment=2",
                               "publish.payload=24"};
    begin(overrides, 4);
    fleet_phase_set(fleet, FLEET_WARMUP);
    uint64_t start = fleet->reports.start_ns;
    fleet_turn(fleet, start + 1999999);
    assert_int_equal(fleet->counts.published, 2);
    /* Five milliseconds late: all that was due follows, with the times it was due. */
    out_len = 0;
    fleet_turn(fleet, start + 9000000);
    assert_int_equal(fleet->counts.published, 10);
    uint64_t due[2][4] = {{4000000, 4000000, 8000000, 8000000},
                          {2000000, 2000000, 6000000, 6000000}};
    unsigned seen[2] = {0};
    for (uint32_t at = 0; at < out_len; at += fleet->reports.form.len) {
        struct stamp stamp;
        memcpy(&stamp, out + at + fleet->reports.form.payload_at, sizeof stamp);
        assert_int_equal(stamp.sent - start, due[stamp.topic][seen[stamp.topic]++]);
    }
    assert_int_equal(seen[0] + seen[1], 8);
    end();
}

static void lets_publishers_take_turns(void **state) {
    const char *overrides[] = {"fleet.groups=5", "publish.at_once=3"};
    begin(overrides, 2);
    fleet_phase_set(fleet, FLEET_WARMUP);
    fleet_turn(fleet, 2 * (uint64_t)SECOND);
    assert_int_equal(fleet->counts.published, 3);
    uint8_t bytes[1024];
    give(3, bytes, message(bytes, 1, 0, 0));
    give(1, bytes, message(bytes, 0, 0, 0));
    fleet_turn(fleet, 2 * (uint64_t)SECOND);
    assert_int_equal(fleet->counts.published, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(fleet->reports.publishers[i].published, 1);
    end();
}

static void acknowledges_and_checks_acknowledgements(void **state) {
    const char *overrides[] = {"publish.qos=2", "publish.window=3"};
    begin(overrides, 2);
    fleet_phase_set(fleet, FLEET_WARMUP);
    fleet_turn(fleet, 2 * (uint64_t)SECOND);
    assert_int_equal(fleet->counts.published, 3);
    uint8_t bytes[1024], expected[4];
    out_len = 0;
    give(1, bytes, message(bytes, 0, 0, 9));
    fleet_turn(fleet, 2 * (uint64_t)SECOND);
    ack_put(expected, KIND_PUBREC, 9);
    assert_int_equal(out_len, 4);
    assert_memory_equal(out, expected, 4);
    const struct {
        enum packet_kind kind, answer;
        uint16_t id;
    } steps[] = {{KIND_PUBREC, KIND_PUBREL, 1}, {KIND_PUBREC, KIND_PUBREL, 2}};
    for (unsigned i = 0; i < 2; i++) {
        out_len = 0;
        ack_put(bytes, steps[i].kind, steps[i].id);
        give(0, bytes, 4);
        fleet_turn(fleet, 2 * (uint64_t)SECOND);
        ack_put(expected, steps[i].answer, steps[i].id);
        assert_memory_equal(out, expected, 4);
    }
    assert_int_equal(fleet->counts.ack_misorder, 0);
    ack_put(bytes, KIND_PUBCOMP, 2); /* before that of 1 */
    give(0, bytes, 4);
    assert_int_equal(fleet->counts.ack_misorder, 1);
    assert_int_equal(fleet->counts.acknowledged, 1);
    end();
}

static void sends_commands_the_other_way(void **state) {
    const char *overrides[] = {"fleet.publishers=2", "publish.rate=1000",
                               "publish.commands_percent=50"};
    begin(overrides, 3);
    fleet_phase_set(fleet, FLEET_WARMUP);
    fleet_turn(fleet, fleet->reports.start_ns + 3999999);
    assert_int_equal(fleet->commands.publishers[0].published, 2);
    assert_int_equal(fleet->reports.publishers[0].published, 1);
    uint8_t bytes[1024];
    give(1, bytes, message(bytes, COMMANDS | 1, 0, 5));
    assert_int_equal(fleet->counts.delivered, 1);
    give(0, bytes, message(bytes, COMMANDS | 1, 1, 6));
    assert_int_equal(fleet->counts.foreign, 1);
    end();
}

static void knows_what_was_lost(void **state) {
    begin(NULL, 0);
    fleet_phase_set(fleet, FLEET_WARMUP);
    fleet_turn(fleet, 2 * (uint64_t)SECOND);
    assert_int_equal(fleet->counts.published, 32);
    uint8_t bytes[1024];
    give(1, bytes, message(bytes, 0, 0, 0));
    give(1, bytes, message(bytes, 0, 9, 0));
    fleet_phase_set(fleet, FLEET_DRAIN);
    assert_int_equal(fleet_outstanding(fleet), 22);
    assert_int_equal(fleet_lost(fleet), 30);
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_the_stream_anywhere),
        cmocka_unit_test(follows_packets_longer_than_a_buffer),
        cmocka_unit_test(notices_any_damaged_byte),
        cmocka_unit_test(notices_what_was_meant_for_others),
        cmocka_unit_test(refuses_malformed_packets),
        cmocka_unit_test(publishes_within_its_window),
        cmocka_unit_test(publishes_on_time_and_stamps_the_time_it_should_have),
        cmocka_unit_test(lets_publishers_take_turns),
        cmocka_unit_test(acknowledges_and_checks_acknowledgements),
        cmocka_unit_test(sends_commands_the_other_way),
        cmocka_unit_test(knows_what_was_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
