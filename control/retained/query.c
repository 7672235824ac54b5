/* SPDX-License-Identifier: Apache-2.0 */
#include "control/retained/query.h"

#include "dataplane/topics/routes.h"

enum {
    SLICE = 128, /* steps of one question before the next has its turn */
    /* Boxes that never are empty at once: after so many turns, in each of which every sender had
     * its share, what was in them has been handled for sure (mailboxes have at most 65536 slots).
     */
    DRAIN_TURNS = 65536 / 8,
};

struct query {
    ref_t conn; /* of the asker, echoed; lost when it is freed */
    uint32_t generation, session;
    uint32_t operation;
    uint8_t from;
    uint64_t epoch, quiescent;
    struct filter_parcel *filter;
    struct retained_cursor cursor;
    struct message *unsent; /* a reference: there was no memory for its copy */
    unsigned credit;
    struct query_list *list;
    struct query *previous, *next;
};

struct name {
    const struct queries *queries;
    uint8_t from;
    uint32_t operation;
};

static uint64_t name_hash(uint8_t from, uint32_t operation) {
    return (((uint64_t)from << 32) | operation) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct query *query_at(const struct queries *queries, uint32_t ref) {
    return arena_at(queries->use.parcels->pool->base, ref);
}

static bool has_name(const void *context, uint32_t ref) {
    const struct name *name = context;
    const struct query *query = query_at(name->queries, ref);
    return query->from == name->from && query->operation == name->operation;
}

static struct query *find(struct queries *queries, uint8_t from, uint32_t operation) {
    struct name name = {queries, from, operation};
    uint32_t ref = table_find(&queries->table, name_hash(from, operation), has_name, &name);
    return ref != TABLE_NONE ? query_at(queries, ref) : NULL;
}

static void append(struct query_list *list, struct query *query) {
    query->list = list;
    query->previous = list->last;
    query->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = query;
    list->last = query;
}

static void take_out(struct query *query) {
    struct query_list *list = query->list;
    *(query->previous != NULL ? &query->previous->next : &list->first) = query->next;
    *(query->next != NULL ? &query->next->previous : &list->last) = query->previous;
}

static void move_to(struct query_list *list, struct query *query) {
    take_out(query);
    append(list, query);
}

void queries_init(struct queries *queries, const struct queries_use *use) {
    *queries = (struct queries){.use = *use};
    slab_init(&queries->slab, use->parcels->pool->arena, "retained queries", sizeof(struct query),
              0);
    table_init(&queries->table, use->parcels->pool);
}

static void free_query(struct queries *queries, struct query *query) {
    struct parcels *parcels = queries->use.parcels;
    retained_cursor_end(queries->use.retained, &query->cursor);
    if (query->unsent != NULL)
        parcel_release(parcels, query->unsent);
    parcel_release(parcels, query->filter);
    take_out(query);
    table_remove(&queries->table, name_hash(query->from, query->operation),
                 arena_ref(parcels->pool->base, query));
    slab_free(&queries->slab, query);
}

void queries_free(struct queries *queries) {
    struct query_list *lists[] = {&queries->token, &queries->drain, &queries->run, &queries->idle};
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++)
        while (lists[i]->first != NULL)
            free_query(queries, lists[i]->first);
    table_free(&queries->table);
}

static void send_end(struct queries *queries, uint8_t to, const struct mail *about) {
    struct mail mail = {.type = MAIL_RETAINED_END,
                        .conn = about->conn,
                        .generation = about->generation,
                        .session = about->session,
                        .retained = {.operation = about->retained_query.operation}};
    queries->use.send(queries->use.owner, to, &mail);
}

static void end(struct queries *queries, struct query *query) {
    struct mail about = {.conn = query->conn,
                         .generation = query->generation,
                         .session = query->session,
                         .retained_query = {.operation = query->operation}};
    uint8_t to = query->from;
    free_query(queries, query);
    send_end(queries, to, &about);
}

static struct query *new_query(struct queries *queries, const struct mail *mail) {
    struct query *query = slab_alloc(&queries->slab);
    if (query == NULL)
        return NULL;
    *query = (struct query){
        .conn = mail->conn,
        .generation = mail->generation,
        .session = mail->session,
        .operation = mail->retained_query.operation,
        .from = mail->from,
        .epoch = mail->retained_query.epoch,
        .quiescent = mail->retained_query.quiescent,
        .filter = (struct filter_parcel *)mail->retained_query.filter,
        .credit = MAIL_RETAINED_BATCH,
    };
    if (!table_insert(&queries->table, name_hash(query->from, query->operation),
                      arena_ref(queries->use.parcels->pool->base, query))) {
        slab_free(&queries->slab, query);
        return NULL;
    }
    append(&queries->token, query);
    return query;
}

