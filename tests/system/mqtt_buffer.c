/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/mqtt_buffer.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

uint8_t *buffer_room(struct buffer *buffer, size_t more) {
    if (buffer->begin > 0 && (buffer->begin == buffer->end || buffer->end + more > buffer->size)) {
        memmove(buffer->data, buffer->data + buffer->begin, buffer->end - buffer->begin);
        buffer->end -= buffer->begin;
        buffer->begin = 0;
    }
    if (buffer->end + more > buffer->size) {
        buffer->size = (buffer->end + more) * 2;
        buffer->data = realloc(buffer->data, buffer->size);
        if (buffer->data == NULL)
            err(1, "memory");
    }
    return buffer->data + buffer->end;
}

bool buffer_send(struct buffer *out, int fd) {
    while (out->begin < out->end) {
        ssize_t n = send(fd, out->data + out->begin, out->end - out->begin, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        out->begin += (size_t)n;
    }
    return true;
}

static uint8_t *put16(uint8_t *at, unsigned value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put_text(uint8_t *at, const char *text) {
    size_t len = strlen(text);
    at = put16(at, (unsigned)len);
    memcpy(at, text, len);
    return at + len;
}

/* Fixed header; returns where the body goes, `size` bytes of it. */
static uint8_t *packet(struct buffer *out, uint8_t first, size_t size) {
    uint8_t *at = buffer_room(out, size + 5), *start = at;
    size_t rest = size;
    *at++ = first;
    do {
        *at++ = (uint8_t)((rest & 127) | (rest > 127 ? 128 : 0));
        rest >>= 7;
    } while (rest > 0);
    out->end += (size_t)(at - start) + size;
    return at;
}

void mqtt_connect(struct buffer *out, const char *client_id, bool clean_session) {
    uint8_t *at = put_text(packet(out, 0x10, 10 + 2 + strlen(client_id)), "MQTT");
    *at++ = 4;
    *at++ = clean_session ? 2 : 0;
    put_text(put16(at, 0), client_id);
}

void mqtt_subscribe(struct buffer *out, const char *topic, unsigned qos) {
    uint8_t *at = put16(packet(out, 0x82, 2 + 2 + strlen(topic) + 1), 1);
    *put_text(at, topic) = (uint8_t)qos;
}

uint8_t *mqtt_publish(struct buffer *out, const char *topic, unsigned qos, unsigned identifier,
                      size_t payload) {
    size_t size = 2 + strlen(topic) + (qos > 0 ? 2 : 0) + payload;
    uint8_t *at = put_text(packet(out, (uint8_t)(0x30 | qos << 1), size), topic);
    return qos > 0 ? put16(at, identifier) : at;
}

void mqtt_acknowledge(struct buffer *out, uint8_t kind, unsigned identifier) {
    put16(packet(out, (uint8_t)(kind << 4 | (kind == PUBREL ? 2 : 0)), 2), identifier);
}

bool mqtt_take(struct buffer *in, uint8_t *first, const uint8_t **body, size_t *size) {
    const uint8_t *data = in->data + in->begin;
    size_t have = in->end - in->begin, rest = 0, at = 1;
    unsigned shift = 0;
    do {
        if (at >= have)
            return false;
        rest |= (size_t)(data[at] & 127) << shift;
        shift += 7;
    } while ((data[at++] & 128) != 0);
    if (have < at + rest)
        return false;
    in->begin += at + rest;
    *first = data[0];
    *body = data + at;
    *size = rest;
    return true;
}
