/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tools/loadgen/devtcp_state.h"

static uint32_t power_of_two(uint32_t n) {
    uint32_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

bool devtcp_init(struct devtcp *tcp, const struct devtcp_config *config, uint32_t chunks_small,
                 uint32_t chunks_large, uint64_t now) {
    *tcp = (struct devtcp){.config = *config, .mss = config->mss};
    size_t devices = sizeof(struct device) * config->devices;
    tcp->touched_mask = power_of_two(config->devices) - 1;
    size_t touched = sizeof(uint32_t) * ((size_t)tcp->touched_mask + 1);
    if (!region_reserve(&tcp->memory, devices + touched, 0))
        return false;
    tcp->devices = tcp->memory.base;
    tcp->touched = (uint32_t *)(tcp->devices + config->devices);
    if (!chunks_open(&tcp->chunks, chunks_small, chunks_large)) {
        devtcp_fini(tcp);
        return false;
    }
    while (config->window >> tcp->shift > UINT16_MAX)
        tcp->shift++;
    wheel_init(&tcp->wheel, (uint8_t *)tcp->devices - sizeof(struct device), 0, DEVTCP_TICK_SHIFT,
               now);
    devtcp_time(tcp, now);
    return true;
}

void devtcp_fini(struct devtcp *tcp) {
    chunks_close(&tcp->chunks);
    region_release(&tcp->memory);
    tcp->devices = NULL;
}

void devtcp_time(struct devtcp *tcp, uint64_t now) {
    tcp->now = now;
    tcp->tick = (uint32_t)(now >> DEVTCP_TICK_SHIFT);
    tcp->tick += tcp->tick == 0;
    tcp->tsval = (uint32_t)(now / 1000);
}

/* RFC 6528: a clock of 4 us, with a different start for each device. */
static uint32_t initial_number(const struct devtcp *tcp, uint32_t number) {
    return (uint32_t)(tcp->now >> 2) + (number + 1) * UINT32_C(0x9e3779b1);
}

void devtcp_open(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    uint8_t queue = device->queue, touched = device->flags & DEVICE_TOUCHED;
    if (device->state != DEVICE_NEW && wheel_linked(&device->node))
        wheel_remove(&tcp->wheel, wheel_ref(number));
    *device = (struct device){.node = {.slot = WHEEL_IDLE, .user = CWND_INITIAL},
                              .queue = queue,
                              .flags = touched,
                              .state = DEVICE_SYN_SENT};
    device->snd_una = initial_number(tcp, number);
    device->snd_nxt = device->snd_end = device->snd_una + 1;
    rto_set(tcp, number, device);
    if (!devtcp_send_syn(tcp, number)) {
        device->flags |= DEVICE_ACK;
        devtcp_touch(tcp, number);
    }
}

void devtcp_release(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    chunk_free_all(&tcp->chunks, device->head);
    chunk_free_all(&tcp->chunks, device->held);
    device->head = device->next = device->tail = device->held = 0;
    device->rto_at = device->app_at = 0;
    device->unacked = 0;
    device->state = DEVICE_ENDED;
    device->flags &= DEVICE_TOUCHED | DEVICE_ACK;
    if (wheel_linked(&device->node))
        wheel_remove(&tcp->wheel, wheel_ref(number));
}

void devtcp_end(struct devtcp *tcp, uint32_t number, enum devtcp_end why) {
    devtcp_release(tcp, number);
    tcp->app.ended(tcp->app.app, number, why);
}

void devtcp_touch(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    if (device->flags & DEVICE_TOUCHED)
        return;
    device->flags |= DEVICE_TOUCHED;
    tcp->touched[(tcp->touched_first + tcp->touched_count++) & tcp->touched_mask] = number;
}

uint8_t *devtcp_reserve(struct devtcp *tcp, uint32_t number, uint32_t len, uint32_t want) {
    struct device *device = &tcp->devices[number];
    uint32_t segment = devtcp_segment(tcp);
    if (device->next != 0) { /* the tail is not sent yet */
        struct chunk *tail = chunk_at(&tcp->chunks, device->tail);
        if (!(tail->flags & (CHUNK_SEALED | CHUNK_SENT)) && tail->len + len <= tail->room &&
            tail->len + len <= segment)
            return tail->data + tail->len;
    }
    if (len > segment)
        return NULL;
    want = want < len ? len : want > segment ? segment : want;
    uint32_t ref = chunk_new(&tcp->chunks, want);
    if (ref == 0) {
        tcp->stats.no_chunk++;
        return NULL;
    }
    struct chunk *chunk = chunk_at(&tcp->chunks, ref);
    chunk->seq = device->snd_end;
    if (device->tail != 0)
        chunk_at(&tcp->chunks, device->tail)->next = ref;
    else
        device->head = ref;
    device->tail = ref;
    if (device->next == 0)
        device->next = ref;
    return chunk->data;
}

void devtcp_commit(struct devtcp *tcp, uint32_t number, uint32_t len, bool seal) {
    struct device *device = &tcp->devices[number];
    struct chunk *tail = chunk_at(&tcp->chunks, device->tail);
    tail->len = (uint16_t)(tail->len + len);
    if (seal)
        tail->flags |= CHUNK_SEALED;
    device->snd_end += len;
    devtcp_touch(tcp, number);
}

bool devtcp_write(struct devtcp *tcp, uint32_t number, const uint8_t *data, uint32_t len) {
    uint32_t segment = devtcp_segment(tcp);
    const struct chunk_class *large = &tcp->chunks.classes[1], *small = &tcp->chunks.classes[0];
    if (large->count - large->used < len / segment + 1 || small->used == small->count)
        return false;
    while (len > 0) {
        uint32_t part = len < segment ? len : segment;
        uint8_t *to = devtcp_reserve(tcp, number, part, part);
        if (to == NULL)
            return false;
        memcpy(to, data, part);
        devtcp_commit(tcp, number, part, false);
        data += part;
        len -= part;
    }
    return true;
}

void devtcp_close(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    if (device->state != DEVICE_OPEN)
        return;
    device->flags |= DEVICE_FIN_QUEUED;
    devtcp_touch(tcp, number);
}

void devtcp_abort(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    if (device->state == DEVICE_OPEN)
        devtcp_send_control(tcp, number, device->snd_nxt, device->rcv_nxt, TCP_RST | TCP_ACK);
    devtcp_release(tcp, number);
}

void devtcp_timer_set(struct devtcp *tcp, uint32_t number, uint64_t us) {
    struct device *device = &tcp->devices[number];
    device->app_at = us == 0 ? 0 : tcp->tick + 1 + (uint32_t)(us >> DEVTCP_TICK_SHIFT);
    if (us != 0)
        device_due(tcp, number, device->app_at);
}

uint32_t devtcp_partial_new(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    uint32_t ref = chunk_new(&tcp->chunks, CHUNK_SMALL - CHUNK_HEADER);
    if (ref == 0) {
        tcp->stats.no_chunk++;
        return 0;
    }
    struct chunk *chunk = chunk_at(&tcp->chunks, ref);
    chunk->flags = CHUNK_PARTIAL;
    chunk->next = device->held;
    device->held = ref;
    return ref;
}

void devtcp_partial_free(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    uint32_t ref = device->held;
    device->held = chunk_at(&tcp->chunks, ref)->next;
    chunk_free(&tcp->chunks, ref);
}
