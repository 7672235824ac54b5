/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/send_queue.h"

#include "dataplane/mqtt/codec.h"

static struct send_chunk *new_chunk(struct pool *pool) {
    struct send_chunk *chunk = pool_alloc(pool, sizeof *chunk);

    if (chunk != NULL) {
        chunk->next = NULL;
        chunk->first = 0;
        chunk->end = 0;
    }
    return chunk;
}

static void free_chunks(struct send_chunk *chunk, struct pool *pool) {
    while (chunk != NULL) {
        struct send_chunk *next = chunk->next;
        pool_free(pool, chunk, sizeof *chunk);
        chunk = next;
    }
}

/* Room for `entries` more behind the last: the chunks missing are hung on to the tail, empty. */
static bool reserve(struct send_queue *queue, struct pool *pool, size_t entries) {
    size_t room = 0;
    uint32_t added = 0;
    struct send_chunk *last = queue->tail;

    for (struct send_chunk *chunk = queue->tail; chunk != NULL; chunk = chunk->next) {
        room += SEND_CHUNK_ENTRIES - chunk->end;
        last = chunk;
    }
    struct send_chunk *first_new = NULL, *last_new = NULL;
    while (room < entries) {
        struct send_chunk *chunk = new_chunk(pool);
        if (chunk == NULL) {
            free_chunks(first_new, pool);
            return false;
        }
        if (first_new == NULL)
            first_new = chunk;
        else
            last_new->next = chunk;
        last_new = chunk;
        added++;
        room += SEND_CHUNK_ENTRIES;
    }
    queue->chunks += added;
    if (first_new == NULL)
        return true;
    if (last != NULL)
        last->next = first_new;
    else
        queue->head = queue->tail = first_new;
    return true;
}

/* The next free entry; reserved. */
static struct send_entry *append(struct send_queue *queue) {
    if (queue->tail->end == SEND_CHUNK_ENTRIES)
        queue->tail = queue->tail->next;
    return &queue->tail->entries[queue->tail->end++];
}

bool send_queue_reserve(struct send_queue *queue, struct pool *pool) {
    return reserve(queue, pool, 1);
}

bool send_queue_bytes(struct send_queue *queue, struct pool *pool, const void *bytes, size_t len) {
    const uint8_t *from = bytes;

    if (queue->bytes + len > SEND_QUEUE_BYTES_MAX ||
        !reserve(queue, pool, (len + SEND_OWN_BYTES - 1) / SEND_OWN_BYTES))
        return false;
    queue->bytes += (uint32_t)len;
    queue->own_bytes += (uint32_t)len;
    while (len > 0) {
        size_t n = len < SEND_OWN_BYTES ? len : SEND_OWN_BYTES;
        struct send_entry *entry = append(queue);

        entry->message = NULL;
        entry->len = (uint32_t)n;
        entry->header_len = 0;
        memcpy(entry->bytes, from, n);
        from += n;
        len -= n;
    }
    return true;
}

uint32_t send_queue_publish(struct send_queue *queue, struct pool *pool, struct message *message,
                            uint16_t packet_id, uint8_t qos, bool retain, bool dup) {
    uint32_t remaining = message_body_len(message) + (qos ? 2 : 0);

    if ((uint64_t)queue->bytes + remaining + FIXED_HEADER_MAX > SEND_QUEUE_BYTES_MAX ||
        !reserve(queue, pool, 1))
        return 0;
    struct send_entry *entry = append(queue);
    entry->message = message_ref(message);
    entry->header_len = (uint8_t)encode_publish(entry->bytes, qos, retain, dup, remaining);
    if (qos)
        store_be16(entry->bytes + entry->header_len, packet_id);
    entry->len = entry->header_len + remaining;
    queue->bytes += entry->len;
    return entry->len;
}

/* What is still to be copied. */
struct copy {
    uint8_t *to;
    size_t left;
    uint32_t skip; /* bytes of the entry to pass over first */
};

static void copy_part(struct copy *copy, const uint8_t *from, uint32_t len) {
    if (copy->skip >= len) {
        copy->skip -= len;
        return;
    }
    size_t n = len - copy->skip;
    if (n > copy->left)
        n = copy->left;
    memcpy(copy->to, from + copy->skip, n);
    copy->to += n;
    copy->left -= n;
    copy->skip = 0;
}

