/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/mqtt/codec.h"

#include <string.h>

static struct fixed_header header;

static enum codec_result fixed(const uint8_t *bytes, size_t len) {
    return decode_fixed_header(bytes, len, LEVEL_MQTT_3_1_1, &header);
}

#define FIXED(...) fixed((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void a_remaining_length_has_one_to_four_bytes(void **state) {
    assert_int_equal(FIXED(0x30, 0), CODEC_OK);
    assert_int_equal(header.remaining, 0);
    assert_int_equal(header.len, 2);
    assert_int_equal(FIXED(0x30, 0x7f), CODEC_OK);
    assert_int_equal(header.remaining, 127);
    assert_int_equal(FIXED(0x30, 0x80, 0x01), CODEC_OK);
    assert_int_equal(header.remaining, 128);
    assert_int_equal(FIXED(0x30, 0xff, 0xff, 0x7f), CODEC_OK);
    assert_int_equal(header.remaining, 2097151);
    assert_int_equal(FIXED(0x30, 0xff, 0xff, 0xff, 0x7f), CODEC_OK);
    assert_int_equal(header.remaining, REMAINING_LENGTH_MAX);
    assert_int_equal(header.len, FIXED_HEADER_MAX);
}

static void a_remaining_length_of_five_bytes_is_malformed(void **state) {
    assert_int_equal(FIXED(0x30, 0x80, 0x80, 0x80, 0x80), CODEC_BAD_LENGTH);
    assert_int_equal(FIXED(0x30, 0xff, 0xff, 0xff, 0xff, 0x01), CODEC_BAD_LENGTH);
}

static void a_fixed_header_that_is_not_all_there_asks_for_more(void **state) {
    assert_int_equal(fixed(NULL, 0), CODEC_MORE);
    assert_int_equal(FIXED(0x30), CODEC_MORE);
    assert_int_equal(FIXED(0x30, 0x80), CODEC_MORE);
    assert_int_equal(FIXED(0x30, 0x80, 0x80, 0x80), CODEC_MORE);
}

static void reserved_types_and_those_of_servers_are_refused_with_the_first_byte(void **state) {
    static const uint8_t types[] = {
        0, PACKET_CONNACK, PACKET_SUBACK, PACKET_UNSUBACK, PACKET_PINGRESP, 15};

    for (size_t i = 0; i < sizeof types; i++)
        assert_int_equal(FIXED((uint8_t)(types[i] << 4)), CODEC_BAD_TYPE);
}

/* MQTT-2.2.2-2 */
static void reserved_flags_are_refused_with_the_first_byte(void **state) {
    static const struct {
        uint8_t type, flags;
    } packets[] = {{PACKET_CONNECT, 0},     {PACKET_PUBACK, 0},  {PACKET_PUBREC, 0},
                   {PACKET_PUBREL, 2},      {PACKET_PUBCOMP, 0}, {PACKET_SUBSCRIBE, 2},
                   {PACKET_UNSUBSCRIBE, 2}, {PACKET_PINGREQ, 0}, {PACKET_DISCONNECT, 0}};

    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++)
        for (uint8_t flags = 0; flags < 16; flags++)
            assert_int_equal(FIXED((uint8_t)(packets[i].type << 4 | flags)),
                             flags == packets[i].flags ? CODEC_MORE : CODEC_BAD_FLAGS);
}

static void mqtt_3_1_may_set_dup_in_pubrel_subscribe_and_unsubscribe(void **state) {
    static const uint8_t types[] = {PACKET_PUBREL, PACKET_SUBSCRIBE, PACKET_UNSUBSCRIBE};

    for (size_t i = 0; i < sizeof types; i++) {
        const uint8_t bytes[] = {(uint8_t)(types[i] << 4 | 0x0a), 2};
        assert_int_equal(decode_fixed_header(bytes, 2, LEVEL_MQTT_3_1, &header), CODEC_OK);
        assert_int_equal(decode_fixed_header(bytes, 2, LEVEL_MQTT_3_1_1, &header), CODEC_BAD_FLAGS);
    }
    const uint8_t puback[] = {PACKET_PUBACK << 4 | 8, 2};
    assert_int_equal(decode_fixed_header(puback, 2, LEVEL_MQTT_3_1, &header), CODEC_BAD_FLAGS);
}

static const uint8_t connect_full[] = {0, 4, 'M', 'Q', 'T', 'T', 4,   0xf6, 0,  60,
                                       0, 2, 'i', 'd', 0,   1,   'w', 0,    2,  1,
                                       2, 0, 1,   'u', 0,   3,   0,   0xff, 'p'};

