/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection has told TCP to send and the peer has not acknowledged yet, in order. TCP has
 * no buffer of its own: it asks for any range of these bytes, the first time or again.
 *
 * An entry is a run of own bytes (CONNACK, PUBACK, ...; a longer packet takes several) or one
 * PUBLISH: its fixed header and packet identifier here, topic and payload in a message that all
 * subscribers share. Entries stand in chunks from the pool; an idle connection has no queue at all.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_MQTT_SEND_QUEUE_H
#define LINEMQ_MQTT_SEND_QUEUE_H

#include "dataplane/message/message.h"

enum { SEND_OWN_BYTES = 19, SEND_CHUNK_ENTRIES = 7, SEND_QUEUE_BYTES_MAX = 1 << 30 };

struct send_entry {
    struct message *message; /* a reference, or NULL: own bytes */
    uint32_t len;            /* bytes on the wire */
    uint8_t header_len; /* of a PUBLISH: `bytes` up to the topic; the packet identifier follows */
    uint8_t bytes[SEND_OWN_BYTES];
};
_Static_assert(sizeof(struct send_entry) == 32, "two entries are a cache line");

struct send_chunk {
    struct send_chunk *next;
    uint16_t first, end; /* entries in use are [first, end) */
    uint32_t pad;
    struct send_entry entries[SEND_CHUNK_ENTRIES];
};

struct send_queue {
    struct send_chunk *head, *tail;
    uint32_t bytes;     /* in the queue and not acknowledged */
    uint32_t own_bytes; /* those of entries without a message, whole entries */
    uint32_t done;      /* bytes of the first entry that are acknowledged */
    /* Where the last fetch ended: an entry, and the distance of its first byte from the first byte
     * of the first entry. */
    struct send_chunk *cursor;
    uint32_t cursor_index, cursor_offset;
    uint32_t chunks;
    uint32_t pad;
};

/* Zeroed memory is an empty queue. */

/* Makes sure that the next append of up to SEND_OWN_BYTES own bytes, or of one PUBLISH, succeeds.
 * False: no memory. */
bool send_queue_reserve(struct send_queue *queue, struct pool *pool);

/* Appends a copy of `len` bytes: all, or (false: no memory) none. */
bool send_queue_bytes(struct send_queue *queue, struct pool *pool, const void *bytes, size_t len);

/* Appends a PUBLISH and takes a reference of its own to `message`. `packet_id` is 0 with QoS 0.
 * Returns its length on the wire; 0: no memory, nothing was done. */
uint32_t send_queue_publish(struct send_queue *queue, struct pool *pool, struct message *message,
                            uint16_t packet_id, uint8_t qos, bool retain, bool dup);

/* Copies `len` bytes from `offset` bytes after the first unacknowledged one on. All of them are in
 * the queue. */
void send_queue_fetch(struct send_queue *queue, uint32_t offset, uint8_t *to, size_t len);

/* Drops the first `len` bytes; releases messages that went out whole. */
void send_queue_acknowledged(struct send_queue *queue, struct parcels *parcels, uint32_t len);

/* Releases everything. */
void send_queue_clear(struct send_queue *queue, struct parcels *parcels);

#endif
