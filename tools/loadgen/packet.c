/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/loadgen/packet.h"

#include <stdlib.h>

static uint8_t *length_put(uint8_t *at, uint32_t length) {
    do {
        *at++ = (uint8_t)((length & 127) | (length > 127 ? 128 : 0));
        length >>= 7;
    } while (length > 0);
    return at;
}

static uint8_t *string_put(uint8_t *at, const void *bytes, size_t len) {
    store_be16(at, (uint16_t)len);
    memcpy(at + 2, bytes, len);
    return at + 2 + len;
}

bool publish_form_init(struct publish_form *form, const struct form *topic, uint8_t qos,
                       uint32_t payload) {
    uint32_t remaining = 2u + topic->len + (qos > 0 ? 2 : 0) + payload;
    *form = (struct publish_form){.topic = *topic, .qos = qos, .payload = payload};
    form->bytes = malloc(remaining + 5);
    if (form->bytes == NULL)
        return false;
    form->bytes[0] = (uint8_t)(KIND_PUBLISH << 4 | qos << 1);
    uint8_t *at = length_put(form->bytes + 1, remaining);
    form->topic_at = (uint8_t)(at + 2 - form->bytes);
    at = string_put(at, topic->bytes, topic->len);
    form->id_at = (uint16_t)(at - form->bytes);
    if (qos > 0)
        at += 2;
    form->payload_at = (uint16_t)(at - form->bytes);
    for (uint32_t i = 0; i < payload; i++)
        at[i] = (uint8_t)('a' + i % 26);
    form->len = form->payload_at + payload;
    return true;
}

void publish_form_free(struct publish_form *form) {
    free(form->bytes);
    form->bytes = NULL;
}

uint32_t connect_put(uint8_t to[PACKET_CONNECT_MAX], const struct connect_fields *fields) {
    uint8_t body[PACKET_CONNECT_MAX], *at = string_put(body, "MQTT", 4);
    *at++ = 4;
    *at++ = (uint8_t)(2 | (fields->username != NULL ? 0x80 : 0) |
                      (fields->password != NULL ? 0x40 : 0));
    store_be16(at, fields->keep_alive);
    at = string_put(at + 2, fields->client_id, fields->client_id_len);
    if (fields->username != NULL)
        at = string_put(at, fields->username, strlen(fields->username));
    if (fields->password != NULL)
        at = string_put(at, fields->password, strlen(fields->password));
    to[0] = KIND_CONNECT << 4;
    uint8_t *end = length_put(to + 1, (uint32_t)(at - body));
    memcpy(end, body, (size_t)(at - body));
    return (uint32_t)(end - to + (at - body));
}

/* Behind a fixed header of full length, which is moved up at the end. */
uint8_t *subscribe_begin(uint8_t *to, uint16_t id) {
    store_be16(to + 5, id);
    return to + 7;
}

uint8_t *subscribe_filter(uint8_t *at, const uint8_t *filter, uint16_t len, uint8_t qos) {
    at = string_put(at, filter, len);
    *at++ = qos;
    return at;
}

uint32_t subscribe_end(uint8_t *to, const uint8_t *at) {
    size_t remaining = (size_t)(at - to) - 5;
    uint8_t header[5] = {KIND_SUBSCRIBE << 4 | 2};
    size_t len = (size_t)(length_put(header + 1, (uint32_t)remaining) - header);
    memmove(to + len, to + 5, remaining);
    memcpy(to, header, len);
    return (uint32_t)(len + remaining);
}
