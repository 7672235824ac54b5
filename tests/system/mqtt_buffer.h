/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT 3.1.1 packets in byte buffers, for the clients on kernel sockets of system tests and bench.
 * Not the broker's codec, nor loadgen's. A program that is out of memory ends with status 1.
 */
#ifndef LINEMQ_TESTS_SYSTEM_MQTT_BUFFER_H
#define LINEMQ_TESTS_SYSTEM_MQTT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONNACK = 2, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK };

/* What is there stands from begin to end. All zero: empty. */
struct buffer {
    uint8_t *data;
    size_t begin, end, size;
};

/* Where `more` bytes can be written, which the caller adds to the end. */
uint8_t *buffer_room(struct buffer *buffer, size_t more);

/* Sends what a socket takes without waiting. False: errno says why. */
bool buffer_send(struct buffer *out, int fd);

void mqtt_connect(struct buffer *out, const char *client_id, bool clean_session);
void mqtt_subscribe(struct buffer *out, const char *topic, unsigned qos);
/* Returns where `payload` bytes are to be written. The identifier is of QoS 1 and 2. */
uint8_t *mqtt_publish(struct buffer *out, const char *topic, unsigned qos, unsigned identifier,
                      size_t payload);
/* PUBACK, PUBREC, PUBREL or PUBCOMP. */
void mqtt_acknowledge(struct buffer *out, uint8_t kind, unsigned identifier);

/* Takes the next packet if all of it is there: its first byte, and what follows the fixed header,
 * valid until more is written to the buffer. */
bool mqtt_take(struct buffer *in, uint8_t *first, const uint8_t **body, size_t *size);

static inline unsigned get16(const uint8_t *at) {
    return (unsigned)at[0] << 8 | at[1];
}

#endif
