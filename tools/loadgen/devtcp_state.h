/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of devtcp share. Private to them. */
#ifndef LINEMQ_LOADGEN_DEVTCP_STATE_H
#define LINEMQ_LOADGEN_DEVTCP_STATE_H

#include "dataplane/tcp/options.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/tcp.h"
#include "tools/loadgen/devtcp.h"

enum {
    CWND_INITIAL = 10, /* segments (RFC 6928) */
    CWND_MAX = 1024,
    DUP_ACKS = 3,
    ACK_DELAY = 3, /* ticks */
    HEADER = 20,   /* bytes */
    TIMESTAMP_HEADER = HEADER + TCP_TIMESTAMP_BYTES,
};

/* The wheel names its nodes by multiples of 16 bytes from a base; 0 is none. */
static inline uint32_t wheel_ref(uint32_t number) {
    return (number + 1) * (uint32_t)(sizeof(struct device) / 16);
}

static inline uint32_t wheel_number(uint32_t ref) {
    return ref / (uint32_t)(sizeof(struct device) / 16) - 1;
}

/* Makes the wheel visit the device at the tick, or before. */
static inline void device_due(struct devtcp *tcp, uint32_t number, uint32_t tick) {
    wheel_hasten(&tcp->wheel, wheel_ref(number), (uint64_t)tick << DEVTCP_TICK_SHIFT);
}

static inline void rto_set(struct devtcp *tcp, uint32_t number, struct device *device) {
    uint64_t us = (uint64_t)tcp->config.rto_us << device->retries;
    if (us > tcp->config.rto_max_us)
        us = tcp->config.rto_max_us;
    device->rto_at = tcp->tick + 1 + (uint32_t)(us >> DEVTCP_TICK_SHIFT);
    device_due(tcp, number, device->rto_at);
}

static inline uint32_t device_window(const struct device *device) {
    return (uint32_t)device->snd_wnd << device->shift;
}

/* Frees what belongs to the connection. */
void devtcp_release(struct devtcp *tcp, uint32_t number);
/* The same, and tells the application. */
void devtcp_end(struct devtcp *tcp, uint32_t number, enum devtcp_end why);

/* These send one segment; false: no frame. */
bool devtcp_send_syn(struct devtcp *tcp, uint32_t number);
bool devtcp_send_control(struct devtcp *tcp, uint32_t number, uint32_t seq, uint32_t ack,
                         uint8_t flags);
/* The oldest segment once more. */
bool devtcp_send_oldest(struct devtcp *tcp, uint32_t number);

#endif
