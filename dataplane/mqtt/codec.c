/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/codec.h"

#include "dataplane/base/bytes.h"
#include "dataplane/topics/topic.h"

enum { FLAGS_ANY = 0xff, FLAGS_DUP = 0x08 };

/* Flags a client must send (table 2.2); FLAGS_ANY: decoded with the packet; packets that only
 * servers send are absent. */
static const struct {
    bool known;
    uint8_t flags;
} client_packets[16] = {
    [PACKET_CONNECT] = {true, 0},   [PACKET_PUBLISH] = {true, FLAGS_ANY},
    [PACKET_PUBACK] = {true, 0},    [PACKET_PUBREC] = {true, 0},
    [PACKET_PUBREL] = {true, 2},    [PACKET_PUBCOMP] = {true, 0},
    [PACKET_SUBSCRIBE] = {true, 2}, [PACKET_UNSUBSCRIBE] = {true, 2},
    [PACKET_PINGREQ] = {true, 0},   [PACKET_DISCONNECT] = {true, 0},
};

static bool flags_valid(uint8_t type, uint8_t flags, uint8_t level) {
    uint8_t expected = client_packets[type].flags;

    if (expected == FLAGS_ANY || flags == expected)
        return true;
    return level == LEVEL_MQTT_3_1 && expected == 2 && flags == (expected | FLAGS_DUP);
}

enum codec_result decode_fixed_header(const uint8_t *data, size_t len, uint8_t level,
                                      struct fixed_header *header) {
    if (len == 0)
        return CODEC_MORE;
    header->type = data[0] >> 4;
    header->flags = data[0] & 0x0f;
    if (!client_packets[header->type].known)
        return CODEC_BAD_TYPE;
    if (!flags_valid(header->type, header->flags, level))
        return CODEC_BAD_FLAGS;

    uint32_t remaining = 0;
    for (unsigned i = 1; i < FIXED_HEADER_MAX; i++) {
        if (i == len)
            return CODEC_MORE;
        remaining |= (uint32_t)(data[i] & 0x7f) << (7 * (i - 1));
        if ((data[i] & 0x80) == 0) {
            header->remaining = remaining;
            header->len = (uint8_t)(i + 1);
            return CODEC_OK;
        }
    }
    return CODEC_BAD_LENGTH;
}

/* What is left of a packet. */
struct reader {
    const uint8_t *next;
    size_t left;
};

static bool read_u8(struct reader *reader, uint8_t *value) {
    if (reader->left < 1)
        return false;
    *value = *reader->next++;
    reader->left--;
    return true;
}

static bool read_u16(struct reader *reader, uint16_t *value) {
    if (reader->left < 2)
        return false;
    *value = load_be16(reader->next);
    reader->next += 2;
    reader->left -= 2;
    return true;
}

static bool read_string(struct reader *reader, const uint8_t **string, uint16_t *len) {
    if (!read_u16(reader, len) || reader->left < *len)
        return false;
    *string = reader->next;
    reader->next += *len;
    reader->left -= *len;
    return true;
}

static enum codec_result read_utf8(struct reader *reader, const uint8_t **string, uint16_t *len) {
    if (!read_string(reader, string, len))
        return CODEC_TRUNCATED;
    return utf8_valid(*string, *len) ? CODEC_OK : CODEC_BAD_UTF8;
}

static bool is(const uint8_t *string, uint16_t len, const char *name) {
    return len == strlen(name) && memcmp(string, name, len) == 0;
}

static enum codec_result check_connect_flags(struct connect_view *view) {
    if (view->level == LEVEL_MQTT_3_1) {
        /* 3.1 gives the reserved bit, and the will's bits without a will, no meaning. */
        view->flags &= (uint8_t)~CONNECT_RESERVED;
        if ((view->flags & CONNECT_WILL) == 0)
            view->flags &= (uint8_t) ~(CONNECT_WILL_QOS | CONNECT_WILL_RETAIN);
    }
    uint8_t flags = view->flags;

    if (flags & CONNECT_RESERVED) /* MQTT-3.1.2-3 */
        return CODEC_BAD_CONNECT_FLAGS;
    if ((flags & CONNECT_WILL) == 0 && (flags & (CONNECT_WILL_QOS | CONNECT_WILL_RETAIN)))
        return CODEC_BAD_CONNECT_FLAGS; /* MQTT-3.1.2-11, -13, -15 */
    if ((flags & CONNECT_WILL_QOS) == CONNECT_WILL_QOS)
        return CODEC_BAD_CONNECT_FLAGS; /* MQTT-3.1.2-14 */
    if ((flags & CONNECT_PASSWORD) && !(flags & CONNECT_USERNAME))
        return CODEC_BAD_CONNECT_FLAGS; /* MQTT-3.1.2-22 */
    return CODEC_OK;
}

static enum codec_result read_payload(struct reader *reader, struct connect_view *view) {
    enum codec_result result = read_utf8(reader, &view->client_id, &view->client_id_len);

    if (result == CODEC_OK && (view->flags & CONNECT_WILL)) {
        result = read_utf8(reader, &view->will_topic, &view->will_topic_len);
        if (result == CODEC_OK &&
            !read_string(reader, &view->will_payload, &view->will_payload_len))
            result = CODEC_TRUNCATED;
    }
    if (result == CODEC_OK && (view->flags & CONNECT_USERNAME))
        result = read_utf8(reader, &view->username, &view->username_len);
    if (result == CODEC_OK && (view->flags & CONNECT_PASSWORD) &&
        !read_string(reader, &view->password, &view->password_len))
        result = CODEC_TRUNCATED;
    if (result == CODEC_OK && reader->left > 0)
        result = CODEC_TRAILING;
    return result;
}

