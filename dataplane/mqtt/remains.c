/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/remains.h"

#include <stdlib.h>

#include "dataplane/mqtt/connection.h"
#include "dataplane/mqtt/will.h"

enum {
    TURN_REMAINS = 16,      /* remains visited in one turn */
    TURN_SUBSCRIPTIONS = 64 /* subscriptions removed in one turn */
};

bool remains_create(struct mqtt *mqtt) {
    struct remains_list *list = &mqtt->remains;

    list->reserve = calloc(REMAINS_RESERVE, sizeof *list->reserve);
    if (list->reserve == NULL)
        return false;
    for (unsigned i = 0; i < REMAINS_RESERVE; i++) {
        list->reserve[i].next = list->spare;
        list->spare = &list->reserve[i];
    }
    return true;
}

void remains_destroy(struct mqtt *mqtt) {
    free(mqtt->remains.reserve);
}

static bool tell(struct mqtt *mqtt, const struct remains *remains) {
    struct mail mail = {
        .type = MAIL_CLOSED,
        .code = remains->reason,
        .conn = remains->who.ref,
        .generation = remains->who.generation,
        .session = remains->session,
        .closed = {.messages_in = remains->messages_in,
                   .messages_out = remains->messages_out,
                   .bytes_in = remains->bytes_in,
                   .bytes_out = remains->bytes_out},
    };
    return mail_send(mqtt->mailroom, mqtt->config.first_shard + remains->shard, &mail);
}

/* MAIL_CLOSED comes after the last publish. True when all is done. */
static bool step(struct mqtt *mqtt, struct remains *remains, unsigned subscriptions) {
    if (remains->will != NULL && will_publish(mqtt, remains->will))
        remains->will = NULL;
    if (remains->tell && remains->will == NULL && tell(mqtt, remains))
        remains->tell = false;
    if (remains->subscribed &&
        router_unsubscribe_all(mqtt->router, remains->who, &remains->filters, subscriptions))
        remains->subscribed = false;
    return remains->will == NULL && !remains->tell && !remains->subscribed;
}

static void release(struct mqtt *mqtt, struct remains *remains) {
    if (remains->reserve) {
        remains->next = mqtt->remains.spare;
        mqtt->remains.spare = remains;
        return;
    }
    pool_free(mqtt->pool, (uint8_t *)remains - offsetof(struct attachment, remains),
              sizeof(struct attachment));
    mqtt->stats.session_bytes -= sizeof(struct attachment);
}

static void append(struct mqtt *mqtt, struct remains *remains) {
    struct remains_list *list = &mqtt->remains;

    remains->next = NULL;
    if (list->last != NULL)
        list->last->next = remains;
    else
        list->first = remains;
    list->last = remains;
}

static struct remains *take_first(struct mqtt *mqtt) {
    struct remains_list *list = &mqtt->remains;
    struct remains *remains = list->first;

    list->first = remains->next;
    if (list->first == NULL)
        list->last = NULL;
    return remains;
}

void remains_take(struct mqtt *mqtt, const struct remains *work, struct attachment *memory) {
    struct remains_list *list = &mqtt->remains;
    struct remains *remains = memory != NULL ? &memory->remains : list->spare;
    struct remains last_resort;
    bool lost = remains == NULL;

    if (lost)
        remains = &last_resort;
    else if (memory == NULL)
        list->spare = remains->next;
    *remains = *work;
    remains->reserve = memory == NULL;
    bool done = step(mqtt, remains, TURN_SUBSCRIPTIONS);
    if (lost) {
        if (remains->tell)
            count(mqtt->counters, COUNTER_MQTT_NO_MEMORY_CLOSED);
    } else if (done) {
        release(mqtt, remains);
    } else {
        append(mqtt, remains);
    }
}

bool remains_turn(struct mqtt *mqtt) {
    for (unsigned i = 0; i < TURN_REMAINS && mqtt->remains.first != NULL; i++) {
        struct remains *remains = take_first(mqtt);

        if (step(mqtt, remains, TURN_SUBSCRIPTIONS / TURN_REMAINS))
            release(mqtt, remains);
        else
            append(mqtt, remains);
    }
    return mqtt->remains.first != NULL;
}
