/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in flight: which sequence numbers were sent when, and what the peer has said of them (RFC
 * 6675 3, RFC 8985 5.2). One record stands for bytes that were sent one behind the other at one
 * time and share their fate, so that a burst costs one record and only holes cost more:
 *
 *     una                                                     end
 *      |-- lost --|-- sent again --|-- sacked --|-- in flight --|
 *
 * The first few records lie in the scoreboard, an array from the pool takes more. Without memory
 * for it the scoreboard knows less and stays right: a SACK block that finds no room is ignored, and
 * bytes sent later join the record before them.
 *
 * Times are microseconds modulo 2^32. Pure. Thread: the pool's owner.
 */
#ifndef LINEMQ_TCP_SCOREBOARD_H
#define LINEMQ_TCP_SCOREBOARD_H

#include "dataplane/message/pool.h"
#include "dataplane/tcp/seq.h"

enum {
    DUP_THRESH = 3, /* RFC 6675 2: so many segments from behind a hole make it a loss */
    SCOREBOARD_FEW = 4,
    SCOREBOARD_MAX = 256, /* records: bounds the walks, and the holes that are told apart */
};

enum sent_flag {
    SENT_SACKED = 1,
    SENT_LOST = 2,  /* to be sent again; not in the network */
    SENT_AGAIN = 4, /* was sent more than once: its acknowledgement is ambiguous (Karn) */
};

struct sent_record {
    uint32_t end; /* the first sequence number behind it; it begins where the one before ends */
    uint32_t at;  /* when it was last sent */
    uint16_t segments; /* in how many segments */
    uint8_t flags;
    uint8_t spare;
};

/* Where records come from that do not fit in. */
struct sent_memory {
    struct pool *pool;
    uint64_t bytes; /* in use */
};

struct scoreboard {
    uint32_t una, end; /* what is in flight; equal: nothing */
    uint32_t sacked;   /* bytes with SENT_SACKED */
    uint32_t lost;     /* bytes with SENT_LOST */
    uint32_t fack;     /* behind the highest byte acknowledged or sacked, RACK.fack */
    uint16_t sacked_segments;
    uint16_t first, count; /* records [first, first + count) of the array */
    uint16_t room;         /* of the array */
    ref_t more;            /* 0: the records are `few` */
    struct sent_record few[SCOREBOARD_FEW];
};

/* Of two that end at `end` and were sent at `at`: was the first sent after the second? (RFC 8985
 * 6.2, RACK_sent_after) */
static inline bool sent_after(uint32_t at, uint32_t end, uint32_t than_at, uint32_t than_end) {
    return seq_gt(at, than_at) || (at == than_at && seq_gt(end, than_end));
}

/* What an ACK delivered, gathered over its parts: zero first, then scoreboard_ack and
 * scoreboard_sack add to it. */
struct delivery {
    uint32_t bytes;               /* acknowledged or sacked for the first time */
    bool once, again;             /* something sent once, something sent again was among it */
    bool reordered;               /* something sent once came after something from behind it */
    uint32_t first_at;            /* of the first sent once */
    uint32_t once_at, once_end;   /* of the one sent once that was sent last */
    uint32_t again_at, again_end; /* of the one sent again that was sent last */
};

static inline void scoreboard_init(struct scoreboard *board, uint32_t una) {
    board->una = board->end = board->fack = una;
    board->sacked = board->lost = 0;
    board->sacked_segments = 0;
    board->first = board->count = 0;
    board->room = SCOREBOARD_FEW;
    board->more = 0;
}

/* Forgets everything and gives the memory back. */
void scoreboard_clear(struct scoreboard *board, struct sent_memory *memory);

/* Record i of board->count; with none, where the next one goes. */
static inline struct sent_record *scoreboard_record(struct scoreboard *board, void *base,
                                                    unsigned i) {
    struct sent_record *records =
        board->more ? (struct sent_record *)arena_at(base, board->more) : board->few;
    return records + board->first + i;
}

bool scoreboard_make_ready(struct scoreboard *board, struct sent_memory *memory);

/* Room for the next new bytes. False: there is none; they have to wait for an acknowledgement. */
static inline bool scoreboard_ready(struct scoreboard *board, struct sent_memory *memory) {
    return board->first + board->count < board->room || scoreboard_make_ready(board, memory);
}

void scoreboard_sent_any(struct scoreboard *board, struct sent_memory *memory, uint32_t seq,
                         uint32_t end, uint32_t now);

/* [seq, end) was sent: new from board->end on, again before it. `seq` is at most board->end; new
 * bytes need scoreboard_ready. Bytes sent again must be part of one record, from its beginning on
 * if memory is short. */
static inline void scoreboard_sent(struct scoreboard *board, struct sent_memory *memory,
                                   uint32_t seq, uint32_t end, uint32_t now) {
    void *base = memory->pool->base;
    if (board->count == 0) {
        *scoreboard_record(board, base, 0) =
            (struct sent_record){.end = end, .at = now, .segments = 1};
        board->count = 1;
        board->end = end;
        return;
    }
    /* A burst goes on. */
    struct sent_record *last = scoreboard_record(board, base, board->count - 1u);
    if (seq == board->end && last->flags == 0 && last->at == now && last->segments < UINT16_MAX) {
        last->end = board->end = end;
        last->segments++;
        return;
    }
    scoreboard_sent_any(board, memory, seq, end, now);
}

/* All before `ack` (una <= ack <= end) was acknowledged. */
void scoreboard_ack(struct scoreboard *board, void *base, uint32_t ack, struct delivery *delivery);

/* What is in flight is one record, of what was sent once: the usual case, without a walk. */
static inline bool scoreboard_is_one(struct scoreboard *board, void *base) {
    return board->count == 1 && scoreboard_record(board, base, 0)->flags == 0;
}
/* That was acknowledged, all of it. Returns when it was sent. */
static inline uint32_t scoreboard_ack_one(struct scoreboard *board, void *base) {
    uint32_t at = scoreboard_record(board, base, 0)->at;
    board->first = board->count = 0;
    board->una = board->end;
    board->fack = seq_max(board->fack, board->una);
    return at;
}

/* [left, right) has arrived; una < left < right <= end. False: no memory to note that. Blocks of
 * one ACK come in ascending order. */
bool scoreboard_sack(struct scoreboard *board, struct sent_memory *memory, uint32_t left,
                     uint32_t right, struct delivery *delivery);

/* Record i is lost. */
void scoreboard_lose(struct scoreboard *board, void *base, unsigned i);
/* The first `len` bytes are lost, if they are in flight. */
void scoreboard_lose_first(struct scoreboard *board, struct sent_memory *memory, uint32_t len);
/* What RFC 6675 4 calls IsLost: DUP_THRESH segments, or more than DUP_THRESH - 1 times `mss` bytes,
 * were sacked behind it. Only what was sent once. Returns the number of segments marked. */
unsigned scoreboard_lose_by_sack(struct scoreboard *board, void *base, uint32_t mss);
/* SACK counts for nothing from now on (RFC 2018 8), and all that was sent at `before` or earlier is
 * lost; the first segment whenever it was sent. */
void scoreboard_forget(struct scoreboard *board, void *base, uint32_t before);
/* All but what is sacked is lost. */
void scoreboard_lose_all(struct scoreboard *board, void *base);
/* Nothing was lost. */
void scoreboard_find(struct scoreboard *board, void *base);

/* The first range that is lost; something is. */
void scoreboard_next_lost(struct scoreboard *board, void *base, uint32_t *seq, uint32_t *end);

#endif
