/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capturing frames (`ctl capture`). The control plane makes a capture point for each worker that
 * takes part, and sends it by MAIL_CAPTURE; while the worker holds it, it copies the beginning of
 * each frame that the point's filter wants into the point's ring, which the control plane reads. A
 * frame that finds no room is counted as missed; nothing waits. Without one a worker asks one
 * question a burst.
 *
 * What is seen where:
 *  - Received frames by the worker whose queue they came from, before anything is checked. A point
 *    for a single worker also sees frames that were handed over to it (`handed_over`).
 *  - Frames sent by the worker that sends them, when they go into its transmit buffer. A checksum
 *    that the device will fill in is not there yet.
 *  - A point for a client sees TCP segments of its connection, by the worker that owns it, and
 *    follows the client to its next connection: from the segment with its CONNECT on, for before
 *    that nobody knows whose connection it is.
 *
 * Pure: the clock is an argument. Thread: a point belongs to whoever has it by mail, but for its
 * ring and `missed`; a struct capture belongs to its worker.
 */
#ifndef LINEMQ_CAPTURE_CAPTURE_H
#define LINEMQ_CAPTURE_CAPTURE_H

#include "dataplane/base/counters.h"
#include "dataplane/capture/ring.h"

enum {
    CAPTURE_POINTS = 4,         /* of one worker at a time */
    CAPTURE_ENDPOINTS = 4,      /* connections of a client that are remembered */
    CAPTURE_CLIENT_ID = 1024,   /* bytes, the longest that a filter takes */
    CAPTURE_SNAP_MAX = 16384,   /* bytes of one frame */
    CAPTURE_RING_MIN = 1 << 18, /* bytes, 16 frames of that size */
};

/* The client's side of a connection. */
struct capture_endpoint {
    uint8_t remote[16];               /* IPv4 mapped */
    uint16_t remote_port, local_port; /* 0, 0: none */
};

/* All that is set must be true of a frame. */
struct capture_filter {
    uint8_t family;         /* 4, 6: of `address`; 0: any */
    uint8_t prefix;         /* bits */
    uint8_t address[16];    /* source or destination, network order; sender or target of ARP */
    uint16_t port;          /* source or destination of TCP; 0: any */
    uint16_t client_id_len; /* 0: of anybody */
    uint8_t client_id[CAPTURE_CLIENT_ID];
};

struct capture_point {
    struct capture_filter filter;
    uint32_t snap;    /* bytes of a frame, at most CAPTURE_SNAP_MAX */
    bool payload;     /* also what is behind the headers */
    bool handed_over; /* also frames from other workers */
    struct capture_endpoint endpoints[CAPTURE_ENDPOINTS]; /* with a client */
    uint32_t endpoint_next;
    uint32_t taken;           /* frames of the burst at hand */
    uint64_t missed;          /* frames; read by anybody, relaxed */
    struct capture_ring ring; /* its data follows */
};

/* One worker's. */
struct capture {
    struct capture_point *points[CAPTURE_POINTS];
    unsigned count;
    struct counters *counters;
    uint64_t (*wall_clock)(const void *argument); /* microseconds */
    const void *argument;
};

/* Control plane: bytes of a point with a ring of `ring` bytes; its beginning, zeroed memory. */
size_t capture_point_size(uint64_t ring);
void capture_point_init(struct capture_point *point, uint64_t ring);

/* Worker: takes a point, false: it has as many as it can; lets go of one, false: it has not got it.
 */
bool capture_begin(struct capture *capture, struct capture_point *point);
bool capture_end(struct capture *capture, struct capture_point *point);

/* A frame, or what of it lies in one piece. */
struct capture_frame {
    const uint8_t *bytes;
    uint32_t len, wire_len;
    uint64_t time;
    uint8_t port;
    bool tagged; /* the device took the VLAN tag off, and it was `tag` */
    uint16_t tag;
};

/* Worker, with capture points: a frame came from a queue, or from another worker. */
void capture_received(struct capture *capture, const struct capture_frame *frame, bool handed_over);
/* Worker, with capture points: a frame goes out; its time is filled in. */
void capture_sent(struct capture *capture, struct capture_frame *frame);

/* Worker, with capture points: the i-th segment of a burst is for a connection of this worker.
 * Called for all before and after TCP has handled them: by then their client may be known. */
void capture_segment(struct capture *capture, const struct capture_frame *frame, unsigned i);
void capture_burst(struct capture *capture); /* before the first of a burst */

/* Worker: a client has sent CONNECT. */
void capture_connect(struct capture *capture, const uint8_t *client_id, size_t len,
                     const struct capture_endpoint *endpoint);

#endif
