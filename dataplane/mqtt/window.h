/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbound half of a session: QoS 1 and 2 messages on their way to one subscriber (OASIS MQTT
 * 3.1.1, 4.3, 4.4, 4.6). One ring in the order of sending:
 *
 *     0            released          inflight                      count
 *     | PUBREC seen | PUBLISH sent ... | waiting behind the window ... |
 *     |<--- have a packet identifier ->|<-- bounded by count and bytes |
 *
 * Entries before `sent` went out on the present connection; a new connection begins with 0, so all
 * in flight is sent again, in order: PUBRELs in the order of their PUBRECs (MQTT-4.6.0-4), then
 * PUBLISHes with DUP in the order they were first sent (MQTT-4.6.0-1), with the packet identifiers
 * they had (MQTT-4.4.0-1).
 *
 * A QoS 0 message may wait among the others, so that it does not overtake them. It goes when
 * nothing before it waits, needs neither identifier nor place in the window, and is gone when it is
 * sent, or when the connection is.
 *
 * Knows nothing of connections: workers use it for clean sessions, control shards for persistent
 * ones. No memory while empty. Zeroed: an empty window. Acknowledgements in order cost the same
 * however much is in flight; out of order they cost a walk over what is.
 *
 * Thread: the owner of the pool.
 */
#ifndef LINEMQ_MQTT_WINDOW_H
#define LINEMQ_MQTT_WINDOW_H

#include "dataplane/message/message.h"

struct window_entry {
    struct message *message; /* a reference; NULL when not needed any more */
    uint16_t packet_id;      /* 0 while it waits */
    uint8_t qos;
    uint8_t flags;
    uint32_t pad;
};

struct window {
    struct window_entry *entries; /* ring of `capacity`, a power of two */
    uint32_t capacity, head, count;
    uint32_t inflight, released, sent;
    uint32_t due; /* PUBRELs that could not be sent */
    uint32_t queued_bytes;
    uint32_t qos0;    /* messages of QoS 0 that wait */
    uint16_t next_id; /* the last identifier given out */
    uint16_t clear;   /* identifiers after next_id that are surely free */
};

/* Whose window it is, for the time of a call. */
struct window_use {
    struct parcels *parcels;
    uint32_t inflight;     /* most messages in flight; at least 1 */
    uint32_t queued;       /* most messages waiting behind them */
    uint32_t queued_bytes; /* and their bytes; a single longer one may wait */
    /* Keep messages until they are acknowledged, to send them again on another connection. False:
     * they are released once sent. */
    bool replay;
    /* Sends. False: not now, nothing was done; window_send will ask again. The callee takes its own
     * reference to the message. Must not call back into the window. */
    bool (*publish)(void *to, struct message *message, uint16_t packet_id, uint8_t qos, bool retain,
                    bool dup);
    bool (*pubrel)(void *to, uint16_t packet_id, bool dup);
    void *to;
};

enum window_result {
    WINDOW_TAKEN,
    WINDOW_FULL,       /* `queued` are waiting */
    WINDOW_FULL_BYTES, /* `queued_bytes` are */
    WINDOW_NO_MEMORY,
};

/* Appends a message (taking its own reference) or, when there is no room, does not. Sends nothing:
 * call window_send when there is a connection. */
enum window_result window_push(struct window *window, const struct window_use *use,
                               struct message *message, uint8_t qos, bool retain);

/* Sends what may be sent. False: `publish` or `pubrel` said no. */
bool window_send(struct window *window, const struct window_use *use);

/* Something to send that window_send would try now. */
bool window_wants(const struct window *window, const struct window_use *use);

enum window_ack {
    WINDOW_ACK_TAKEN,
    WINDOW_ACK_UNKNOWN, /* no message with this identifier is in flight; nothing changed */
    WINDOW_ACK_WRONG, /* one is, and this is not what acknowledges it: PUBACK with QoS 2, PUBREC or
                       * PUBCOMP with QoS 1, PUBCOMP before PUBREC (MQTT-4.3.2-1, 4.3.3-1);
                       * nothing changed */
};

/* Acknowledgements. Call window_send after. */
enum window_ack window_puback(struct window *window, const struct window_use *use,
                              uint16_t packet_id);
/* Sends PUBREL, also when PUBREC is repeated. */
enum window_ack window_pubrec(struct window *window, const struct window_use *use,
                              uint16_t packet_id);
enum window_ack window_pubcomp(struct window *window, const struct window_use *use,
                               uint16_t packet_id);

/* The connection is gone: all in flight is to be sent again on the next. Returns how many messages
 * of QoS 0 were waiting, which are dropped. */
uint32_t window_disconnected(struct window *window, struct parcels *parcels);

/* Releases everything. */
void window_clear(struct window *window, struct parcels *parcels);

static inline uint32_t window_queued(const struct window *window) {
    return window->count - window->inflight;
}

/* Bytes of memory held, messages not included. */
static inline size_t window_bytes(const struct window *window) {
    return window->capacity * sizeof(struct window_entry);
}

#endif
