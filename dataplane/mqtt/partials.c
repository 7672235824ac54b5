/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/partials.h"

#include "dataplane/mqtt/shortage.h"

enum {
    GIVEN_UP_MAX = 8, /* for one packet, and in one turn */
    GROWTH = 8,       /* a packet that has grown by 1/8 has not waited */
};

static struct partial *at(const struct mqtt *mqtt, ref_t ref) {
    return ref ? arena_at(mqtt->pool->base, ref) : NULL;
}

void partials_add(struct mqtt *mqtt, struct partial *partial) {
    struct partial *last = at(mqtt, mqtt->partials_last);
    ref_t ref = arena_ref(mqtt->pool->base, partial);

    partial->previous = mqtt->partials_last;
    partial->next = 0;
    *(last != NULL ? &last->next : &mqtt->partials_first) = ref;
    mqtt->partials_last = ref;
    partial->listed = true;
}

void partials_remove(struct mqtt *mqtt, struct partial *partial) {
    struct partial *previous = at(mqtt, partial->previous), *next = at(mqtt, partial->next);

    if (!partial->listed)
        return;
    *(previous != NULL ? &previous->next : &mqtt->partials_first) = partial->next;
    *(next != NULL ? &next->previous : &mqtt->partials_last) = partial->previous;
    partial->listed = false;
}

void partials_grown(struct mqtt *mqtt, struct partial *partial) {
    if (partial->have - partial->grown_at <= partial->grown_at / GROWTH)
        return;
    partial->grown_at = partial->have;
    partials_remove(mqtt, partial);
    partials_add(mqtt, partial);
}

/* The memory goes now, the connection with the next turn: we may be in a call of TCP's about
 * another. */
static void give_up(struct mqtt *mqtt, struct partial *partial) {
    struct connection *connection = arena_at(mqtt->pool->base, partial->connection);

    count(mqtt->counters, COUNTER_MQTT_LIMIT_PARTIAL);
    partial_free(mqtt, connection);
    connection_doom(mqtt, connection, CLOSE_TIMEOUT);
}

bool partials_room(struct mqtt *mqtt, const struct partial *partial, size_t bytes) {
    uint64_t own = partial != NULL ? partial->held : 0;

    for (unsigned given_up = 0;; given_up++) {
        uint64_t held = mqtt->stats.partial_bytes;
        struct partial *first = at(mqtt, mqtt->partials_first);

        if (held == own || held + bytes <= shortage_partials(mqtt))
            return true;
        if (first != NULL && first == partial)
            first = at(mqtt, first->next);
        if (first == NULL || given_up == GIVEN_UP_MAX)
            return false; /* the others are whole and soon gone */
        give_up(mqtt, first);
    }
}

bool partials_turn(struct mqtt *mqtt) {
    for (unsigned given_up = 0; mqtt->stats.partial_bytes > shortage_partials(mqtt); given_up++) {
        if (mqtt->partials_first == mqtt->partials_last)
            return false;
        if (given_up == GIVEN_UP_MAX)
            return true;
        give_up(mqtt, at(mqtt, mqtt->partials_first));
    }
    return false;
}