/* decode_connect from memory that ends exactly with the packet, so that a sanitizer sees a read
 * past it. */
static enum codec_result connect_exact(const uint8_t *body, size_t len, struct connect_view *view) {
    uint8_t *copy = malloc(len ? len : 1);
    if (len > 0)
        memcpy(copy, body, len);
    enum codec_result result = decode_connect(copy, len, view);
    free(copy);
    return result;
}

static void all_fields_of_a_connect_are_read_in_order(void **state) {
    struct connect_view view;

    assert_int_equal(decode_connect(connect_full, sizeof connect_full, &view), CODEC_OK);
    assert_int_equal(view.level, LEVEL_MQTT_3_1_1);
    assert_int_equal(view.keep_alive, 60);
    assert_int_equal(view.client_id_len, 2);
    assert_memory_equal(view.client_id, "id", 2);
    assert_int_equal(view.will_topic_len, 1);
    assert_memory_equal(view.will_topic, "w", 1);
    assert_int_equal(view.will_payload_len, 2);
    assert_memory_equal(view.will_payload, "\x01\x02", 2);
    assert_int_equal(view.username_len, 1);
    assert_memory_equal(view.username, "u", 1);
    assert_int_equal(view.password_len, 3);
    assert_memory_equal(view.password, "\x00\xffp", 3);
    assert_int_equal(view.flags, 0xf6);
}

static void a_connect_cut_anywhere_is_truncated(void **state) {
    struct connect_view view;

    for (size_t len = 0; len < sizeof connect_full; len++)
        assert_int_equal(connect_exact(connect_full, len, &view), CODEC_TRUNCATED);
}

static void bytes_behind_a_connect_are_refused(void **state) {
    struct connect_view view;
    uint8_t bytes[sizeof connect_full + 1] = {0};

    memcpy(bytes, connect_full, sizeof connect_full);
    assert_int_equal(decode_connect(bytes, sizeof bytes, &view), CODEC_TRAILING);
}

static enum codec_result connect_with_flags(uint8_t level, const char *name, uint8_t flags) {
    struct connect_view view;
    uint8_t bytes[64];
    size_t len = 0, name_len = strlen(name);

    bytes[len++] = 0;
    bytes[len++] = (uint8_t)name_len;
    memcpy(bytes + len, name, name_len);
    len += name_len;
    bytes[len++] = level;
    bytes[len++] = flags;
    bytes[len++] = 0;
    bytes[len++] = 0;
    unsigned strings = 1;
    if (flags & CONNECT_WILL)
        strings += 2;
    if (flags & CONNECT_USERNAME)
        strings++;
    if (flags & CONNECT_PASSWORD)
        strings++;
    for (unsigned i = 0; i < strings; i++) {
        bytes[len++] = 0;
        bytes[len++] = 1;
        bytes[len++] = 'x';
    }
    return connect_exact(bytes, len, &view);
}

/* MQTT-3.1.2-3, -11, -13, -14, -15, -22 */
static void connect_flags_must_not_contradict_each_other(void **state) {
    for (unsigned flags = 0; flags < 256; flags++) {
        bool will = flags & CONNECT_WILL;
        unsigned qos = (flags >> 3) & 3;
        bool good = !(flags & 1) && (will || (qos == 0 && !(flags & CONNECT_WILL_RETAIN))) &&
                    qos < 3 && (!(flags & CONNECT_PASSWORD) || (flags & CONNECT_USERNAME));
        assert_int_equal(connect_with_flags(4, "MQTT", (uint8_t)flags),
                         good ? CODEC_OK : CODEC_BAD_CONNECT_FLAGS);
    }
}

static void mqtt_3_1_gives_unused_flags_no_meaning(void **state) {
    assert_int_equal(connect_with_flags(3, "MQIsdp", 0x01 | CONNECT_WILL_QOS), CODEC_OK);
    assert_int_equal(connect_with_flags(3, "MQIsdp", CONNECT_PASSWORD), CODEC_BAD_CONNECT_FLAGS);
}

