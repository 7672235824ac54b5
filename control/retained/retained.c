/* SPDX-License-Identifier: Apache-2.0 */
#include "control/retained/retained.h"

#include <stdlib.h>

#include "control/retained/order.h"
#include "control/sessions/table.h"
#include "dataplane/topics/topic.h"

enum { HEIGHT_MAX = 14 }; /* a quarter of the nodes reach each next level: 4^13 topics */

/* A topic. next[0] leads through all topics in order, next[i] over more and more of them. */
struct node {
    struct message *message;
    uint64_t epoch;
    uint8_t height;
    uint8_t pad[3];
    ref_t next[]; /* struct node */
};

struct retained {
    struct parcels *parcels;
    void *base;
    struct table table; /* topic_hash -> struct node */
    uint64_t limit, count, bytes;
    uint64_t deleted; /* topics, ever */
    uint64_t random;
    ref_t first[HEIGHT_MAX];
};

struct retained *retained_create(struct parcels *parcels, uint64_t limit) {
    struct retained *retained = calloc(1, sizeof *retained);
    if (retained != NULL) {
        retained->parcels = parcels;
        retained->base = parcels->pool->base;
        retained->limit = limit;
        retained->random = UINT64_C(0x9e3779b97f4a7c15);
        table_init(&retained->table, parcels->pool);
    }
    return retained;
}

static struct node *node_at(const struct retained *retained, ref_t ref) {
    return ref != 0 ? arena_at(retained->base, ref) : NULL;
}

static size_t node_size(unsigned height) {
    return sizeof(struct node) + height * sizeof(ref_t);
}

void retained_destroy(struct retained *retained) {
    if (retained == NULL)
        return;
    for (struct node *node = node_at(retained, retained->first[0]); node != NULL;) {
        struct node *next = node_at(retained, node->next[0]);
        parcel_release(retained->parcels, node->message);
        pool_free(retained->parcels->pool, node, node_size(node->height));
        node = next;
    }
    table_free(&retained->table);
    free(retained);
}

struct wanted {
    const struct retained *retained;
    const uint8_t *topic;
    size_t len;
};

static bool has_topic(const void *context, uint32_t ref) {
    const struct wanted *wanted = context;
    const struct message *message = node_at(wanted->retained, ref)->message;
    return message->topic_len == wanted->len &&
           memcmp(message_topic(message), wanted->topic, wanted->len) == 0;
}

static struct node *find(const struct retained *retained, const uint8_t *topic, size_t len) {
    struct wanted wanted = {retained, topic, len};
    return node_at(retained,
                   table_find(&retained->table, topic_hash(topic, len), has_topic, &wanted));
}

/* The links that lead to `place` on each level: those of the last node before it. */
static void seek_links(struct retained *retained, const struct topic_place *place,
                       ref_t *links[HEIGHT_MAX]) {
    ref_t *next = retained->first;
    for (unsigned level = HEIGHT_MAX; level-- > 0;) {
        struct node *node;
        while ((node = node_at(retained, next[level])) != NULL &&
               topic_order(message_topic(node->message), node->message->topic_len, place) < 0)
            next = node->next;
        links[level] = &next[level];
    }
}

static struct node *seek(struct retained *retained, const struct topic_place *place) {
    ref_t *links[HEIGHT_MAX];
    seek_links(retained, place, links);
    return node_at(retained, *links[0]);
}

static struct topic_place place_of(const struct message *message) {
    return (struct topic_place){message_topic(message), NULL, message->topic_len, 0};
}

/* xorshift64* (Vigna): no peer sees or steers it. */
static unsigned random_height(struct retained *retained) {
    retained->random ^= retained->random >> 12;
    retained->random ^= retained->random << 25;
    retained->random ^= retained->random >> 27;
    uint64_t bits = (retained->random * UINT64_C(0x2545f4914f6cdd1d)) >> 32;
    unsigned height = 1;
    while (height < HEIGHT_MAX && (bits & 3) == 0) {
        height++;
        bits >>= 2;
    }
    return height;
}

static void replace_message(struct retained *retained, struct node *node, struct message *message,
                            uint64_t epoch) {
    retained->bytes += message->parcel.size;
    retained->bytes -= node->message->parcel.size;
    parcel_release(retained->parcels, node->message);
    node->message = message_ref(message);
    node->epoch = epoch;
}