static void copy_entry(struct copy *copy, const struct send_entry *entry) {
    const struct message *message = entry->message;

    if (message == NULL) {
        copy_part(copy, entry->bytes, entry->len);
        return;
    }
    uint32_t body = message_body_len(message);
    uint32_t topic = 2u + message->topic_len;
    copy_part(copy, entry->bytes, entry->header_len);
    copy_part(copy, message->bytes, topic);
    copy_part(copy, entry->bytes + entry->header_len, entry->len - entry->header_len - body);
    copy_part(copy, message->bytes + topic, body - topic);
}

static void cursor_to_head(struct send_queue *queue) {
    queue->cursor = queue->head;
    queue->cursor_index = queue->head->first;
    queue->cursor_offset = 0;
}

static void cursor_next(struct send_queue *queue) {
    queue->cursor_offset += queue->cursor->entries[queue->cursor_index].len;
    queue->cursor_index++;
    if (queue->cursor_index == queue->cursor->end && queue->cursor->next != NULL) {
        queue->cursor = queue->cursor->next;
        queue->cursor_index = queue->cursor->first;
    }
}

/* Ends with the cursor at the entry in which the next sequential fetch begins, or after the last:
 * what is appended to that chunk, or to one hung on to it, begins there. */
void send_queue_fetch(struct send_queue *queue, uint32_t offset, uint8_t *to, size_t len) {
    uint32_t position = offset + queue->done;

    if (len == 0)
        return;
    if (queue->cursor == NULL || position < queue->cursor_offset)
        cursor_to_head(queue);
    else if (queue->cursor_index == queue->cursor->end && queue->cursor->next != NULL) {
        queue->cursor = queue->cursor->next;
        queue->cursor_index = queue->cursor->first;
    }
    while (position - queue->cursor_offset >= queue->cursor->entries[queue->cursor_index].len)
        cursor_next(queue);

    struct copy copy = {to, len, position - queue->cursor_offset};
    for (;;) {
        const struct send_entry *entry = &queue->cursor->entries[queue->cursor_index];

        copy_entry(&copy, entry);
        if (copy.left == 0) {
            /* Stay in an entry that is not used up. */
            if (position + len == queue->cursor_offset + entry->len)
                cursor_next(queue);
            return;
        }
        cursor_next(queue);
    }
}

static void drop_first(struct send_queue *queue, struct parcels *parcels) {
    struct send_chunk *chunk = queue->head;
    struct send_entry *entry = &chunk->entries[chunk->first];

    if (queue->cursor == chunk && queue->cursor_index <= chunk->first)
        queue->cursor = NULL;
    else if (queue->cursor != NULL)
        queue->cursor_offset -= entry->len;
    if (entry->message != NULL)
        parcel_release(parcels, entry->message);
    else
        queue->own_bytes -= entry->len;
    chunk->first++;
    if (chunk->first == chunk->end && (chunk->end == SEND_CHUNK_ENTRIES || chunk->next != NULL)) {
        if (queue->cursor == chunk)
            queue->cursor = NULL;
        queue->head = chunk->next;
        if (queue->tail == chunk)
            queue->tail = chunk->next;
        pool_free(parcels->pool, chunk, sizeof *chunk);
        queue->chunks--;
    }
}

void send_queue_acknowledged(struct send_queue *queue, struct parcels *parcels, uint32_t len) {
    queue->bytes -= len;
    len += queue->done;
    queue->done = 0;
    while (len > 0) {
        struct send_entry *entry = &queue->head->entries[queue->head->first];

        if (len < entry->len) {
            queue->done = len;
            return;
        }
        len -= entry->len;
        drop_first(queue, parcels);
    }
}

void send_queue_clear(struct send_queue *queue, struct parcels *parcels) {
    for (struct send_chunk *chunk = queue->head; chunk != NULL; chunk = chunk->next)
        for (unsigned i = chunk->first; i < chunk->end; i++)
            if (chunk->entries[i].message != NULL)
                parcel_release(parcels, chunk->entries[i].message);
    free_chunks(queue->head, parcels->pool);
    *queue = (struct send_queue){0};
}