enum codec_result decode_connect(const uint8_t *body, size_t len, struct connect_view *view) {
    struct reader reader = {body, len};
    const uint8_t *name;
    uint16_t name_len;

    *view = (struct connect_view){0};
    if (!read_string(&reader, &name, &name_len))
        return CODEC_TRUNCATED;
    bool mqtt = is(name, name_len, "MQTT");
    if (!mqtt && !is(name, name_len, "MQIsdp"))
        return CODEC_BAD_PROTOCOL_NAME;
    if (!read_u8(&reader, &view->level))
        return CODEC_TRUNCATED;
    if (view->level != (mqtt ? LEVEL_MQTT_3_1_1 : LEVEL_MQTT_3_1))
        return CODEC_BAD_PROTOCOL_LEVEL;
    if (!read_u8(&reader, &view->flags) || !read_u16(&reader, &view->keep_alive))
        return CODEC_TRUNCATED;
    enum codec_result result = check_connect_flags(view);
    if (result != CODEC_OK)
        return result;
    return read_payload(&reader, view);
}

enum codec_result decode_publish_flags(uint8_t flags, struct publish_view *view) {
    view->retain = flags & 1;
    view->qos = (flags >> 1) & 3;
    view->dup = (flags & FLAGS_DUP) != 0;
    if (view->qos == 3 || (view->dup && view->qos == 0))
        return CODEC_BAD_QOS;
    return CODEC_OK;
}

enum codec_result decode_publish(const uint8_t *body, size_t len, struct publish_view *view) {
    struct reader reader = {body, len};

    if (!read_string(&reader, &view->topic, &view->topic_len))
        return CODEC_TRUNCATED;
    view->packet_id = 0;
    if (view->qos > 0) {
        if (!read_u16(&reader, &view->packet_id))
            return CODEC_TRUNCATED;
        if (view->packet_id == 0)
            return CODEC_BAD_PACKET_ID;
    }
    view->payload = reader.next;
    view->payload_len = (uint32_t)reader.left;
    return CODEC_OK;
}

enum codec_result decode_packet_id(const uint8_t *body, size_t len, uint16_t *packet_id) {
    struct reader reader = {body, len};

    if (!read_u16(&reader, packet_id))
        return CODEC_TRUNCATED;
    if (reader.left > 0)
        return CODEC_TRAILING;
    return *packet_id == 0 ? CODEC_BAD_PACKET_ID : CODEC_OK;
}

enum codec_result decode_filters(const uint8_t *body, size_t len, uint16_t *packet_id,
                                 struct filter_reader *filters) {
    struct reader reader = {body, len};

    if (!read_u16(&reader, packet_id))
        return CODEC_TRUNCATED;
    *filters = (struct filter_reader){reader.next, reader.left};
    return *packet_id == 0 ? CODEC_BAD_PACKET_ID : CODEC_OK;
}

enum codec_result decode_filter(struct filter_reader *filters, bool with_qos,
                                struct filter_view *filter) {
    struct reader reader = {filters->next, filters->left};
    enum codec_result result = read_utf8(&reader, &filter->bytes, &filter->len);

    if (result != CODEC_OK)
        return result;
    filter->qos = 0;
    if (with_qos) {
        if (!read_u8(&reader, &filter->qos))
            return CODEC_TRUNCATED;
        if (filter->qos > 2) /* reserved bits or QoS 3 (MQTT-3-8.3-4) */
            return CODEC_BAD_QOS;
    }
    *filters = (struct filter_reader){reader.next, reader.left};
    return CODEC_OK;
}

static size_t encode_remaining(uint8_t *out, uint32_t remaining) {
    size_t len = 0;

    do {
        uint8_t byte = remaining & 0x7f;
        remaining >>= 7;
        out[len++] = remaining ? byte | 0x80 : byte;
    } while (remaining);
    return len;
}

size_t encode_connack(uint8_t out[4], bool session_present, uint8_t code) {
    out[0] = PACKET_CONNACK << 4;
    out[1] = 2;
    out[2] = session_present;
    out[3] = code;
    return 4;
}

size_t encode_ack(uint8_t out[4], enum packet_type type, uint16_t packet_id) {
    out[0] = (uint8_t)(type << 4 | (type == PACKET_PUBREL ? 2 : 0));
    out[1] = 2;
    store_be16(out + 2, packet_id);
    return 4;
}

size_t encode_pingresp(uint8_t out[2]) {
    out[0] = PACKET_PINGRESP << 4;
    out[1] = 0;
    return 2;
}

size_t encode_suback(uint8_t out[FIXED_HEADER_MAX + 2], uint16_t packet_id, unsigned count) {
    out[0] = PACKET_SUBACK << 4;
    size_t len = 1 + encode_remaining(out + 1, count + 2);
    store_be16(out + len, packet_id);
    return len + 2;
}

size_t encode_publish(uint8_t out[FIXED_HEADER_MAX], uint8_t qos, bool retain, bool dup,
                      uint32_t remaining) {
    out[0] = (uint8_t)(PACKET_PUBLISH << 4 | (dup ? FLAGS_DUP : 0) | qos << 1 | (retain ? 1 : 0));
    return 1 + encode_remaining(out + 1, remaining);
}
