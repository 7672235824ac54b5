/* SPDX-License-Identifier: Apache-2.0 */
/* Control packets decoded and encoded; the argument is the number of payload bytes or filters. */
#include "dataplane/mqtt/codec.h"

#include <string.h>

#include "bench/micro/bench.h"

enum { BATCH = 16, ROOM = 2048 };

static const char topic[] = "site/17/device/4711/telemetry";

struct packet {
    uint8_t bytes[ROOM];
    size_t len;
};

static void append(struct packet *packet, const void *bytes, size_t len) {
    memcpy(packet->bytes + packet->len, bytes, len);
    packet->len += len;
}

static void append_be16(struct packet *packet, size_t value) {
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    append(packet, bytes, 2);
}

static void append_string(struct packet *packet, const char *string) {
    append_be16(packet, strlen(string));
    append(packet, string, strlen(string));
}

/* The fixed header of a body of up to 16383 bytes, then the body. */
static void finish(struct packet *packet, uint8_t first, const struct packet *body) {
    packet->len = 0;
    uint8_t header[3] = {first, (uint8_t)body->len, 0};
    size_t len = 2;
    if (body->len > 127) {
        header[1] = (uint8_t)(body->len | 0x80);
        header[2] = (uint8_t)(body->len >> 7);
        len = 3;
    }
    append(packet, header, len);
    append(packet, body->bytes, body->len);
}

static bool decode_one_publish(const struct packet *packet, struct publish_view *view) {
    struct fixed_header header;
    return decode_fixed_header(packet->bytes, packet->len, LEVEL_MQTT_3_1_1, &header) == CODEC_OK &&
           decode_publish_flags(header.flags, view) == CODEC_OK &&
           decode_publish(packet->bytes + header.len, header.remaining, view) == CODEC_OK;
}

static void publish(struct bench_run *run, int64_t payload) {
    static const uint8_t zeros[ROOM];
    struct packet body = {.len = 0}, packet;
    append_string(&body, topic);
    append_be16(&body, 1); /* packet identifier: QoS 1 */
    append(&body, zeros, (size_t)payload);
    finish(&packet, PACKET_PUBLISH << 4 | 1 << 1, &body);
    struct publish_view view;
    if (!decode_one_publish(&packet, &view) || view.payload_len != payload) {
        bench_failed(run, "the packet is not understood");
        return;
    }
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            bench_use((uintptr_t)&packet);
            bench_use(decode_one_publish(&packet, &view) + view.payload_len);
        }
    }
}

static void connect_packet(struct bench_run *run, int64_t argument) {
    struct packet body = {.len = 0}, packet;
    append_string(&body, "MQTT");
    append(&body, "\4\xc2\0\74", 4); /* level 4; user name, password, clean session; 60 s */
    append_string(&body, "device-0000004711");
    append_string(&body, "user-4711");
    append_string(&body, "correct horse battery staple");
    finish(&packet, PACKET_CONNECT << 4, &body);
    struct connect_view view;
    struct fixed_header header;
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            bench_use((uintptr_t)&packet);
            bool good =
                decode_fixed_header(packet.bytes, packet.len, LEVEL_MQTT_3_1_1, &header) ==
                    CODEC_OK &&
                decode_connect(packet.bytes + header.len, header.remaining, &view) == CODEC_OK;
            if (!good) {
                bench_failed(run, "the packet is not understood");
                return;
            }
            bench_use(view.client_id_len);
        }
    }
}

static void subscribe(struct bench_run *run, int64_t filters) {
    struct packet body = {.len = 0}, packet;
    append_be16(&body, 1);
    for (int64_t i = 0; i < filters; i++) {
        append_string(&body, "site/17/device/+/telemetry");
        append(&body, "\1", 1);
    }
    finish(&packet, PACKET_SUBSCRIBE << 4 | 2, &body);
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            struct fixed_header header;
            struct filter_reader reader;
            struct filter_view filter;
            uint16_t packet_id;
            bench_use((uintptr_t)&packet);
            bool good = decode_fixed_header(packet.bytes, packet.len, LEVEL_MQTT_3_1_1, &header) ==
                            CODEC_OK &&
                        decode_filters(packet.bytes + header.len, header.remaining, &packet_id,
                                       &reader) == CODEC_OK;
            while (good && reader.left != 0) {
                good = decode_filter(&reader, true, &filter) == CODEC_OK;
                bench_use(filter.len);
            }
            if (!good) {
                bench_failed(run, "the packet is not understood");
                return;
            }
        }
    }
}

static void publish_header(struct bench_run *run, int64_t argument) {
    uint8_t out[FIXED_HEADER_MAX];
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            bench_use(encode_publish(out, 1, false, false, 100 + i));
            bench_use(out[1]);
        }
    }
}

static void ack(struct bench_run *run, int64_t argument) {
    uint8_t out[4];
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            bench_use(encode_ack(out, PACKET_PUBACK, (uint16_t)i));
            bench_use(out[3]);
        }
    }
}

void bench_codec(void) {
    bench_add("codec_decode_publish", publish, 64);
    bench_add("codec_decode_publish", publish, 1024);
    bench_add("codec_decode_connect", connect_packet, -1);
    bench_add("codec_decode_subscribe", subscribe, 1);
    bench_add("codec_decode_subscribe", subscribe, 8);
    bench_add("codec_encode_publish_header", publish_header, -1);
    bench_add("codec_encode_puback", ack, -1);
}
