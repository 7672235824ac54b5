/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer of the route table, on the first shard: all changes that arrived in one turn become
 * visible together, under one epoch, and are answered with it.
 */
#include "dataplane/topics/routes.h"

#include <stdlib.h>
#include <string.h>

#include "control/sessions/state.h"

/* The changes wait for the end of the turn. A list that cannot grow is worked off at once. */
void route_change_mail(struct shard *shard, const struct mail *mail) {
    struct route_changes *changes = &shard->route_changes;
    if (changes->count == changes->room) {
        unsigned room = 2 * changes->room + TURN_MAILS;
        struct mail *mails = realloc(changes->mails, room * sizeof *mails);
        if (mails == NULL) {
            route_changes_turn(shard);
        } else {
            changes->mails = mails;
            changes->room = room;
        }
    }
    if (changes->count == changes->room) {
        count(&shard->counters, COUNTER_CONTROL_ROUTE_NO_MEMORY);
        return;
    }
    changes->mails[changes->count++] = *mail;
}

static bool apply(struct shard *shard, const struct mail *mail) {
    return mail->route_change.kind == ROUTE_NONE ||
           routes_change(shard->registry->routes, mail->route_change.kind, mail->route_change.key,
                         mail->from, mail->route_change.set);
}

void route_changes_turn(struct shard *shard) {
    struct route_changes *changes = &shard->route_changes;
    struct routes *routes = shard->registry->routes;
    unsigned done = 0;
    uint64_t token;
    /* In order: a bit that is set and cleared must end up cleared. One that finds no memory waits,
     * and what is behind it too. */
    while (done < changes->count && apply(shard, &changes->mails[done]))
        done++;
    if (done > 0) {
        uint64_t epoch = routes_advance(routes, &token);
        count_add(&shard->counters, COUNTER_CONTROL_ROUTE_CHANGES, done);
        for (unsigned i = 0; i < done; i++) {
            const struct mail *asked = &changes->mails[i];
            struct mail answer = {.type = MAIL_ROUTE_CHANGED,
                                  .conn = asked->conn,
                                  .generation = asked->generation,
                                  .session = asked->session,
                                  .route_changed = {.epoch = epoch,
                                                    .quiescent = token,
                                                    .operation = asked->route_change.operation}};
            if (answer.route_changed.operation != 0)
                shard_send(shard, asked->from, &answer);
        }
        changes->count -= done;
        memmove(changes->mails, changes->mails + done, changes->count * sizeof *changes->mails);
    }
    if (changes->count > 0)
        count(&shard->counters, COUNTER_CONTROL_ROUTE_WAITS);
    routes_reclaim(routes);
}
