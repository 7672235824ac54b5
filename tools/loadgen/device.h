/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated device: one cache line for its TCP and what MQTT must remember of a connection. All
 * devices stand in one array; a device's number follows from its address and port by arithmetic
 * (nic.h), so nothing is looked up.
 */
#ifndef LINEMQ_LOADGEN_DEVICE_H
#define LINEMQ_LOADGEN_DEVICE_H

#include <stdint.h>

#include "dataplane/tcp/wheel.h"

enum device_state {
    DEVICE_NEW,      /* never opened */
    DEVICE_SYN_SENT, /* waits for the SYN-ACK */
    DEVICE_OPEN,     /* may send; also while its FIN is on the way and after the broker's */
    DEVICE_ENDED,
};

enum device_flag {
    DEVICE_TOUCHED = 1,    /* in the list of those with something to send */
    DEVICE_ACK = 2,        /* an ACK is owed; with SYN_SENT the SYN is */
    DEVICE_TIMESTAMPS = 4, /* negotiated */
    DEVICE_FIN_QUEUED = 8, /* FIN follows what was written */
    DEVICE_FIN_SENT = 16,
    DEVICE_FIN_ACKED = 32,
    DEVICE_PEER_FIN = 64, /* the broker's FIN was received */
    DEVICE_LOST = 128,    /* went back after a timeout: ACKs of what was sent before are good */
};

/* Times are ticks of the wheel (devtcp.h); 0 = none. Sequence numbers as in RFC 9293.
 *
 *        head                next                 tail          chunks
 *   snd_una           snd_nxt                          snd_end
 *      |---- in flight ---|---- written, not sent -------|
 */
struct device {
    struct wheel_node node; /* .user: congestion window, segments */
    uint32_t snd_una, snd_nxt, snd_end;
    uint32_t rcv_nxt;
    uint32_t ts_recent;
    uint32_t head, next, tail; /* chunks: oldest not acknowledged, of snd_nxt, last */
    uint32_t held;             /* chunks: a partial packet first, then what came out of order */
    uint32_t rto_at, app_at;
    uint16_t snd_wnd; /* as it was on the wire */
    uint8_t state;    /* enum device_state */
    uint8_t flags;    /* enum device_flag */
    uint8_t shift : 4, retries : 4;
    uint8_t dup_acks : 4, unacked : 4; /* unacked: segments received and not acknowledged */
    uint8_t mqtt;                      /* the application's */
    uint8_t queue;                     /* of the port */
};

_Static_assert(sizeof(struct device) == 64, "a device is a cache line");

#endif
