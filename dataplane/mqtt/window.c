/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/window.h"

enum { CAPACITY_FIRST = 4, NOT_FOUND = UINT32_MAX, LOOK_AHEAD = 1024 };

enum entry_flags {
    ENTRY_RETAIN = 1,
    ENTRY_SENT = 2,     /* went out at least once */
    ENTRY_RELEASED = 4, /* PUBREC has come, PUBCOMP has not */
    ENTRY_DUE = 8,      /* its PUBREL is still to be sent on this connection */
};

static struct window_entry *at(const struct window *window, uint32_t index) {
    return &window->entries[(window->head + index) & (window->capacity - 1)];
}

static bool grow(struct window *window, struct pool *pool) {
    uint32_t capacity = window->capacity ? 2 * window->capacity : CAPACITY_FIRST;
    struct window_entry *entries = pool_alloc(pool, capacity * sizeof *entries);

    if (entries == NULL)
        return false;
    for (uint32_t i = 0; i < window->count; i++)
        entries[i] = *at(window, i);
    if (window->entries != NULL)
        pool_free(pool, window->entries, window->capacity * sizeof *entries);
    window->entries = entries;
    window->capacity = capacity;
    window->head = 0;
    return true;
}

static void free_ring(struct window *window, struct pool *pool) {
    if (window->entries != NULL)
        pool_free(pool, window->entries, window->capacity * sizeof *window->entries);
    window->entries = NULL;
    window->capacity = 0;
    window->head = 0;
}

enum window_result window_push(struct window *window, const struct window_use *use,
                               struct message *message, uint8_t qos, bool retain) {
    uint32_t waiting = window_queued(window);
    uint32_t bytes = message_body_len(message);

    if (waiting > 0 || window->inflight >= use->inflight) {
        if (waiting >= use->queued)
            return WINDOW_FULL;
        if (waiting > 0 && (uint64_t)window->queued_bytes + bytes > use->queued_bytes)
            return WINDOW_FULL_BYTES;
    }
    if (window->count == window->capacity && !grow(window, use->parcels->pool))
        return WINDOW_NO_MEMORY;
    *at(window, window->count) = (struct window_entry){
        .message = message_ref(message), .qos = qos, .flags = retain ? ENTRY_RETAIN : 0};
    window->count++;
    window->qos0 += qos == 0;
    window->queued_bytes += bytes;
    return WINDOW_TAKEN;
}

static uint16_t id_after(uint16_t id, uint32_t steps) {
    return steps == 0 ? id : (uint16_t)((id + steps - 1) % UINT16_MAX + 1);
}

/* How many identifiers lie between `id` and `other`, which comes after it. */
static uint32_t id_distance(uint16_t id, uint16_t other) {
    return other > id ? other - id - 1u : other + (uint32_t)UINT16_MAX - id - 1u;
}

/* One walk over what is in flight finds the next run of free identifiers in LOOK_AHEAD. */
static void find_clear(struct window *window) {
    uint64_t taken[LOOK_AHEAD / 64] = {0};
    uint32_t first = 0;

    for (uint32_t i = 0; i < window->inflight; i++) {
        uint32_t ahead = id_distance(window->next_id, at(window, i)->packet_id);
        if (ahead < LOOK_AHEAD)
            taken[ahead / 64] |= UINT64_C(1) << ahead % 64;
    }
    while (first < LOOK_AHEAD && (taken[first / 64] >> first % 64 & 1))
        first++;
    uint32_t end = first;
    while (end < LOOK_AHEAD && !(taken[end / 64] >> end % 64 & 1))
        end++;
    window->next_id = id_after(window->next_id, first);
    window->clear = (uint16_t)(end - first);
}

/* The next free identifier (MQTT-2.3.1-2). They are given out in turn, so one can only meet an old
 * one when all the others have been used since. Not all are in use. */
static uint16_t allocate_id(struct window *window) {
    while (window->clear == 0)
        find_clear(window);
    window->clear--;
    window->next_id = id_after(window->next_id, 1);
    return window->next_id;
}

static void release_message(struct window_entry *entry, const struct window_use *use) {
    if (entry->message != NULL)
        parcel_release(use->parcels, entry->message);
    entry->message = NULL;
}

static bool send_due(struct window *window, const struct window_use *use) {
    for (uint32_t i = 0; window->due > 0 && i < window->released; i++) {
        struct window_entry *entry = at(window, i);

        if (!(entry->flags & ENTRY_DUE))
            continue;
        if (!use->pubrel(use->to, entry->packet_id, false))
            return false;
        entry->flags &= (uint8_t)~ENTRY_DUE;
        window->due--;
    }
    return true;
}

static bool send_entry(struct window *window, const struct window_use *use,
                       struct window_entry *entry) {
    bool again = entry->flags & ENTRY_SENT;

    if (entry->flags & ENTRY_RELEASED)
        return use->pubrel(use->to, entry->packet_id, true);
    if (!use->publish(use->to, entry->message, entry->packet_id, entry->qos,
                      entry->flags & ENTRY_RETAIN, again))
        return false;
    entry->flags |= ENTRY_SENT;
    if (!use->replay)
        release_message(entry, use);
    return true;
}

/* Moves the entry at `from` down to `to`, and those between up by one: their order stays. */
static void move_down(struct window *window, uint32_t from, uint32_t to) {
    struct window_entry moved = *at(window, from);

    for (uint32_t i = from; i > to; i--)
        *at(window, i) = *at(window, i - 1);
    *at(window, to) = moved;
}

