/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/turn.h"

#include "dataplane/mqtt/connection.h"
#include "dataplane/mqtt/delivery.h"
#include "dataplane/mqtt/input.h"
#include "dataplane/mqtt/partials.h"

enum {
    TURN_WAITING = 32,       /* connections tried again in one turn */
    TURN_CLOSED = 256,       /* clients closed in one turn when the broker stops */
    STOP_GRACE_US = 1000000, /* for clients to answer a FIN before they get RST */
};

static void try_again(struct mqtt *mqtt, struct connection *connection) {
    uint8_t flags = connection->flags;

    connection->flags &= (uint8_t) ~(CONNECTION_WAIT_WINDOW | CONNECTION_DOOMED);
    if (flags & CONNECTION_DOOMED) {
        connection_end(mqtt, connection, connection->doom, ENDING_ABORT);
        return;
    }
    if (flags & CONNECTION_WAIT_WINDOW)
        delivery_send(mqtt, connection);
    if (flags & CONNECTION_WAIT_INPUT)
        input_again(mqtt, connection);
}

/* Each once, at most; those that have to wait on go to the end. */
static void turn_waiting(struct mqtt *mqtt) {
    ref_t last = mqtt->waiting_last;

    for (unsigned i = 0; i < TURN_WAITING && mqtt->waiting_first; i++) {
        ref_t ref = mqtt->waiting_first;
        struct connection *connection = arena_at(mqtt->pool->base, ref);

        connection_unlist(mqtt, connection);
        try_again(mqtt, connection);
        if (ref == last)
            break;
    }
}

void turn_stop(struct mqtt *mqtt) {
    if (mqtt->stopping != RUNNING)
        return;
    tcp_stop_accepting(mqtt->tcp);
    mqtt->stopping = STOP_CLOSING;
    mqtt->stop_position = 0;
    mqtt->stop_deadline = mqtt->now + STOP_GRACE_US;
}

static void say_goodbye(void *argument, struct tcp_conn *tcp) {
    connection_end(argument, tcp_conn_app(tcp), CLOSE_SHUTDOWN, ENDING_ORDERLY);
}

static void abort_late(void *argument, struct tcp_conn *tcp) {
    struct mqtt *mqtt = argument;

    connection_end(mqtt, tcp_conn_app(tcp), CLOSE_SHUTDOWN, ENDING_ABORT);
    tcp_abort(mqtt->tcp, tcp);
}

static void turn_stopping(struct mqtt *mqtt) {
    switch (mqtt->stopping) {
    case RUNNING:
        break;
    case STOP_CLOSING:
        tcp_each(mqtt->tcp, &mqtt->stop_position, TURN_CLOSED, say_goodbye, mqtt);
        if (mqtt->stop_position == 0)
            mqtt->stopping = STOP_WAITING;
        break;
    case STOP_WAITING:
        if (mqtt->now >= mqtt->stop_deadline)
            mqtt->stopping = STOP_ABORTING;
        break;
    case STOP_ABORTING:
        tcp_each(mqtt->tcp, &mqtt->stop_position, TURN_CLOSED, abort_late, mqtt);
        break;
    }
}

bool mqtt_turn(struct mqtt *mqtt) {
    bool more = remains_turn(mqtt);

    more |= partials_turn(mqtt);
    turn_waiting(mqtt);
    turn_stopping(mqtt);
    return more || mqtt->waiting_first || (mqtt->stopping != RUNNING && !mqtt_stopped(mqtt));
}

bool mqtt_stopped(const struct mqtt *mqtt) {
    return mqtt->stopping >= STOP_WAITING && mqtt->stats.connections == 0 &&
           mqtt->remains.first == NULL;
}
