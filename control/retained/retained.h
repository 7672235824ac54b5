/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retained messages of one shard (OASIS MQTT 3.1.1, 3.3.1.3): one for each topic, found by its
 * topic (hash table) and, for wildcard filters, in the order of topics (skip list). In that order
 * `/` comes before every other character, so a topic is followed directly by all below it, and a
 * walk along a filter can leap over what cannot match.
 *
 * A walk may be left at any time and continued later: its cursor holds the message where it stands.
 * A topic that is there all the time is visited once, whatever comes and goes beside it.
 *
 * Thread: the shard.
 */
#ifndef LINEMQ_CONTROL_RETAINED_RETAINED_H
#define LINEMQ_CONTROL_RETAINED_RETAINED_H

#include "dataplane/message/message.h"

struct retained;

/* At most `limit` topics. NULL: no memory. */
struct retained *retained_create(struct parcels *parcels, uint64_t limit);
void retained_destroy(struct retained *retained);

enum retained_result {
    RETAINED_STORED,
    RETAINED_FULL, /* `limit` topics are there */
    RETAINED_NO_MEMORY,
};

/* Makes `message` (of the store's own pool) its topic's retained one; takes its own reference.
 * `epoch`: that it was matched in. */
enum retained_result retained_put(struct retained *retained, struct message *message,
                                  uint64_t epoch);

/* False: there was none. */
bool retained_delete(struct retained *retained, const uint8_t *topic, size_t len);

/* The message, still the store's. NULL: none. */
struct message *retained_get(const struct retained *retained, const uint8_t *topic, size_t len,
                             uint64_t *epoch);

/* A walk: zero at the start. */
struct retained_cursor {
    struct message *at; /* a reference; the next to be visited, perhaps gone meanwhile */
    ref_t node;         /* its place in the store, for as long as nothing is deleted there */
    uint64_t deleted;
    bool begun, ended;
};

/*
 * The next message that matches the filter (which is valid), still the store's. NULL: the walk has
 * ended (cursor->ended), or *budget steps, which are counted down, were not enough.
 */
struct message *retained_next(struct retained *retained, struct retained_cursor *cursor,
                              const uint8_t *filter, size_t len, unsigned *budget, uint64_t *epoch);
/* Before a cursor is forgotten. */
void retained_cursor_end(struct retained *retained, struct retained_cursor *cursor);

uint64_t retained_count(const struct retained *retained);
uint64_t retained_bytes(const struct retained *retained); /* messages and what holds them */

#endif