/* MQTT-3.1.2-1, -2 */
static void protocol_name_and_level_belong_together(void **state) {
    assert_int_equal(connect_with_flags(4, "MQTT", 2), CODEC_OK);
    assert_int_equal(connect_with_flags(3, "MQIsdp", 2), CODEC_OK);
    assert_int_equal(connect_with_flags(3, "MQTT", 2), CODEC_BAD_PROTOCOL_LEVEL);
    assert_int_equal(connect_with_flags(5, "MQTT", 2), CODEC_BAD_PROTOCOL_LEVEL);
    assert_int_equal(connect_with_flags(4, "MQIsdp", 2), CODEC_BAD_PROTOCOL_LEVEL);
    assert_int_equal(connect_with_flags(4, "mqtt", 2), CODEC_BAD_PROTOCOL_NAME);
    assert_int_equal(connect_with_flags(4, "", 2), CODEC_BAD_PROTOCOL_NAME);
}

/* MQTT-1.5.3-1, -2, 3.1.3-4, 3.1.3-11 */
static void strings_of_a_connect_are_utf8(void **state) {
    struct connect_view view;
    static const size_t at[] = {12, 16, 23}; /* client id, will topic, user name */

    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        uint8_t bytes[sizeof connect_full];
        memcpy(bytes, connect_full, sizeof bytes);
        bytes[at[i]] = 0xff;
        assert_int_equal(decode_connect(bytes, sizeof bytes, &view), CODEC_BAD_UTF8);
        bytes[at[i]] = 0;
        assert_int_equal(decode_connect(bytes, sizeof bytes, &view), CODEC_BAD_UTF8);
    }
}

static enum codec_result publish(uint8_t flags, const uint8_t *body, size_t len,
                                 struct publish_view *view) {
    enum codec_result result = decode_publish_flags(flags, view);
    return result != CODEC_OK ? result : decode_publish(body, len, view);
}

static void a_publish_is_decoded_in_place(void **state) {
    static const uint8_t body[] = {0, 3, 'a', '/', 'b', 0x12, 0x34, 'x', 'y'};
    struct publish_view view;

    assert_int_equal(publish(0x0d, body, sizeof body, &view), CODEC_OK);
    assert_ptr_equal(view.topic, body + 2);
    assert_int_equal(view.topic_len, 3);
    assert_int_equal(view.packet_id, 0x1234);
    assert_ptr_equal(view.payload, body + 7);
    assert_int_equal(view.payload_len, 2);
    assert_int_equal(view.qos, 2);
    assert_true(view.dup);
    assert_true(view.retain);
    assert_int_equal(publish(0, body, sizeof body, &view), CODEC_OK);
    assert_int_equal(view.packet_id, 0);
    assert_int_equal(view.payload_len, 4);
}

/* MQTT-3.3.1-2, -4, 2.3.1-1 */
static void a_publish_with_wrong_flags_or_identifier_is_malformed(void **state) {
    static const uint8_t body[] = {0, 1, 'a', 0, 0};
    struct publish_view view;

    assert_int_equal(publish(0x06, body, sizeof body, &view), CODEC_BAD_QOS);
    assert_int_equal(publish(0x08, body, sizeof body, &view), CODEC_BAD_QOS);
    assert_int_equal(publish(0x02, body, sizeof body, &view), CODEC_BAD_PACKET_ID);
    assert_int_equal(publish(0x02, body, 4, &view), CODEC_TRUNCATED);
    assert_int_equal(publish(0x02, body, 2, &view), CODEC_TRUNCATED);
    assert_int_equal(publish(0x00, body, 1, &view), CODEC_TRUNCATED);
    assert_int_equal(publish(0x00, body, 3, &view), CODEC_OK); /* an empty payload is fine */
    assert_int_equal(view.payload_len, 0);
}

static void a_packet_identifier_stands_alone_and_is_not_zero(void **state) {
    static const uint8_t body[] = {0, 7, 0};
    uint16_t id;

    assert_int_equal(decode_packet_id(body, 2, &id), CODEC_OK);
    assert_int_equal(id, 7);
    assert_int_equal(decode_packet_id(body, 1, &id), CODEC_TRUNCATED);
    assert_int_equal(decode_packet_id(body, 3, &id), CODEC_TRAILING);
    assert_int_equal(decode_packet_id((const uint8_t[]){0, 0}, 2, &id), CODEC_BAD_PACKET_ID);
}

static void filters_are_read_one_after_the_other(void **state) {
    static const uint8_t body[] = {0, 9, 0, 1, 'a', 1, 0, 2, '+', '/', 2};
    struct filter_reader reader;
    struct filter_view filter;
    uint16_t id;

    assert_int_equal(decode_filters(body, sizeof body, &id, &reader), CODEC_OK);
    assert_int_equal(id, 9);
    assert_int_equal(decode_filter(&reader, true, &filter), CODEC_OK);
    assert_int_equal(filter.qos, 1);
    assert_memory_equal(filter.bytes, "a", 1);
    assert_int_equal(decode_filter(&reader, true, &filter), CODEC_OK);
    assert_int_equal(filter.qos, 2);
    assert_int_equal(filter.len, 2);
    assert_int_equal(reader.left, 0);
}

