/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/scoreboard.h"

#include <string.h>

enum { ROOM_FIRST = 16 };

static struct sent_record *record(struct scoreboard *board, void *base, unsigned i) {
    return scoreboard_record(board, base, i);
}

static uint32_t start_of(struct scoreboard *board, void *base, unsigned i) {
    return i ? record(board, base, i - 1)->end : board->una;
}

/* The record that holds `seq`, which is in flight. */
static unsigned find(struct scoreboard *board, void *base, uint32_t seq) {
    unsigned low = 0, high = board->count - 1u;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (seq_gt(record(board, base, middle)->end, seq))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void scoreboard_clear(struct scoreboard *board, struct sent_memory *memory) {
    if (board->more) {
        size_t size = board->room * sizeof(struct sent_record);
        pool_free(memory->pool, arena_at(memory->pool->base, board->more), size);
        memory->bytes -= size;
    }
    scoreboard_init(board, board->una);
}

/* --- room ------------------------------------------------------------------------------------ */

/* May two neighbours be one? What is sacked or lost needs no time of its own: the earlier one is
 * the careful choice for a round trip, and what is sent again gets another anyway. */
static bool alike(const struct sent_record *a, const struct sent_record *b) {
    if ((uint32_t)a->segments + b->segments > UINT16_MAX)
        return false;
    if (a->flags & b->flags & (SENT_SACKED | SENT_LOST))
        return true;
    return a->flags == b->flags && a->at == b->at;
}

static void join_neighbours(struct scoreboard *board, void *base) {
    unsigned kept = 0;
    for (unsigned i = 1; i < board->count; i++) {
        struct sent_record *last = record(board, base, kept);
        const struct sent_record *next = record(board, base, i);
        if (alike(last, next)) {
            last->end = next->end;
            last->segments = (uint16_t)(last->segments + next->segments);
            last->flags |= next->flags;
            if (seq_lt(next->at, last->at))
                last->at = next->at;
        } else {
            *record(board, base, ++kept) = *next;
        }
    }
    if (board->count)
        board->count = (uint16_t)(kept + 1);
}

/* Room for `more` records behind the last. */
static bool make_room(struct scoreboard *board, struct sent_memory *memory, unsigned more) {
    void *base = memory->pool->base;
    unsigned room = board->room;
    if (board->first + board->count + more <= room)
        return true;
    /* What is alike joins first; callers look for their record afterwards. */
    if (board->count + more > room)
        join_neighbours(board, base);
    unsigned want = room;
    while (board->count + more > want)
        want = want < ROOM_FIRST ? ROOM_FIRST : 2 * want;
    if (want > SCOREBOARD_MAX)
        return false;
    struct sent_record *from = record(board, base, 0);
    struct sent_record *to = from - board->first;
    if (want > room) {
        to = pool_alloc(memory->pool, want * sizeof *to);
        if (!to)
            return false;
        memory->bytes += want * sizeof *to;
    }
    memmove(to, from, board->count * sizeof *to);
    if (want > room) {
        if (board->more) {
            size_t size = board->room * sizeof *to;
            pool_free(memory->pool, arena_at(base, board->more), size);
            memory->bytes -= size;
        }
        board->more = arena_ref(base, to);
        board->room = (uint16_t)want;
    }
    board->first = 0;
    return true;
}

/* Record i ends at `seq`, which lies within it, and a further one takes the rest. Needs room. */
static void split(struct scoreboard *board, void *base, unsigned i, uint32_t seq) {
    struct sent_record *whole = record(board, base, i);
    uint32_t start = start_of(board, base, i);
    memmove(whole + 1, whole, (board->count - i) * sizeof *whole);
    board->count++;
    uint64_t front = seq - start, all = whole->end - start;
    uint32_t segments = (uint32_t)((whole->segments * front + all / 2) / all);
    if (segments >= whole->segments)
        segments = whole->segments - 1u;
    if (segments == 0)
        segments = 1;
    whole->end = seq;
    whole[1].segments = (uint16_t)(whole->segments > segments ? whole->segments - segments : 1);
    whole->segments = (uint16_t)segments;
}

/* Would a boundary at `seq` split a record? What is sacked needs none within it. */
static unsigned splits(struct scoreboard *board, void *base, uint32_t seq) {
    if (seq == board->end)
        return 0;
    unsigned i = find(board, base, seq);
    return start_of(board, base, i) != seq && !(record(board, base, i)->flags & SENT_SACKED);
}

/* Room for `more` splits. Joining may take a boundary away that made a split needless: then both
 * ends of a range may need one. */
static bool room_to_split(struct scoreboard *board, struct sent_memory *memory, unsigned more) {
    return board->first + board->count + more <= board->room || make_room(board, memory, 2);
}

/* Splits the record that `seq` lies within. Needs room. */
static void split_at(struct scoreboard *board, void *base, uint32_t seq) {
    if (splits(board, base, seq))
        split(board, base, find(board, base, seq), seq);
}

/* --- sent ------------------------------------------------------------------------------------ */

bool scoreboard_make_ready(struct scoreboard *board, struct sent_memory *memory) {
    if (make_room(board, memory, 1))
        return true;
    return !(record(board, memory->pool->base, board->count - 1u)->flags &
             (SENT_SACKED | SENT_LOST));
}

static void sent_new(struct scoreboard *board, struct sent_memory *memory, uint32_t end,
                     uint32_t now) {
    void *base = memory->pool->base;
    board->end = end;
    if (make_room(board, memory, 1)) {
        *record(board, base, board->count++) =
            (struct sent_record){.end = end, .at = now, .segments = 1};
        return;
    }
    /* Taken for sent later than it was, the record is taken for lost later. */
    struct sent_record *last = record(board, base, board->count - 1u);
    last->end = end;
    last->at = now;
    if (last->segments < UINT16_MAX)
        last->segments++;
}

static void sent_again(struct scoreboard *board, struct sent_memory *memory, uint32_t seq,
                       uint32_t end, uint32_t now) {
    void *base = memory->pool->base;
    unsigned more = splits(board, base, seq) + splits(board, base, end);
    bool room = room_to_split(board, memory, more);
    if (room) {
        split_at(board, base, seq);
        split_at(board, base, end);
    }
    unsigned i = find(board, base, seq);
    if (!room && start_of(board, base, i) != seq)
        return;
    struct sent_record *sent = record(board, base, i);
    if (sent->flags & SENT_LOST)
        board->lost -= sent->end - start_of(board, base, i);
    sent->flags = (uint8_t)((sent->flags & ~SENT_LOST) | SENT_AGAIN);
    sent->at = now;
    sent->segments = 1;
}

void scoreboard_sent_any(struct scoreboard *board, struct sent_memory *memory, uint32_t seq,
                         uint32_t end, uint32_t now) {
    if (seq_lt(seq, board->end))
        sent_again(board, memory, seq, seq_lt(end, board->end) ? end : board->end, now);
    if (seq_gt(end, board->end))
        sent_new(board, memory, end, now);
}

/* --- delivered ------------------------------------------------------------------------------- */

/* [start, end) of a record that was not sacked before. */
static void deliver(struct scoreboard *board, const struct sent_record *sent, uint32_t start,
                    uint32_t end, struct delivery *delivery) {
    delivery->bytes += end - start;
    if (sent->flags & SENT_AGAIN) {
        if (!delivery->again ||
            sent_after(sent->at, end, delivery->again_at, delivery->again_end)) {
            delivery->again_at = sent->at;
            delivery->again_end = end;
        }
        delivery->again = true;
    } else {
        if (!delivery->once)
            delivery->first_at = sent->at;
        if (!delivery->once || sent_after(sent->at, end, delivery->once_at, delivery->once_end)) {
            delivery->once_at = sent->at;
            delivery->once_end = end;
        }
        delivery->once = true;
        delivery->reordered |= seq_lt(end, board->fack);
    }
}

static void unmark(struct scoreboard *board, const struct sent_record *sent, uint32_t bytes) {
    if (sent->flags & SENT_SACKED)
        board->sacked -= bytes;
    if (sent->flags & SENT_LOST)
        board->lost -= bytes;
}

void scoreboard_ack(struct scoreboard *board, void *base, uint32_t ack, struct delivery *delivery) {
    while (board->count && seq_lt(board->una, ack)) {
        struct sent_record *sent = record(board, base, 0);
        uint32_t end = seq_lt(ack, sent->end) ? ack : sent->end;
        if (!(sent->flags & SENT_SACKED))
            deliver(board, sent, board->una, end, delivery);
        unmark(board, sent, end - board->una);
        if (end != sent->end) {
            /* At least a segment of it has gone, at least one is left. */
            uint32_t len = sent->end - board->una;
            uint32_t rest = (uint32_t)((uint64_t)sent->segments * (sent->end - end) / len);
            rest = rest ? rest : 1;
            if (sent->flags & SENT_SACKED)
                board->sacked_segments =
                    (uint16_t)(board->sacked_segments - (sent->segments - rest));
            sent->segments = (uint16_t)rest;
        } else {
            if (sent->flags & SENT_SACKED)
                board->sacked_segments = (uint16_t)(board->sacked_segments - sent->segments);
            board->first++;
            board->count--;
        }
        board->una = end;
    }
    if (board->count == 0)
        board->first = 0;
    board->una = ack;
    board->fack = seq_max(board->fack, ack);
}

static void mark_sacked(struct scoreboard *board, void *base, unsigned i,
                        struct delivery *delivery) {
    struct sent_record *sent = record(board, base, i);
    uint32_t start = start_of(board, base, i);
    if (sent->flags & SENT_SACKED)
        return;
    deliver(board, sent, start, sent->end, delivery);
    unmark(board, sent, sent->end - start);
    sent->flags = SENT_SACKED;
    board->sacked += sent->end - start;
    board->sacked_segments = (uint16_t)(board->sacked_segments + sent->segments);
}

bool scoreboard_sack(struct scoreboard *board, struct sent_memory *memory, uint32_t left,
                     uint32_t right, struct delivery *delivery) {
    void *base = memory->pool->base;
    /* Most blocks say again what is known. */
    unsigned i = find(board, base, left);
    const struct sent_record *sent = record(board, base, i);
    if (sent->flags & SENT_SACKED && seq_leq(right, sent->end))
        return true;
    unsigned more = splits(board, base, left) + splits(board, base, right);
    if (!room_to_split(board, memory, more))
        return false;
    split_at(board, base, left);
    split_at(board, base, right);
    for (i = find(board, base, left); i < board->count; i++) {
        if (!seq_lt(start_of(board, base, i), right))
            break;
        mark_sacked(board, base, i, delivery);
    }
    board->fack = seq_max(board->fack, right);
    return true;
}

/* --- lost ------------------------------------------------------------------------------------ */

void scoreboard_lose(struct scoreboard *board, void *base, unsigned i) {
    struct sent_record *sent = record(board, base, i);
    if (sent->flags & (SENT_LOST | SENT_SACKED))
        return;
    sent->flags |= SENT_LOST;
    board->lost += sent->end - start_of(board, base, i);
}

void scoreboard_lose_first(struct scoreboard *board, struct sent_memory *memory, uint32_t len) {
    void *base = memory->pool->base;
    if (board->count == 0)
        return;
    if (!(record(board, base, 0)->flags & (SENT_LOST | SENT_SACKED)) &&
        len < record(board, base, 0)->end - board->una && room_to_split(board, memory, 1))
        split_at(board, base, board->una + len);
    scoreboard_lose(board, base, 0);
}

unsigned scoreboard_lose_by_sack(struct scoreboard *board, void *base, uint32_t mss) {
    uint32_t bytes = 0, segments = 0;
    unsigned lost = 0;
    if (board->sacked == 0)
        return 0;
    for (unsigned i = board->count; i-- > 0;) {
        const struct sent_record *sent = record(board, base, i);
        if (sent->flags & SENT_SACKED) {
            bytes += sent->end - start_of(board, base, i);
            segments += sent->segments;
        } else if (sent->flags == 0 && (segments >= DUP_THRESH || bytes > (DUP_THRESH - 1) * mss)) {
            lost += sent->segments;
            scoreboard_lose(board, base, i);
        }
    }
    return lost;
}

void scoreboard_forget(struct scoreboard *board, void *base, uint32_t before) {
    for (unsigned i = 0; i < board->count; i++) {
        record(board, base, i)->flags &= (uint8_t)~SENT_SACKED;
        if (i == 0 || seq_leq(record(board, base, i)->at, before))
            scoreboard_lose(board, base, i);
    }
    board->sacked = 0;
    board->sacked_segments = 0;
    join_neighbours(board, base);
}

void scoreboard_lose_all(struct scoreboard *board, void *base) {
    for (unsigned i = 0; i < board->count; i++)
        scoreboard_lose(board, base, i);
    join_neighbours(board, base);
}

void scoreboard_find(struct scoreboard *board, void *base) {
    for (unsigned i = 0; i < board->count; i++)
        record(board, base, i)->flags &= (uint8_t)~SENT_LOST;
    board->lost = 0;
}

void scoreboard_next_lost(struct scoreboard *board, void *base, uint32_t *seq, uint32_t *end) {
    unsigned i = 0;
    while (!(record(board, base, i)->flags & SENT_LOST))
        i++;
    *seq = start_of(board, base, i);
    while (i + 1u < board->count && record(board, base, i + 1)->flags & SENT_LOST)
        i++;
    *end = record(board, base, i)->end;
}
