/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT 3.1.1 packets as a client writes them, and the payload that the generator's messages carry.
 * Of its own, not the broker's codec. Pure.
 *
 * A PUBLISH is copied from a form and its changing parts are written over:
 *
 *   fixed header | topic length, topic | packet id (QoS > 0) | topic number 4, sequence number 4,
 *   time of sending 8 (ns) | filler | check 8 (payloads of 24 bytes and more)
 */
#ifndef LINEMQ_LOADGEN_PACKET_H
#define LINEMQ_LOADGEN_PACKET_H

#include "dataplane/base/bytes.h"
#include "tools/loadgen/topic.h"

enum packet_kind {
    KIND_CONNECT = 1,
    KIND_CONNACK,
    KIND_PUBLISH,
    KIND_PUBACK,
    KIND_PUBREC,
    KIND_PUBREL,
    KIND_PUBCOMP,
    KIND_SUBSCRIBE,
    KIND_SUBACK,
    KIND_PINGREQ = 12,
    KIND_PINGRESP,
    KIND_DISCONNECT,
};

enum {
    PAYLOAD_MIN = 16,
    PAYLOAD_CHECKED = 24, /* from this size on it ends with a check */
    PAYLOAD_MAX = 65536,
    PACKET_CONNECT_MAX = 600,
};

struct stamp {
    uint32_t topic, seq;
    uint64_t sent; /* ns: when it was to be sent */
};

struct publish_form {
    struct form topic;
    uint8_t qos;
    uint8_t topic_at; /* of its first byte */
    uint16_t id_at, payload_at;
    uint32_t payload, len; /* bytes of the payload, of the packet */
    uint8_t *bytes;        /* of the heap */
};

/* False: no memory. */
bool publish_form_init(struct publish_form *form, const struct form *topic, uint8_t qos,
                       uint32_t payload);
void publish_form_free(struct publish_form *form);

static inline uint64_t stamp_check(const struct stamp *stamp) {
    uint64_t x = ((uint64_t)stamp->topic << 32 | stamp->seq) ^ stamp->sent * 3;
    return (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

/* The packet, form->len bytes. */
static inline void publish_put(const struct publish_form *form, uint8_t *to, uint16_t id,
                               const struct stamp *stamp, const uint32_t values[FIELDS]) {
    memcpy(to, form->bytes, form->len);
    form_fill(&form->topic, to + form->topic_at, values);
    if (form->qos > 0)
        store_be16(to + form->id_at, id);
    memcpy(to + form->payload_at, stamp, PAYLOAD_MIN);
    if (form->payload >= PAYLOAD_CHECKED) {
        uint64_t check = stamp_check(stamp);
        memcpy(to + form->len - sizeof check, &check, sizeof check);
    }
}

/* Whether a payload that begins with `stamp` is as it was sent. `have`: bytes that are there of
 * `len`, PAYLOAD_MIN at least. */
static inline bool payload_good(const struct publish_form *form, const uint8_t *payload,
                                uint32_t have, uint32_t len, const struct stamp *stamp) {
    if (len != form->payload)
        return false;
    if (have < len) /* a long one, of which only the beginning was kept */
        return true;
    if (len < PAYLOAD_CHECKED)
        return true;
    uint64_t check = stamp_check(stamp);
    return memcmp(payload + len - sizeof check, &check, sizeof check) == 0 &&
           memcmp(payload + PAYLOAD_MIN, form->bytes + form->payload_at + PAYLOAD_MIN,
                  len - PAYLOAD_MIN - sizeof check) == 0;
}

struct connect_fields {
    const uint8_t *client_id;
    uint8_t client_id_len;
    uint16_t keep_alive;
    const char *username, *password; /* or NULL; at most 200 bytes each */
};

/* These return the bytes written. */
uint32_t connect_put(uint8_t to[PACKET_CONNECT_MAX], const struct connect_fields *fields);
/* SUBSCRIBE is begun, gets its filters, and is ended; `to` has room for 5 more bytes. */
uint8_t *subscribe_begin(uint8_t *to, uint16_t id);
uint8_t *subscribe_filter(uint8_t *at, const uint8_t *filter, uint16_t len, uint8_t qos);
uint32_t subscribe_end(uint8_t *to, const uint8_t *at);

/* The packet identifier that follows (MQTT-2.3.1-1: none is 0). */
static inline uint16_t packet_id_after(uint16_t id) {
    return id == UINT16_MAX ? 1 : (uint16_t)(id + 1);
}

static inline void ack_put(uint8_t to[4], enum packet_kind kind, uint16_t id) {
    to[0] = (uint8_t)(kind << 4 | (kind == KIND_PUBREL ? 2 : 0));
    to[1] = 2;
    store_be16(to + 2, id);
}

/* The remaining length at `at`; bytes it takes, 0: not all there, -1: malformed. */
static inline int length_get(const uint8_t *at, uint32_t have, uint32_t *length) {
    *length = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (i == have)
            return 0;
        *length |= (uint32_t)(at[i] & 127) << 7 * i;
        if (!(at[i] & 128))
            return (int)i + 1;
    }
    return -1;
}

#endif
