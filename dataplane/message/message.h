/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parcels and messages.
 *
 * A parcel is a block of memory that may travel between threads by mail. It belongs to the pool of
 * one thread, its `home`; at any time exactly one thread holds it, and only the holder touches
 * `refs`, which therefore needs no atomics. When the holder drops the last reference the parcel
 * goes back: straight to the pool at home, by MAIL_RELEASE from anywhere else.
 *
 * A message is the parcel of one PUBLISH: topic name and payload as they stand on the wire, once
 * for each thread that needs it; every subscriber on that thread holds a reference. The content is
 * immutable from message_new's return on, except by the sole creator before it is shared.
 */
#ifndef LINEMQ_MESSAGE_MESSAGE_H
#define LINEMQ_MESSAGE_MESSAGE_H

#include "dataplane/base/bytes.h"
#include "dataplane/message/pool.h"

struct mailroom;

struct parcel {
    uint32_t refs; /* the holder's count */
    uint32_t size; /* bytes allocated, this header included */
    union {
        uint8_t home;        /* thread whose pool it came from */
        struct parcel *next; /* instead, while it waits in the mailroom to go home */
    };
};
_Static_assert(sizeof(struct parcel) == 16, "every parcel can be queued to go home");

/* Where a thread takes its parcels from and how it sends foreign ones home. */
struct parcels {
    struct pool *pool;
    struct mailroom *mailroom;
    uint8_t self; /* this thread's number in the mailroom */
};

/* `size` counts the parcel header. refs = 1. NULL when memory is short. */
void *parcel_new(struct parcels *parcels, size_t size);

/* Drops one reference. Never fails. */
void parcel_release(struct parcels *parcels, void *parcel);

/* Takes back a parcel whose home this thread is (the receiving end of MAIL_RELEASE). */
void parcel_came_home(struct parcels *parcels, void *parcel);

enum message_flags {
    MESSAGE_RETAIN = 1, /* the publisher set RETAIN */
    MESSAGE_SYS = 2,    /* made by the broker ($SYS), not counted as a client's */
};

struct message {
    struct parcel parcel;
    uint64_t topic_hash;  /* topic_hash(topic) under the process's key */
    uint32_t payload_len; /* bytes */
    uint16_t topic_len;   /* bytes, at least 1 */
    uint8_t qos;          /* as published: 0, 1, 2 */
    uint8_t flags;        /* enum message_flags */
    uint64_t published;   /* wall clock of the arrival, microseconds since the epoch */
    uint8_t bytes[];      /* topic_len big-endian, topic, payload (MQTT-3.3.2, without packet id) */
};

/* Room for topic and payload, topic_len and payload_len set, the length prefix of the topic
 * written, the rest of the fields zero. NULL when memory is short. */
struct message *message_new(struct parcels *parcels, uint16_t topic_len, uint32_t payload_len);

/* One that is assembled in parts: room for `room` bytes (at least 2) of bytes[], payload_len 0. The
 * last in a row of them, each twice as large as the one before, has just the room that message_new
 * would give it, and then its payload_len is set. NULL when memory is short. */
struct message *message_begin(struct parcels *parcels, uint16_t topic_len, uint32_t room);

/* A copy from this thread's pool, refs = 1, for another thread or a longer life. NULL when short.
 */
struct message *message_copy(struct parcels *parcels, const struct message *message);

static inline struct message *message_ref(struct message *message) {
    message->parcel.refs++;
    return message;
}

static inline const uint8_t *message_topic(const struct message *message) {
    return message->bytes + 2;
}

static inline const uint8_t *message_payload(const struct message *message) {
    return message->bytes + 2 + message->topic_len;
}

/* Bytes of bytes[]: the part of a PUBLISH that all subscribers share. */
static inline uint32_t message_body_len(const struct message *message) {
    return 2u + message->topic_len + message->payload_len;
}

#endif