enum retained_result retained_put(struct retained *retained, struct message *message,
                                  uint64_t epoch) {
    struct node *node = find(retained, message_topic(message), message->topic_len);
    if (node != NULL) {
        replace_message(retained, node, message, epoch);
        return RETAINED_STORED;
    }
    if (retained->count >= retained->limit)
        return RETAINED_FULL;
    unsigned height = random_height(retained);
    node = pool_alloc(retained->parcels->pool, node_size(height));
    if (node == NULL)
        return RETAINED_NO_MEMORY;
    ref_t ref = arena_ref(retained->base, node);
    uint64_t hash = topic_hash(message_topic(message), message->topic_len);
    if (!table_insert(&retained->table, hash, ref)) {
        pool_free(retained->parcels->pool, node, node_size(height));
        return RETAINED_NO_MEMORY;
    }
    *node =
        (struct node){.message = message_ref(message), .epoch = epoch, .height = (uint8_t)height};
    struct topic_place place = place_of(message);
    ref_t *links[HEIGHT_MAX];
    seek_links(retained, &place, links);
    for (unsigned level = 0; level < height; level++) {
        node->next[level] = *links[level];
        *links[level] = ref;
    }
    retained->count++;
    retained->bytes += message->parcel.size + node_size(height);
    return RETAINED_STORED;
}

bool retained_delete(struct retained *retained, const uint8_t *topic, size_t len) {
    struct node *node = find(retained, topic, len);
    if (node == NULL)
        return false;
    ref_t ref = arena_ref(retained->base, node);
    struct topic_place place = place_of(node->message);
    ref_t *links[HEIGHT_MAX];
    seek_links(retained, &place, links);
    for (unsigned level = 0; level < node->height; level++)
        *links[level] = node->next[level];
    table_remove(&retained->table, topic_hash(topic, len), ref);
    retained->count--;
    retained->deleted++;
    retained->bytes -= node->message->parcel.size + node_size(node->height);
    parcel_release(retained->parcels, node->message);
    pool_free(retained->parcels->pool, node, node_size(node->height));
    return true;
}

struct message *retained_get(const struct retained *retained, const uint8_t *topic, size_t len,
                             uint64_t *epoch) {
    struct node *node = find(retained, topic, len);
    if (node == NULL)
        return NULL;
    *epoch = node->epoch;
    return node->message;
}

/* The cursor stands before `node`; NULL ends the walk. */
static void stand(struct retained *retained, struct retained_cursor *cursor,
                  const struct node *node) {
    if (cursor->at != NULL)
        parcel_release(retained->parcels, cursor->at);
    cursor->at = node != NULL ? message_ref(node->message) : NULL;
    cursor->node = node != NULL ? arena_ref(retained->base, node) : 0;
    cursor->deleted = retained->deleted;
    cursor->ended = node == NULL;
}

static struct node *resume(struct retained *retained, const struct retained_cursor *cursor,
                           const uint8_t *filter, size_t len) {
    if (cursor->begun && cursor->deleted == retained->deleted)
        return node_at(retained, cursor->node);
    struct topic_place place = cursor->begun ? place_of(cursor->at) : topic_start(filter, len);
    return seek(retained, &place);
}

static struct message *next_exact(struct retained *retained, struct retained_cursor *cursor,
                                  const uint8_t *filter, size_t len, uint64_t *epoch) {
    cursor->ended = true;
    return retained_get(retained, filter, len, epoch);
}

struct message *retained_next(struct retained *retained, struct retained_cursor *cursor,
                              const uint8_t *filter, size_t len, unsigned *budget,
                              uint64_t *epoch) {
    if (cursor->ended || *budget == 0)
        return NULL;
    if (!topic_filter_has_wildcard(filter, len)) {
        --*budget;
        return next_exact(retained, cursor, filter, len, epoch);
    }
    struct node *node = resume(retained, cursor, filter, len);
    struct message *found = NULL;
    cursor->begun = true;
    while (node != NULL && *budget > 0 && found == NULL) {
        struct topic_place place;
        --*budget;
        switch (topic_step(filter, len, message_topic(node->message), node->message->topic_len,
                           &place)) {
        case STEP_MATCH:
            found = node->message;
            *epoch = node->epoch;
            node = node_at(retained, node->next[0]);
            break;
        case STEP_NEXT:
            node = node_at(retained, node->next[0]);
            break;
        case STEP_SEEK:
            node = seek(retained, &place);
            break;
        case STEP_END:
            node = NULL;
            break;
        }
    }
    stand(retained, cursor, node);
    return found;
}

void retained_cursor_end(struct retained *retained, struct retained_cursor *cursor) {
    if (cursor->at != NULL)
        parcel_release(retained->parcels, cursor->at);
    *cursor = (struct retained_cursor){0};
}

uint64_t retained_count(const struct retained *retained) {
    return retained->count;
}

uint64_t retained_bytes(const struct retained *retained) {
    return retained->bytes;
}