static void more(struct queries *queries, const struct mail *mail) {
    struct query *query = find(queries, mail->from, mail->retained_query.operation);
    if (query == NULL)
        return; /* its end is on the way */
    query->credit += MAIL_RETAINED_BATCH;
    if (query->list == &queries->idle)
        move_to(&queries->run, query);
}

void queries_mail(struct queries *queries, const struct mail *mail) {
    if (mail->type == MAIL_RETAINED_MORE) {
        more(queries, mail);
        return;
    }
    count(queries->use.counters, COUNTER_CONTROL_RETAINED_QUERIES);
    if (new_query(queries, mail) == NULL) {
        count(queries->use.counters, COUNTER_CONTROL_RETAINED_QUERY_NO_MEMORY);
        parcel_release(queries->use.parcels, mail->retained_query.filter);
        send_end(queries, mail->from, mail);
    }
}

static bool send_message(struct queries *queries, struct query *query, struct message *message) {
    struct parcels *parcels = queries->use.parcels;
    /* A parcel has one holder: another thread gets a copy. */
    struct message *copy =
        query->from == parcels->self ? message_ref(message) : message_copy(parcels, message);
    if (copy == NULL)
        return false;
    struct mail mail = {.type = MAIL_RETAINED,
                        .conn = query->conn,
                        .generation = query->generation,
                        .session = query->session,
                        .retained = {.message = copy, .operation = query->operation}};
    queries->use.send(queries->use.owner, query->from, &mail);
    query->credit--;
    return true;
}

/* A slice of a question's walk. False: it cannot go on now. */
static bool walk(struct queries *queries, struct query *query, unsigned *steps) {
    struct retained *retained = queries->use.retained;
    while (*steps > 0 && query->credit > 0) {
        if (queries->use.pressed(queries->use.owner, query->from))
            return false;
        struct message *message = query->unsent;
        uint64_t epoch = 0;
        if (message == NULL) {
            message = retained_next(retained, &query->cursor, query->filter->bytes,
                                    query->filter->len, steps, &epoch);
            if (message != NULL && epoch >= query->epoch)
                message = NULL; /* that one is routed to the asker */
            query->unsent = message != NULL ? message_ref(message) : NULL;
        }
        if (message != NULL) {
            if (!send_message(queries, query, message))
                return false;
            parcel_release(queries->use.parcels, query->unsent);
            query->unsent = NULL;
        }
        if (query->cursor.ended)
            return true;
    }
    return true;
}

/* True: questions are left that could go on at once. */
static bool run(struct queries *queries) {
    unsigned budget = QUERIES_STEPS;
    const struct query *stop = queries->run.last; /* each has a slice at most */
    bool again = false;
    while (queries->run.first != NULL && budget > 0) {
        struct query *query = queries->run.first;
        unsigned slice = budget < SLICE ? budget : SLICE, steps = slice;
        bool last = query == stop;
        bool went = walk(queries, query, &steps);
        budget -= slice - steps;
        if (query->cursor.ended && query->unsent == NULL) {
            end(queries, query);
        } else if (query->credit == 0) {
            move_to(&queries->idle, query);
        } else {
            move_to(&queries->run, query);
            again |= went;
        }
        if (last)
            return again;
    }
    return queries->run.first != NULL;
}

bool queries_turn(struct queries *queries, bool drained) {
    if (queries->drain.first != NULL && (drained || ++queries->drain_turns >= DRAIN_TURNS))
        while (queries->drain.first != NULL)
            move_to(&queries->run, queries->drain.first);
    /* Those whose token is reached while others drain wait for the next time. */
    for (struct query *query = queries->drain.first == NULL ? queries->token.first : NULL;
         query != NULL;) {
        struct query *next = query->next;
        if (routes_passed(queries->use.routes, query->quiescent)) {
            queries->drain_turns = 0;
            move_to(&queries->drain, query);
        }
        query = next;
    }
    return run(queries) || queries->drain.first != NULL;
}