bool window_wants(const struct window *window, const struct window_use *use) {
    if (window->due > 0 || window->sent < window->inflight)
        return true;
    return window->sent < window->count &&
           (window->inflight < use->inflight || at(window, window->sent)->qos == 0);
}

/* The first that waits; all before it are in flight. */
static bool send_qos0(struct window *window, const struct window_use *use) {
    struct window_entry *entry = at(window, window->sent);

    if (!use->publish(use->to, entry->message, 0, 0, entry->flags & ENTRY_RETAIN, false))
        return false;
    window->queued_bytes -= message_body_len(entry->message);
    release_message(entry, use);
    move_down(window, window->sent, 0);
    window->head = (window->head + 1) & (window->capacity - 1);
    window->count--;
    window->qos0--;
    if (window->count == 0)
        free_ring(window, use->parcels->pool);
    return true;
}

bool window_send(struct window *window, const struct window_use *use) {
    if (!send_due(window, use))
        return false;
    while (window->sent < window->count) {
        struct window_entry *entry = at(window, window->sent);

        if (entry->qos == 0) {
            if (!send_qos0(window, use))
                return false;
            continue;
        }
        if (entry->packet_id == 0) {
            if (window->inflight >= use->inflight || window->inflight >= UINT16_MAX)
                return true;
            entry->packet_id = allocate_id(window);
            window->inflight++;
            window->queued_bytes -= message_body_len(entry->message);
        }
        if (!send_entry(window, use, entry))
            return false;
        window->sent++;
    }
    return true;
}

static uint32_t find(const struct window *window, uint16_t packet_id) {
    for (uint32_t i = 0; packet_id != 0 && i < window->inflight; i++)
        if (at(window, i)->packet_id == packet_id)
            return i;
    return NOT_FOUND;
}

static void remove_entry(struct window *window, const struct window_use *use, uint32_t index) {
    struct window_entry *entry = at(window, index);

    release_message(entry, use);
    if (entry->flags & ENTRY_RELEASED)
        window->released--;
    if (entry->flags & ENTRY_DUE)
        window->due--;
    move_down(window, index, 0);
    window->head = (window->head + 1) & (window->capacity - 1);
    window->count--;
    window->inflight--;
    if (index < window->sent)
        window->sent--;
    if (window->count == 0)
        free_ring(window, use->parcels->pool);
}

enum window_ack window_puback(struct window *window, const struct window_use *use,
                              uint16_t packet_id) {
    uint32_t index = find(window, packet_id);

    if (index == NOT_FOUND)
        return WINDOW_ACK_UNKNOWN;
    if (at(window, index)->qos != 1)
        return WINDOW_ACK_WRONG;
    remove_entry(window, use, index);
    return WINDOW_ACK_TAKEN;
}

enum window_ack window_pubrec(struct window *window, const struct window_use *use,
                              uint16_t packet_id) {
    uint32_t index = find(window, packet_id);

    if (index == NOT_FOUND)
        return WINDOW_ACK_UNKNOWN;
    if (at(window, index)->qos != 2)
        return WINDOW_ACK_WRONG;
    struct window_entry *entry = at(window, index);
    if (!(entry->flags & ENTRY_RELEASED)) {
        uint32_t to = window->released;

        release_message(entry, use);
        entry->flags |= ENTRY_RELEASED;
        if (index >= window->sent && to < window->sent)
            window->sent++;
        move_down(window, index, to);
        window->released++;
        index = to;
        entry = at(window, index);
    }
    /* One that window_send has not reached yet goes out in its turn. */
    if (index < window->sent && !(entry->flags & ENTRY_DUE)) {
        entry->flags |= ENTRY_DUE;
        window->due++;
    }
    send_due(window, use);
    return WINDOW_ACK_TAKEN;
}

enum window_ack window_pubcomp(struct window *window, const struct window_use *use,
                               uint16_t packet_id) {
    uint32_t index = find(window, packet_id);

    if (index == NOT_FOUND)
        return WINDOW_ACK_UNKNOWN;
    if (!(at(window, index)->flags & ENTRY_RELEASED))
        return WINDOW_ACK_WRONG;
    remove_entry(window, use, index);
    return WINDOW_ACK_TAKEN;
}

/* Those that wait close up. */
static uint32_t drop_qos0(struct window *window, struct parcels *parcels) {
    uint32_t dropped = window->qos0, to = window->inflight;

    for (uint32_t i = to; window->qos0 > 0 && i < window->count; i++) {
        struct window_entry *entry = at(window, i);

        if (entry->qos == 0) {
            window->queued_bytes -= message_body_len(entry->message);
            parcel_release(parcels, entry->message);
        } else {
            *at(window, to++) = *entry;
        }
    }
    window->count -= dropped;
    window->qos0 = 0;
    if (dropped > 0 && window->count == 0)
        free_ring(window, parcels->pool);
    return dropped;
}

uint32_t window_disconnected(struct window *window, struct parcels *parcels) {
    for (uint32_t i = 0; window->due > 0 && i < window->released; i++) {
        struct window_entry *entry = at(window, i);

        if (entry->flags & ENTRY_DUE)
            window->due--;
        entry->flags &= (uint8_t)~ENTRY_DUE;
    }
    window->sent = 0;
    return drop_qos0(window, parcels);
}

void window_clear(struct window *window, struct parcels *parcels) {
    for (uint32_t i = 0; i < window->count; i++)
        if (at(window, i)->message != NULL)
            parcel_release(parcels, at(window, i)->message);
    free_ring(window, parcels->pool);
    *window = (struct window){.next_id = window->next_id, .clear = 0};
}
