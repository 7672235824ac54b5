/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT 3.1.1 control packets as bytes (OASIS MQTT 3.1.1, chapters 2 and 3) and those of 3.1.
 * Decoders work in place: a view points into the packet and lives as long as its bytes. They read
 * nothing outside the bytes given and say exactly what is wrong. Encoders write into small arrays.
 *
 * What depends on a setting (limits, topic rules) is not here. Pure; any thread.
 */
#ifndef LINEMQ_MQTT_CODEC_H
#define LINEMQ_MQTT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum packet_type {
    PACKET_CONNECT = 1,
    PACKET_CONNACK,
    PACKET_PUBLISH,
    PACKET_PUBACK,
    PACKET_PUBREC,
    PACKET_PUBREL,
    PACKET_PUBCOMP,
    PACKET_SUBSCRIBE,
    PACKET_SUBACK,
    PACKET_UNSUBSCRIBE,
    PACKET_UNSUBACK,
    PACKET_PINGREQ,
    PACKET_PINGRESP,
    PACKET_DISCONNECT,
};

enum protocol_level { LEVEL_MQTT_3_1 = 3, LEVEL_MQTT_3_1_1 = 4 };

enum connect_flags { /* 3.1.2.3 */
                     CONNECT_RESERVED = 0x01,
                     CONNECT_CLEAN_SESSION = 0x02,
                     CONNECT_WILL = 0x04,
                     CONNECT_WILL_QOS = 0x18,
                     CONNECT_WILL_QOS_SHIFT = 3,
                     CONNECT_WILL_RETAIN = 0x20,
                     CONNECT_PASSWORD = 0x40,
                     CONNECT_USERNAME = 0x80,
};

enum connack_code { /* 3.2.2.3 */
                    CONNACK_ACCEPTED,
                    CONNACK_BAD_LEVEL,
                    CONNACK_BAD_CLIENT_ID,
                    CONNACK_UNAVAILABLE,
                    CONNACK_BAD_LOGIN,
                    CONNACK_NOT_AUTHORIZED,
};

enum { SUBACK_FAILURE = 0x80, FIXED_HEADER_MAX = 5, REMAINING_LENGTH_MAX = 268435455 };

enum codec_result {
    CODEC_OK,
    CODEC_MORE, /* a fixed header that is not all there */
    CODEC_BAD_TYPE,
    CODEC_BAD_FLAGS,
    CODEC_BAD_LENGTH,
    CODEC_TRUNCATED, /* a field reaches past the end of the packet */
    CODEC_TRAILING,  /* bytes are left at the end of the packet */
    CODEC_BAD_UTF8,
    CODEC_BAD_QOS,
    CODEC_BAD_PACKET_ID,
    CODEC_BAD_PROTOCOL_NAME,
    CODEC_BAD_PROTOCOL_LEVEL,
    CODEC_BAD_CONNECT_FLAGS,
    CODEC_RESULTS
};

struct fixed_header {
    uint8_t type; /* enum packet_type, of those a client sends */
    uint8_t flags;
    uint8_t len;        /* bytes of the fixed header */
    uint32_t remaining; /* bytes that follow */
};

/* Type and flags are checked as soon as the first byte is there. `level`: enum protocol_level; 3.1
 * allows DUP in PUBREL, SUBSCRIBE and UNSUBSCRIBE. */
enum codec_result decode_fixed_header(const uint8_t *data, size_t len, uint8_t level,
                                      struct fixed_header *header);

struct connect_view {
    const uint8_t *client_id, *will_topic, *will_payload, *username, *password;
    uint16_t client_id_len, will_topic_len, will_payload_len, username_len, password_len;
    uint16_t keep_alive; /* seconds */
    uint8_t level;
    uint8_t flags; /* enum connect_flags; without meaningless bits of a 3.1 client */
};

/* `body`: what follows the fixed header. Strings are checked to be UTF-8. */
enum codec_result decode_connect(const uint8_t *body, size_t len, struct connect_view *view);

struct publish_view {
    const uint8_t *topic, *payload;
    uint32_t payload_len;
    uint16_t topic_len;
    uint16_t packet_id; /* 0 with QoS 0 */
    uint8_t qos;
    bool retain, dup;
};

/* The flags of a PUBLISH (MQTT-3.3.1-2, -4). */
enum codec_result decode_publish_flags(uint8_t flags, struct publish_view *view);
/* After decode_publish_flags. The topic is not looked at. */
enum codec_result decode_publish(const uint8_t *body, size_t len, struct publish_view *view);

/* A packet that is a packet identifier and nothing else. */
enum codec_result decode_packet_id(const uint8_t *body, size_t len, uint16_t *packet_id);

/* SUBSCRIBE and UNSUBSCRIBE: the packet identifier, then decode_filter until reader.left is 0. */
struct filter_reader {
    const uint8_t *next;
    size_t left;
};
struct filter_view {
    const uint8_t *bytes;
    uint16_t len;
    uint8_t qos; /* 0 in UNSUBSCRIBE */
};
enum codec_result decode_filters(const uint8_t *body, size_t len, uint16_t *packet_id,
                                 struct filter_reader *reader);
enum codec_result decode_filter(struct filter_reader *reader, bool with_qos,
                                struct filter_view *filter);

/* Encoders return the number of bytes written. */
size_t encode_connack(uint8_t out[4], bool session_present, uint8_t code);
/* PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK. */
size_t encode_ack(uint8_t out[4], enum packet_type type, uint16_t packet_id);
size_t encode_pingresp(uint8_t out[2]);
/* What precedes the `count` return codes. */
size_t encode_suback(uint8_t out[FIXED_HEADER_MAX + 2], uint16_t packet_id, unsigned count);
/* The fixed header of a PUBLISH with `remaining` bytes behind it. */
size_t encode_publish(uint8_t out[FIXED_HEADER_MAX], uint8_t qos, bool retain, bool dup,
                      uint32_t remaining);

#endif
