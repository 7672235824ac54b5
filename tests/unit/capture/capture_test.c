/* SPDX-License-Identifier: Apache-2.0 */
/* Which frames a capture point takes, how much of them, and what it says of the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/base/bytes.h"
#include "dataplane/capture/capture.h"
#include "dataplane/capture/headers.h"

static struct counters counters;
static struct capture capture;
static struct capture_point *point;

static uint64_t clock_of_test(const void *argument) {
    return 1700000000000042;
}

static struct capture_point *point_new(void) {
    size_t size = capture_point_size(CAPTURE_RING_MIN);
    struct capture_point *made = aligned_alloc(64, (size + 63) & ~(size_t)63);
    memset(made, 0, size);
    capture_point_init(made, CAPTURE_RING_MIN);
    made->snap = 2048;
    return made;
}

static int set_up(void **state) {
    memset(&counters, 0, sizeof counters);
    capture = (struct capture){.counters = &counters, .wall_clock = clock_of_test};
    point = point_new();
    assert_true(capture_begin(&capture, point));
    return 0;
}

static int tear_down(void **state) {
    free(point);
    return 0;
}

/* --- frames ---------------------------------------------------------------------------------- */

struct made {
    uint8_t bytes[256];
    uint32_t len, headers;
};

/* TCP over IPv4, from 10.1.2.3:source to 10.88.0.2:destination, with 12 bytes of options. */
static struct made tcp4(uint16_t source, uint16_t destination, const char *payload) {
    struct made frame = {.headers = 14 + 20 + 32};
    uint8_t *ip = frame.bytes + 14, *tcp = ip + 20;
    store_be16(frame.bytes + 12, 0x0800);
    ip[0] = 0x45;
    ip[9] = 6;
    memcpy(ip + 12, "\x0a\x01\x02\x03\x0a\x58\x00\x02", 8);
    store_be16(tcp, source);
    store_be16(tcp + 2, destination);
    tcp[12] = 8 << 4;
    memcpy(tcp + 32, payload, strlen(payload));
    frame.len = frame.headers + (uint32_t)strlen(payload);
    return frame;
}

