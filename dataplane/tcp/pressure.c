/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/pressure.h"

#include "dataplane/tcp/receive.h"
#include "dataplane/tcp/stack.h"

enum {
    REFUSE_SHIFT = 3, /* the first level begins when 1/8 is left, each further one at half of it */
    RELIEF_SHIFT = 6, /* 1/64 */
};

enum pressure_level pressure_level(size_t used, size_t limit, enum pressure_level before) {
    unsigned level = PRESSURE_NONE;
    for (; level < PRESSURE_HOLD; level++) {
        size_t from = limit - (limit >> (REFUSE_SHIFT + level));
        if (before > level)
            from -= limit >> RELIEF_SHIFT;
        if (used < from)
            break;
    }
    return level;
}

static void level_set(struct tcp *tcp) {
    struct pressure *pressure = &tcp->pressure;
    uint8_t before = pressure->level;
    uint8_t level = pressure->memory > pressure->frames ? pressure->memory : pressure->frames;
    if (level == before)
        return;
    pressure->level = level;
    if (before == PRESSURE_NONE) {
        count(tcp->counters, COUNTER_TCP_PRESSURES);
        pool_trim(tcp->pool); /* the empty spans that it keeps in hand may be enough */
    }
    if (before < PRESSURE_HOLD && level == PRESSURE_HOLD)
        count(tcp->counters, COUNTER_TCP_PRESSURE_HOLDS);
    bool sheds = before < PRESSURE_SHED && level >= PRESSURE_SHED;
    bool opens = before == PRESSURE_HOLD;
    if (sheds || opens) {
        pressure->visiting = true;
        pressure->position = 0;
    }
}

void pressure_update(struct tcp *tcp) {
    const struct arena *arena = tcp->pool->arena;
    size_t kept = slab_bytes(&tcp->conns);
    tcp->pressure.memory =
        pressure_level(arena_used(arena) - kept, arena_limit(arena) - kept, tcp->pressure.memory);
    level_set(tcp);
}

void tcp_frames(struct tcp *tcp, size_t used, size_t limit) {
    tcp->pressure.frames = limit ? pressure_level(used, limit, tcp->pressure.frames) : 0;
    level_set(tcp);
}

static void visit(void *argument, struct tcp_conn *conn) {
    struct tcp *tcp = argument;
    if (tcp->pressure.level >= PRESSURE_SHED)
        receive_shed(tcp, conn);
    /* Output knows how far it may open. */
    if (tcp->pressure.level < PRESSURE_HOLD && conn->rcv_wnd <= first_window(tcp) / 2)
        conn_touch(tcp, conn);
}

bool pressure_visit(struct tcp *tcp) {
    struct pressure *pressure = &tcp->pressure;
    if (!pressure->visiting)
        return false;
    tcp_each(tcp, &pressure->position, PRESSURE_VISITS, visit, tcp);
    pressure->visiting = pressure->position != 0;
    return pressure->visiting;
}
