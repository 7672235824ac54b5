/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/wheel.h"

#include <string.h>

enum { SLOT_MASK = WHEEL_SLOTS - 1 };
_Static_assert(WHEEL_SLOTS == 64 * 64, "one word of bits says which words of bits are not zero");

void wheel_init(struct wheel *wheel, void *base, size_t offset, unsigned shift, uint64_t now) {
    memset(wheel, 0, sizeof *wheel);
    wheel->base = base;
    wheel->offset = offset;
    wheel->shift = shift;
    wheel->tick = now >> shift;
}

static struct wheel_node *node_at(const struct wheel *wheel, uint32_t ref) {
    return (struct wheel_node *)(wheel->base + ((size_t)ref << 4) + wheel->offset);
}

static uint64_t tick_of(const struct wheel *wheel, uint64_t when) {
    uint64_t round = (UINT64_C(1) << wheel->shift) - 1;
    uint64_t tick =
        when > UINT64_MAX - round ? when >> wheel->shift : (when + round) >> wheel->shift;
    if (tick < wheel->tick)
        return wheel->tick;
    return tick - wheel->tick < WHEEL_SLOTS ? tick : wheel->tick + WHEEL_SLOTS - 1;
}

void wheel_insert(struct wheel *wheel, uint32_t ref, uint64_t when) {
    unsigned slot = tick_of(wheel, when) & SLOT_MASK;
    struct wheel_node *node = node_at(wheel, ref);
    node->slot = (uint16_t)slot;
    node->prev = 0;
    node->next = wheel->head[slot];
    if (node->next)
        node_at(wheel, node->next)->prev = ref;
    wheel->head[slot] = ref;
    wheel->bits[slot / 64] |= UINT64_C(1) << slot % 64;
    wheel->words |= UINT64_C(1) << slot / 64;
    wheel->linked++;
}

void wheel_remove(struct wheel *wheel, uint32_t ref) {
    struct wheel_node *node = node_at(wheel, ref);
    unsigned slot = node->slot;
    if (node->next)
        node_at(wheel, node->next)->prev = node->prev;
    if (node->prev) {
        node_at(wheel, node->prev)->next = node->next;
    } else {
        wheel->head[slot] = node->next;
        if (!node->next) {
            wheel->bits[slot / 64] &= ~(UINT64_C(1) << slot % 64);
            if (!wheel->bits[slot / 64])
                wheel->words &= ~(UINT64_C(1) << slot / 64);
        }
    }
    node->slot = WHEEL_IDLE;
    wheel->linked--;
}

void wheel_hasten(struct wheel *wheel, uint32_t ref, uint64_t when) {
    struct wheel_node *node = node_at(wheel, ref);
    if (wheel_linked(node)) {
        uint64_t parked = (node->slot - wheel->tick) & SLOT_MASK;
        if (parked <= tick_of(wheel, when) - wheel->tick)
            return;
        wheel_remove(wheel, ref);
    }
    wheel_insert(wheel, ref, when);
}

/* Ticks from wheel->tick to the first slot with nodes; there is one. */
static unsigned distance(const struct wheel *wheel) {
    unsigned from = wheel->tick & SLOT_MASK;
    uint64_t word = wheel->bits[from / 64] >> from % 64;
    if (word)
        return (unsigned)__builtin_ctzll(word);
    /* The words after this one, rotated so that the next comes first; this one comes last. */
    unsigned next = from / 64 + 1;
    uint64_t words = next % 64 ? wheel->words >> next | wheel->words << (64 - next) : wheel->words;
    unsigned index = (next + (unsigned)__builtin_ctzll(words)) % 64;
    unsigned slot = index * 64 + (unsigned)__builtin_ctzll(wheel->bits[index]);
    return (slot - from) & SLOT_MASK;
}

bool wheel_advance(struct wheel *wheel, uint64_t now, unsigned *budget,
                   void (*visit)(void *argument, uint32_t ref), void *argument) {
    uint64_t last = now >> wheel->shift;
    if (last < wheel->tick)
        return false;
    /* A whole turn behind, every node is due: one round over the slots finds them all. */
    if (last - wheel->tick >= WHEEL_SLOTS)
        wheel->tick = last - WHEEL_SLOTS + 1;

    while (wheel->linked) {
        uint64_t tick = wheel->tick + distance(wheel);
        if (tick > last)
            break;
        wheel->tick = tick;
        uint32_t ref;
        while ((ref = wheel->head[tick & SLOT_MASK]) != 0) {
            if (*budget == 0)
                return true;
            --*budget;
            uint32_t next = node_at(wheel, ref)->next;
            if (next)
                __builtin_prefetch(node_at(wheel, next));
            wheel_remove(wheel, ref);
            visit(argument, ref);
        }
        wheel->tick = tick + 1;
    }
    wheel->tick = last + 1;
    return false;
}

uint64_t wheel_next(const struct wheel *wheel) {
    if (!wheel->linked)
        return UINT64_MAX;
    return (wheel->tick + distance(wheel)) << wheel->shift;
}