static struct made tcp6(uint16_t source, uint16_t destination, bool hop_by_hop) {
    struct made frame = {0};
    uint8_t *ip = frame.bytes + 14, *tcp = ip + 40 + (hop_by_hop ? 8 : 0);
    store_be16(frame.bytes + 12, 0x86dd);
    ip[6] = hop_by_hop ? 0 : 6;
    ip[40] = 6;
    memcpy(ip + 8, "\xfd\x88\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
    memcpy(ip + 24, "\xfd\x88\0\0\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
    if (!hop_by_hop)
        memset(tcp, 0, 20);
    store_be16(tcp, source);
    store_be16(tcp + 2, destination);
    tcp[12] = 5 << 4;
    frame.headers = frame.len = (uint32_t)(tcp + 20 - frame.bytes);
    return frame;
}

static void receive(const struct made *made, bool handed_over) {
    struct capture_frame frame = {
        .bytes = made->bytes, .len = made->len, .wire_len = made->len, .time = 7, .port = 3};
    capture_received(&capture, &frame, handed_over);
}

static void send(const struct made *made) {
    struct capture_frame frame = {.bytes = made->bytes, .len = made->len, .wire_len = made->len};
    capture_sent(&capture, &frame);
}

/* Takes a record out; the bytes it kept, -1: there was none. */
static int taken(void) {
    const struct capture_record *record = capture_ring_peek(&point->ring);
    int len = record != NULL ? (int)record->len : -1;
    if (record != NULL)
        capture_ring_drop(&point->ring, record);
    return len;
}

/* Received and sent, does the filter take it? */
static bool takes(struct made made) {
    receive(&made, false);
    bool received = taken() >= 0;
    send(&made);
    assert_int_equal(taken() >= 0, received);
    return received;
}

/* --- what is taken --------------------------------------------------------------------------- */

static void a_frame_is_kept_with_its_time_port_and_direction(void **state) {
    struct made frame = tcp4(40000, 1883, "hello");
    point->payload = true;
    receive(&frame, false);
    const struct capture_record *record = capture_ring_peek(&point->ring);
    assert_int_equal(record->time, 7);
    assert_int_equal(record->port, 3);
    assert_int_equal(record->flags, 0);
    assert_int_equal(record->wire_len, frame.len);
    assert_int_equal(record->len, frame.len);
    assert_memory_equal(record->bytes, frame.bytes, frame.len);
    capture_ring_drop(&point->ring, record);
    send(&frame);
    record = capture_ring_peek(&point->ring);
    assert_int_equal(record->time, clock_of_test(NULL));
    assert_int_equal(record->flags, CAPTURE_SENT);
    assert_int_equal(counter_read(&counters, COUNTER_WORKER_CAPTURED), 2);
}

static void without_payload_a_frame_ends_with_its_headers(void **state) {
    struct made frame = tcp4(40000, 1883, "password");
    receive(&frame, false);
    assert_int_equal(taken(), frame.headers);
    /* A protocol that is neither TCP nor ICMP, and a later fragment, end with IP. */
    frame.bytes[14 + 9] = 17;
    receive(&frame, false);
    assert_int_equal(taken(), 34);
    frame.bytes[14 + 9] = 6;
    store_be16(frame.bytes + 14 + 6, 185);
    receive(&frame, false);
    assert_int_equal(taken(), 34);
    /* An ICMP message keeps 64 bytes. */
    store_be16(frame.bytes + 14 + 6, 0);
    frame.bytes[14 + 9] = 1;
    frame.len = 250;
    receive(&frame, false);
    assert_int_equal(taken(), 34 + 64);
}

static void the_snap_length_bounds_the_copy(void **state) {
    struct made frame = tcp4(40000, 1883, "hello");
    point->payload = true;
    point->snap = 64;
    receive(&frame, false);
    const struct capture_record *record = capture_ring_peek(&point->ring);
    assert_int_equal(record->len, 64);
    assert_int_equal(record->wire_len, frame.len);
}

static void a_vlan_tag_that_the_device_took_off_is_put_back(void **state) {
    struct made made = tcp4(40000, 1883, "x");
    struct capture_frame frame = {
        .bytes = made.bytes, .len = made.len, .wire_len = made.len, .tagged = true, .tag = 0x2007};
    memset(made.bytes, 0x11, 12);
    point->payload = true;
    capture_received(&capture, &frame, false);
    const struct capture_record *record = capture_ring_peek(&point->ring);
    assert_int_equal(record->len, made.len + 4);
    assert_int_equal(record->wire_len, made.len + 4);
    assert_memory_equal(record->bytes, made.bytes, 12);
    assert_memory_equal(record->bytes + 12, "\x81\x00\x20\x07\x08\x00", 6);
    assert_memory_equal(record->bytes + 18, made.bytes + 14, made.len - 14);
}

static void addresses_match_by_prefix_on_either_side(void **state) {
    static const struct {
        uint8_t family, prefix, address[16];
        bool four, six;
    } cases[] = {
        {4, 32, {10, 1, 2, 3}, true, false},
        {4, 32, {10, 88, 0, 2}, true, false},
        {4, 32, {10, 1, 2, 4}, false, false},
        {4, 31, {10, 1, 2, 2}, true, false},
        {4, 9, {10, 0, 0, 0}, true, false},
        {4, 9, {10, 128, 0, 0}, false, false},
        {4, 0, {0}, true, false},
        {6, 16, {0xfd, 0x88}, false, true},
        {6, 128, {0xfd, 0x88}, false, false},
        {6, 0, {0}, false, true},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        point->filter.family = cases[i].family;
        point->filter.prefix = cases[i].prefix;
        memcpy(point->filter.address, cases[i].address, 16);
        assert_int_equal(takes(tcp4(40000, 1883, "x")), cases[i].four);
        assert_int_equal(takes(tcp6(40000, 1883, false)), cases[i].six);
    }
}

static void arp_matches_by_the_addresses_in_it(void **state) {
    struct made frame = {.len = 60};
    store_be16(frame.bytes + 12, 0x0806);
    store_be16(frame.bytes + 16, 0x0800);
    memcpy(frame.bytes + 28, "\x0a\x01\x02\x03", 4);
    point->filter.family = 4;
    point->filter.prefix = 32;
    memcpy(point->filter.address, "\x0a\x01\x02\x03", 4);
    assert_true(takes(frame));
    frame.bytes[31] = 9;
    assert_false(takes(frame));
}

static void ports_match_on_either_side_and_behind_extension_headers(void **state) {
    point->filter.port = 1883;
    assert_true(takes(tcp4(40000, 1883, "x")));
    assert_true(takes(tcp4(1883, 40000, "x")));
    assert_false(takes(tcp4(40000, 8883, "x")));
    assert_true(takes(tcp6(40000, 1883, false)));
    assert_true(takes(tcp6(40000, 1883, true)));
    assert_false(takes(tcp6(40000, 1884, true)));
}

static void all_parts_of_a_filter_must_be_true(void **state) {
    point->filter.port = 1883;
    point->filter.family = 4;
    point->filter.prefix = 32;
    memcpy(point->filter.address, "\x0a\x01\x02\x04", 4);
    assert_false(takes(tcp4(40000, 1883, "x")));
    point->filter.address[3] = 3;
    assert_true(takes(tcp4(40000, 1883, "x")));
    assert_false(takes(tcp4(40000, 1884, "x")));
}

static void frames_from_other_workers_are_for_captures_of_one_worker(void **state) {
    struct made frame = tcp4(40000, 1883, "x");
    receive(&frame, true);
    assert_int_equal(taken(), -1);
    point->handed_over = true;
    receive(&frame, true);
    assert_true(taken() > 0);
}

/* --- clients --------------------------------------------------------------------------------- */

static void segment(const struct made *made, unsigned i) {
    struct capture_frame frame = {.bytes = made->bytes, .len = made->len, .wire_len = made->len};
    capture_segment(&capture, &frame, i);
}

static struct capture_endpoint endpoint_of(uint16_t port) {
    return (struct capture_endpoint){
        .remote = {[10] = 0xff, [11] = 0xff, 10, 1, 2, 3}, .remote_port = port, .local_port = 1883};
}

static void a_client_is_known_from_its_connect_on(void **state) {
    struct made first = tcp4(40000, 1883, "connect"), other = tcp4(40001, 1883, "x"),
                answer = tcp4(1883, 40000, "connack");
    memcpy(answer.bytes + 26, "\x0a\x58\x00\x02\x0a\x01\x02\x03", 8);
    struct capture_endpoint endpoint = endpoint_of(40000), stranger = endpoint_of(40001);
    memcpy(point->filter.client_id, "car", 3);
    point->filter.client_id_len = 3;
    receive(&first, false);
    capture_burst(&capture);
    segment(&first, 0);
    segment(&other, 1);
    send(&answer);
    assert_int_equal(taken(), -1);
    /* TCP handles the burst, and somebody else connects, too. */
    capture_connect(&capture, (const uint8_t *)"car2", 4, &stranger);
    capture_connect(&capture, (const uint8_t *)"cat", 3, &stranger);
    capture_connect(&capture, (const uint8_t *)"car", 3, &endpoint);
    segment(&first, 0);
    segment(&other, 1);
    assert_int_equal(taken(), first.headers);
    assert_int_equal(taken(), -1);
    send(&answer);
    assert_true(taken() > 0);
    send(&other);
    assert_int_equal(taken(), -1);
}

static void a_segment_is_taken_once_though_it_is_shown_twice(void **state) {
    struct made frame = tcp4(40000, 1883, "x");
    point->filter.client_id_len = 3;
    point->endpoints[0] = endpoint_of(40000);
    for (unsigned burst = 0; burst < 2; burst++) {
        capture_burst(&capture);
        segment(&frame, 31);
        segment(&frame, 31);
        assert_true(taken() > 0);
        assert_int_equal(taken(), -1);
    }
}

static void the_last_connections_of_a_client_are_remembered(void **state) {
    memcpy(point->filter.client_id, "car", 3);
    point->filter.client_id_len = 3;
    for (unsigned i = 0; i < CAPTURE_ENDPOINTS + 1; i++) {
        struct capture_endpoint endpoint = endpoint_of((uint16_t)(40000 + i));
        /* A CONNECT that waits for memory is looked at again. */
        for (unsigned again = 0; again < 3; again++)
            capture_connect(&capture, (const uint8_t *)"car", 3, &endpoint);
    }
    capture_burst(&capture);
    for (unsigned i = 0; i < CAPTURE_ENDPOINTS + 1; i++) {
        struct made frame = tcp4((uint16_t)(40000 + i), 1883, "x");
        segment(&frame, i);
        assert_int_equal(taken() >= 0, i > 0);
    }
}

/* --- bounds ---------------------------------------------------------------------------------- */

static void what_does_not_fit_is_counted_as_missed(void **state) {
    struct made frame = tcp4(40000, 1883, "x");
    unsigned sent = 0;
    while (counter_read(&counters, COUNTER_WORKER_CAPTURE_MISSED) < 3) {
        receive(&frame, false);
        sent++;
    }
    assert_int_equal(point->missed, 3);
    assert_int_equal(counter_read(&counters, COUNTER_WORKER_CAPTURED), sent - 3);
    assert_true(taken() > 0);
    receive(&frame, false);
    assert_int_equal(point->missed, 3);
}

static void four_points_and_no_more(void **state) {
    struct capture_point *more[CAPTURE_POINTS];
    for (unsigned i = 1; i < CAPTURE_POINTS; i++)
        assert_true(capture_begin(&capture, more[i] = point_new()));
    more[0] = point_new();
    assert_false(capture_begin(&capture, more[0]));
    assert_false(capture_end(&capture, more[0]));
    struct made frame = tcp4(40000, 1883, "x");
    receive(&frame, false);
    for (unsigned i = 1; i < CAPTURE_POINTS; i++)
        assert_non_null(capture_ring_peek(&more[i]->ring));
    assert_true(capture_end(&capture, point));
    assert_true(capture_begin(&capture, more[0]));
    for (unsigned i = 0; i < CAPTURE_POINTS; i++) {
        assert_true(capture_end(&capture, more[i]));
        free(more[i]);
    }
    assert_int_equal(capture.count, 0);
}

/* Every beginning of every frame, in memory of exactly that size, so that a sanitiser sees a byte
 * read too many. */
static void truncated_and_damaged_frames_are_taken_as_far_as_they_go(void **state) {
    struct made frames[] = {tcp4(40000, 1883, "payload"), tcp6(40000, 1883, true),
                            tcp6(40000, 1883, false)};
    uint32_t seed = 1;
    for (unsigned i = 0; i < sizeof frames / sizeof *frames; i++)
        for (unsigned round = 0; round < 200; round++)
            for (uint32_t len = 0; len <= frames[i].len; len++) {
                uint8_t *exact = malloc(len > 0 ? len : 1);
                memcpy(exact, frames[i].bytes, len);
                seed = seed * 1664525 + 1013904223;
                if (round > 0 && len > 12)
                    exact[12 + (seed >> 8) % (len - 12)] = (uint8_t)seed;
                struct frame_headers headers;
                frame_headers(exact, len, &headers);
                assert_true(headers.headers_len <= len);
                struct capture_frame frame = {
                    .bytes = exact, .len = len, .wire_len = len, .tagged = round & 1};
                point->payload = round & 2;
                capture_received(&capture, &frame, false);
                assert_true(taken() <= (int)len + 4);
                free(exact);
            }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_frame_is_kept_with_its_time_port_and_direction),
        TEST(without_payload_a_frame_ends_with_its_headers),
        TEST(the_snap_length_bounds_the_copy),
        TEST(a_vlan_tag_that_the_device_took_off_is_put_back),
        TEST(addresses_match_by_prefix_on_either_side),
        TEST(arp_matches_by_the_addresses_in_it),
        TEST(ports_match_on_either_side_and_behind_extension_headers),
        TEST(all_parts_of_a_filter_must_be_true),
        TEST(frames_from_other_workers_are_for_captures_of_one_worker),
        TEST(a_client_is_known_from_its_connect_on),
        TEST(a_segment_is_taken_once_though_it_is_shown_twice),
        TEST(the_last_connections_of_a_client_are_remembered),
        TEST(what_does_not_fit_is_counted_as_missed),
        TEST(four_points_and_no_more),
        TEST(truncated_and_damaged_frames_are_taken_as_far_as_they_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