/* MQTT-3-8.3-4 */
static void a_requested_qos_above_two_is_malformed(void **state) {
    for (unsigned qos = 3; qos < 256; qos++) {
        const uint8_t body[] = {0, 1, 'a', (uint8_t)qos};
        struct filter_reader reader = {body, sizeof body};
        struct filter_view filter;
        assert_int_equal(decode_filter(&reader, true, &filter), CODEC_BAD_QOS);
    }
}

static void a_filter_cut_anywhere_is_truncated(void **state) {
    static const uint8_t body[] = {0, 2, 'a', 'b', 1};

    for (size_t len = 0; len < sizeof body; len++) {
        struct filter_reader reader = {body, len};
        struct filter_view filter;
        assert_int_equal(decode_filter(&reader, true, &filter), CODEC_TRUNCATED);
    }
}

static void what_is_encoded_reads_as_specified(void **state) {
    uint8_t out[16];

    assert_int_equal(encode_connack(out, true, 0), 4);
    assert_memory_equal(out, "\x20\x02\x01\x00", 4);
    assert_int_equal(encode_connack(out, false, 5), 4);
    assert_memory_equal(out, "\x20\x02\x00\x05", 4);
    assert_int_equal(encode_ack(out, PACKET_PUBACK, 0x1234), 4);
    assert_memory_equal(out, "\x40\x02\x12\x34", 4);
    assert_int_equal(encode_ack(out, PACKET_PUBREL, 1), 4); /* MQTT-3.6.1-1 */
    assert_memory_equal(out, "\x62\x02\x00\x01", 4);
    assert_int_equal(encode_ack(out, PACKET_UNSUBACK, 1), 4);
    assert_memory_equal(out, "\xb0\x02\x00\x01", 4);
    assert_int_equal(encode_pingresp(out), 2);
    assert_memory_equal(out, "\xd0\x00", 2);
    assert_int_equal(encode_suback(out, 1, 3), 4);
    assert_memory_equal(out, "\x90\x05\x00\x01", 4);
    assert_int_equal(encode_suback(out, 1, 126), 5);
    assert_memory_equal(out, "\x90\x80\x01\x00\x01", 5);
    assert_int_equal(encode_publish(out, 2, true, true, 321), 3);
    assert_memory_equal(out, "\x3d\xc1\x02", 3);
    assert_int_equal(encode_publish(out, 0, false, false, REMAINING_LENGTH_MAX), 5);
    assert_memory_equal(out, "\x30\xff\xff\xff\x7f", 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_remaining_length_has_one_to_four_bytes),
        cmocka_unit_test(a_remaining_length_of_five_bytes_is_malformed),
        cmocka_unit_test(a_fixed_header_that_is_not_all_there_asks_for_more),
        cmocka_unit_test(reserved_types_and_those_of_servers_are_refused_with_the_first_byte),
        cmocka_unit_test(reserved_flags_are_refused_with_the_first_byte),
        cmocka_unit_test(mqtt_3_1_may_set_dup_in_pubrel_subscribe_and_unsubscribe),
        cmocka_unit_test(all_fields_of_a_connect_are_read_in_order),
        cmocka_unit_test(a_connect_cut_anywhere_is_truncated),
        cmocka_unit_test(bytes_behind_a_connect_are_refused),
        cmocka_unit_test(connect_flags_must_not_contradict_each_other),
        cmocka_unit_test(mqtt_3_1_gives_unused_flags_no_meaning),
        cmocka_unit_test(protocol_name_and_level_belong_together),
        cmocka_unit_test(strings_of_a_connect_are_utf8),
        cmocka_unit_test(a_publish_is_decoded_in_place),
        cmocka_unit_test(a_publish_with_wrong_flags_or_identifier_is_malformed),
        cmocka_unit_test(a_packet_identifier_stands_alone_and_is_not_zero),
        cmocka_unit_test(filters_are_read_one_after_the_other),
        cmocka_unit_test(a_requested_qos_above_two_is_malformed),
        cmocka_unit_test(a_filter_cut_anywhere_is_truncated),
        cmocka_unit_test(what_is_encoded_reads_as_specified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
