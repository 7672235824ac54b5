/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include <rte_ring.h>
#include <rte_tcp.h>

#include "tests/unit/worker/world.h"

static struct world world;

static int open_spinning(void **state) {
    return world_set_up(&world, &(struct world_options){0});
}

static int open_sleeping(void **state) {
    return world_set_up(&world, &(struct world_options){.sleep = true});
}

static int open_small_mailboxes(void **state) {
    return world_set_up(&world, &(struct world_options){.mail_slots = 8});
}

static int open_small_mailboxes_sleeping(void **state) {
    return world_set_up(&world, &(struct world_options){.mail_slots = 8, .sleep = true});
}

#define STOOD_STILL UINT64_C(20000000) /* microseconds */

static int open_stood_still(void **state) {
    return world_set_up(&world, &(struct world_options){.stood_still = STOOD_STILL});
}

static int open_two_on_one_queue(void **state) {
    return world_set_up(&world, &(struct world_options){.workers = 2, .queues = 1});
}

static int close_world(void **state) {
    return world_tear_down(&world);
}

static uint64_t connections(void) {
    struct tcp_stats stats;
    tcp_stats(world.worker[0]->tcp, &stats);
    return stats.connections;
}

/* Blocks that are handed out. */
static uint64_t blocks_used(const struct pool *pool) {
    uint64_t used = 0;
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        used += pool->classes[i].used;
    return used;
}

static void expect_text(struct client *client, const char *text, unsigned len) {
    client_expect(client, text, len);
    assert_int_equal(client->in_len, 0);
}

/* SUBSCRIBE to "a/b" with QoS 0, and SUBACK. */
static void subscribe(struct client *client) {
    static const char packet[] = "\x82\x08\x12\x34\x00\x03"
                                 "a/b\x00";
    client_send(&world, client, packet, sizeof packet - 1);
    turns(&world, 6);
    expect_text(client, "\x90\x03\x12\x34\x00", 5);
}

static void our_address_is_announced_before_the_first_turn_ends(void **state) {
    void *frame = NULL;
    assert_true(worker_turn(world.worker[0]));
    assert_int_equal(rte_ring_dequeue(rte_ring_lookup("unit_tx0"), &frame), 0);
    assert_memory_equal(rte_pktmbuf_mtod_offset((struct rte_mbuf *)frame, void *, 12), "\x08\x06",
                        2);
    rte_pktmbuf_free(frame);
}

static void a_syn_is_answered_and_makes_no_connection(void **state) {
    struct client *client = client_new(&world);
    client_segment(&world, client, RTE_TCP_SYN_FLAG, NULL, 0);
    turn(&world);
    assert_true(client->connected);
    assert_int_equal(connections(), 0);
}

static void a_connect_goes_to_the_shard_and_its_verdict_to_the_client(void **state) {
    struct client *client = client_new(&world);
    client_segment(&world, client, RTE_TCP_SYN_FLAG, NULL, 0);
    turn(&world);
    send_connect(&world, client, "one");
    turn(&world);
    assert_int_equal(connections(), 1);
    struct mail connect = take_mail(&world, MAIL_CONNECT);
    const struct connect_request *request = (const void *)connect.connect.request;
    assert_int_equal(connect.from, 0);
    assert_int_equal(request->client_id_len, 3);
    assert_memory_equal(request->bytes, "one", 3);
    assert_int_equal(request->remote_port, client->port);
    assert_int_equal(request->local_port, 1883);
    parcel_release(&world.shard.parcels, connect.connect.request);

    /* Nothing is said to the client before the shard's word. */
    turns(&world, 3);
    assert_int_equal(client->in_len, 0);
    struct mail verdict = answer_to(&connect, MAIL_VERDICT);
    verdict.code = 5;
    shard_send(&world, 0, verdict);
    turns(&world, 2);
    expect_text(client, "\x20\x02\x00\x05", 4);
    assert_true(client->finished);
    struct mail closed = take_mail(&world, MAIL_CLOSED);
    assert_int_equal(closed.code, CLOSE_REFUSED);
    assert_int_equal(closed.conn, connect.conn);
}

static void a_client_receives_what_it_publishes(void **state) {
    static const char publish[] = "\x30\x0a\x00\x03"
                                  "a/bhello";
    struct client *client = connected_client(&world, "one");
    subscribe(client);
    client_send(&world, client, publish, sizeof publish - 1);
    turn(&world);
    expect_text(client, publish, sizeof publish - 1);
}

static void mail_of_other_threads_reaches_subscribers(void **state) {
    struct client *client = connected_client(&world, "one");
    subscribe(client);
    uint64_t used = blocks_used(&world.shard.pool);
    struct message *message = message_new(&world.shard.parcels, 3, 2);
    memcpy(message->bytes + 2, "a/bhi", 5);
    message->topic_hash = topic_hash(message_topic(message), 3);
    shard_send(&world, 0,
               (struct mail){.type = MAIL_PUBLISH,
                             .flags = MAIL_PUBLISH_MATCH,
                             .publish = {.message = message, .epoch = routes_epoch(world.routes)}});
    turn(&world);
    expect_text(client,
                "\x30\x07\x00\x03"
                "a/bhi",
                9);
    /* It goes home when it cannot be asked for any more. */
    turns(&world, 3);
    assert_int_equal(blocks_used(&world.shard.pool), used + 1);
    client_segment(&world, client, RTE_TCP_ACK_FLAG, NULL, 0);
    turns(&world, 3);
    assert_int_equal(blocks_used(&world.shard.pool), used);
}

static void what_a_client_took_is_given_back_when_it_goes(void **state) {
    static const char disconnect[] = "\xe0\x00";
    struct mqtt_stats stats;
    for (unsigned i = 0; i < 3; i++) {
        struct client *client = connected_client(&world, "one");
        subscribe(client);
        assert_int_equal(connections(), 1);
        assert_true(blocks_used(&world.worker[0]->pool) > 0);
        client_send(&world, client, disconnect, 2);
        turns(&world, 3);
        assert_true(client->finished);
        client_segment(&world, client, RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG, NULL, 0);
        turns(&world, 10);
        assert_int_equal(take_mail(&world, MAIL_CLOSED).code, CLOSE_CLIENT);
        assert_int_equal(connections(), 0);
        mqtt_stats(world.worker[0]->mqtt, &stats);
        assert_int_equal(stats.connections, 0);
        assert_int_equal(stats.session_bytes, 0);
        assert_int_equal(routes_count(world.routes), 0);
        assert_int_equal(blocks_used(&world.worker[0]->pool), 0);
    }
}

static void empty_spans_are_given_back_in_a_quiet_turn(void **state) {
    struct worker *worker = world.worker[0];
    turns(&world, 3);
    size_t before = arena_used(worker->arena);
    pool_free(&worker->pool, pool_alloc(&worker->pool, 100), 100);
    pool_free(&worker->pool, pool_alloc(&worker->pool, 30000), 30000);
    size_t kept = arena_used(worker->arena);
    assert_true(kept > before);
    worker->trim_at = UINT64_MAX; /* its time has not come */
    turns(&world, 3);
    assert_int_equal(arena_used(worker->arena), kept);
    worker->trim_at = 0;
    turns(&world, 3);
    assert_true(arena_used(worker->arena) <= before);
}

static void memory_is_inspected_by_mail(void **state) {
    struct client *client = connected_client(&world, "one");
    subscribe(client);
    send_inspection(&world, 0, INSPECT_MEMORY);
    turn(&world);
    assert_int_equal(world.inspected_count, 1);
    assert_int_equal(world.inspected[0].type, MAIL_INSPECTED);
    const struct inspection *answer = (const void *)world.inspected[0].inspect.inspection;
    const struct memory_inspection *memory = &answer->memory;
    assert_int_equal(answer->found, 1);
    assert_int_equal(memory->connections, 1);
    assert_int_equal(memory->subscriptions, 1);
    assert_int_equal(memory->arena_limit, 64 << 20);
    assert_in_range(memory->arena_used, 1, memory->arena_limit);
    assert_true(memory->flow_bytes > 0 && memory->connection_bytes >= 256);
    assert_true(memory->router_bytes > 0 && memory->route_bytes > 0);
    assert_in_range(memory->slabs_count, 1, INSPECTED_SLABS_MAX);
    uint64_t used = 0;
    for (unsigned i = 0; i < memory->slabs_count; i++) {
        assert_true(memory->slabs[i].name[0] != '\0');
        assert_true(memory->slabs[i].used * memory->slabs[i].object_size <= memory->slabs[i].bytes);
        used += memory->slabs[i].used;
    }
    assert_int_equal(used, blocks_used(&world.worker[0]->pool));
}

static void an_inspection_of_a_client_is_handed_to_mqtt(void **state) {
    struct client *client = connected_client(&world, "one");
    send_inspection(&world, 0, INSPECT_CLIENT); /* of connection 0: there is none */
    turn(&world);
    assert_int_equal(world.inspected_count, 1);
    assert_int_equal(((struct inspection *)world.inspected[0].inspect.inspection)->found, 0);
    assert_false(client->finished);
}

static void mail_of_an_unknown_kind_is_counted(void **state) {
    static const uint8_t kinds[] = {0, MAIL_CONNECT, MAIL_CALL, MAIL_INSPECTED, MAIL_TYPES, 255};
    for (unsigned i = 0; i < sizeof kinds; i++)
        shard_send(&world, 0, (struct mail){.type = kinds[i]});
    turn(&world);
    assert_int_equal(counted(&world, 0, COUNTER_WORKER_MAIL_UNKNOWN), sizeof kinds);
    connected_client(&world, "one");
}

static void a_turn_takes_a_bounded_number_of_frames_and_mails(void **state) {
    struct client *client = client_new(&world);
    for (unsigned i = 0; i < 100; i++) {
        client_segment(&world, client, RTE_TCP_RST_FLAG, NULL, 0);
        mail_send(world.shard.room, 0, &(struct mail){.type = MAIL_CALL});
    }
    mail_flush(world.shard.room);
    turn(&world);
    assert_int_equal(rte_ring_count(rte_ring_lookup("unit_rx0")), 100 - ETHER_BURST);
    assert_int_equal(counted(&world, 0, COUNTER_WORKER_MAIL_UNKNOWN), 64);
    turns(&world, 4);
    assert_int_equal(rte_ring_count(rte_ring_lookup("unit_rx0")), 0);
    assert_int_equal(counted(&world, 0, COUNTER_WORKER_MAIL_UNKNOWN), 100);
}

/* The clock jumps: what is told apart from it goes back. */
static void jump(void) {
    struct worker *worker = world.worker[0];
    world.standstill.total = worker->running.total = 0;
    world.standstill.alive_at -= STOOD_STILL;
    worker->running.turn_at -= STOOD_STILL;
}

static void nobody_is_timed_out_for_time_in_which_no_worker_ran(void **state) {
    static const uint8_t half[] = {0x30, 9, 0, 1}, ping[] = {0xc0, 0}, pong[] = {0xd0, 0};
    struct client *clients[2];
    for (unsigned i = 0; i < 2; i++) {
        clients[i] = client_new(&world);
        client_segment(&world, clients[i], RTE_TCP_SYN_FLAG, NULL, 0);
        turn(&world);
        send_connect(&world, clients[i], i ? "two" : "one");
        turn(&world);
        struct mail connect = take_mail(&world, MAIL_CONNECT);
        parcel_release(&world.shard.parcels, connect.connect.request);
        struct mail verdict = answer_to(&connect, MAIL_VERDICT);
        verdict.session = i + 1;
        verdict.verdict.keep_alive = 10;
        shard_send(&world, connect.from, verdict);
        turn(&world);
        client_expect(clients[i], (const uint8_t[]){0x20, 2, 0, 0}, 4);
        client_segment(&world, clients[i], RTE_TCP_ACK_FLAG, NULL, 0);
    }
    client_send(&world, clients[1], half, sizeof half);
    struct client *mute = client_new(&world); /* it has not sent its CONNECT */
    client_segment(&world, mute, RTE_TCP_SYN_FLAG, NULL, 0);
    turn(&world);
    client_send(&world, mute, (const uint8_t[]){0x10}, 1);
    turns(&world, 2);
    jump();
    turns(&world, 300);
    assert_int_equal(standstill_times(&world.standstill), 1);
    client_send(&world, clients[0], ping, sizeof ping);
    turns(&world, 2);
    client_expect(clients[0], pong, sizeof pong);
    assert_int_equal(connections(), 3);
    assert_int_equal(counted(&world, 0, COUNTER_MQTT_KEEP_ALIVE_TIMEOUT), 0);
    assert_int_equal(counted(&world, 0, COUNTER_MQTT_PACKET_TIMEOUT), 0);
    assert_int_equal(counted(&world, 0, COUNTER_MQTT_CONNECT_TIMEOUT), 0);
    assert_int_equal(counted(&world, 0, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 0);
}

static void turns_are_accounted_for(void **state) {
    const struct worker_gauges *gauges = worker_gauges(world.worker[0]);
    struct client *client = client_new(&world);
    turns(&world, 10); /* the first of them sends announcements */
    uint64_t busy = gauges->busy_turns, idle_cycles = gauges->idle_cycles;
    turns(&world, 10);
    assert_int_equal(gauges->turns, 20);
    assert_int_equal(gauges->busy_turns, busy);
    assert_true(gauges->idle_cycles > idle_cycles);
    client_segment(&world, client, RTE_TCP_SYN_FLAG, NULL, 0);
    client_segment(&world, client, RTE_TCP_RST_FLAG, NULL, 0);
    turn(&world);
    assert_int_equal(gauges->busy_turns, busy + 1);
    assert_int_equal(gauges->packets, 2);
    /* The test itself may be preempted. */
    if (gauges->preempted_turns == 0)
        assert_in_range(gauges->longest_turn, 1, gauges->busy_cycles);
    assert_int_equal(gauges->longest_lately, gauges->longest_turn);
    /* Another turn in which the CPU went to somebody else: known by its mark. */
    uint64_t longest = gauges->longest_turn, preempted = gauges->preempted_turns;
    uint64_t mark = 0;
    world.worker[0]->preempted.announced = &mark;
    world.worker[0]->preempted.nowhere = 0;
    client_segment(&world, client, RTE_TCP_SYN_FLAG, NULL, 0);
    turn(&world);
    world.worker[0]->preempted.announced = NULL;
    assert_int_equal(gauges->preempted_turns, preempted + 1);
    assert_int_equal(gauges->longest_turn, longest);
    assert_in_range(gauges->longest_preempted, 1, gauges->busy_cycles);
    /* The sums are brought up to date now and then. */
    connected_client(&world, "one");
    turns(&world, 256);
    assert_int_equal(gauges->connections, 1);
    assert_int_equal(gauges->connected, 1);
    assert_int_equal(gauges->clean_sessions, 1);
    assert_true(gauges->memory_used > 0);
}

/* A window after another, without waiting for one: their end is moved. */
static void a_long_turn_is_seen_for_a_window_and_then_forgotten(void **state) {
    const struct worker_gauges *gauges = worker_gauges(world.worker[0]);
    const uint64_t long_turn = UINT64_C(1) << 50;
    turn(&world);
    world.worker[0]->window_longest = long_turn;
    turn(&world);
    assert_int_equal(gauges->longest_lately, long_turn);
    world.worker[0]->window_end = rte_rdtsc();
    turn(&world);
    assert_int_equal(gauges->longest_lately, long_turn);
    world.worker[0]->window_end = rte_rdtsc();
    turn(&world);
    assert_true(gauges->longest_lately < long_turn);
    /* A worker that slept through a whole window has nothing to tell. */
    world.worker[0]->window_longest = long_turn;
    world.worker[0]->window_end = rte_rdtsc() - 2 * WORKER_LATELY_S * world.clock.hz;
    turn(&world);
    assert_true(gauges->longest_lately < long_turn);
}

/* The ring to the admin thread takes seven mails: with twelve answers some must wait. */
static void leave_mail_unsent(void) {
    world.admin_away = true;
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned j = 0; j < 6; j++)
            send_inspection(&world, 0, INSPECT_MEMORY);
        turn(&world);
    }
    assert_int_equal(world.inspected_count, 0);
}

static void a_turn_is_over_for_others_only_when_its_mail_is_sent(void **state) {
    uint64_t token;
    routes_advance(world.routes, &token);
    assert_false(routes_passed(world.routes, token));
    turn(&world);
    assert_true(routes_passed(world.routes, token));

    leave_mail_unsent();
    routes_advance(world.routes, &token);
    turns(&world, 5);
    assert_false(routes_passed(world.routes, token));
    assert_int_equal(worker_gauges(world.worker[0])->mail_waiting, 12 - 7);
    world.admin_away = false;
    turn(&world); /* the admin thread makes room */
    assert_false(routes_passed(world.routes, token));
    turns(&world, 2);
    assert_true(routes_passed(world.routes, token));
    assert_int_equal(world.inspected_count, 12);
    assert_int_equal(worker_gauges(world.worker[0])->mail_waiting, 0);
}

static void a_worker_sleeps_when_there_is_nothing_to_do(void **state) {
    const struct worker_gauges *gauges = worker_gauges(world.worker[0]);
    uint64_t token;
    turns(&world, 80);
    assert_in_range(gauges->sleeps, 1, 80);
    assert_true(gauges->sleep_cycles > 0);
    uint64_t sleeps = gauges->sleeps;
    /* Work begins the ramp anew. */
    connected_client(&world, "one");
    turns(&world, 50);
    assert_int_equal(gauges->sleeps, sleeps);
    turns(&world, 50);
    assert_true(gauges->sleeps > sleeps);
    /* And it holds nobody up. */
    routes_advance(world.routes, &token);
    turn(&world);
    assert_true(routes_passed(world.routes, token));
}

/* Would a sleep end at once? Once only. */
static bool woken(void) {
    uint64_t value;
    return read(world.worker[0]->idle.event_fd, &value, sizeof value) == sizeof value;
}

static void mail_frames_and_a_stop_wake_a_sleeper(void **state) {
    struct worker *worker = world.worker[0];
    turns(&world, 3);
    assert_false(woken());
    assert_true(mail_may_sleep(worker->mailroom));
    shard_send(&world, 0, (struct mail){.type = MAIL_CALL});
    assert_true(woken());
    mail_awake(worker->mailroom);
    assert_true(handover_may_sleep(world.handover, 0));
    handover_wake(world.handover, 0);
    assert_true(woken());
    handover_awake(world.handover, 0);
    assert_false(woken());
    worker_stop(worker, false);
    assert_true(woken());
}

static void a_sleeper_with_mail_unsent_is_not_past_its_turn(void **state) {
    const struct worker_gauges *gauges = worker_gauges(world.worker[0]);
    uint64_t token;
    leave_mail_unsent();
    routes_advance(world.routes, &token);
    turns(&world, 80);
    assert_true(gauges->sleeps > 0);
    assert_false(routes_passed(world.routes, token));
    world.admin_away = false;
    turns(&world, 3);
    assert_true(routes_passed(world.routes, token));
}

static void an_orderly_stop_says_goodbye_first(void **state) {
    struct client *client = connected_client(&world, "one"), *late = client_new(&world);
    worker_stop(world.worker[0], false);
    turns(&world, 3);
    assert_true(client->finished);
    assert_true(world.running[0]);
    assert_int_equal(take_mail(&world, MAIL_CLOSED).code, CLOSE_SHUTDOWN);
    client_segment(&world, late, RTE_TCP_SYN_FLAG, NULL, 0);
    turn(&world);
    assert_true(late->reset);
    assert_true(world.running[0]);
    client_segment(&world, client, RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG, NULL, 0);
    turns(&world, 3);
    assert_false(world.running[0]);
    assert_int_equal(connections(), 0);
    assert_int_equal(worker_gauges(world.worker[0])->connections, 0);
}

static void an_orderly_stop_without_clients_ends_soon(void **state) {
    turns(&world, 3);
    worker_stop(world.worker[0], false);
    turns(&world, 3);
    assert_false(world.running[0]);
}

static void a_stop_at_once_ends_at_once(void **state) {
    struct client *client = connected_client(&world, "one");
    uint64_t token;
    worker_stop(world.worker[0], false);
    turns(&world, 3);
    assert_true(world.running[0]);
    worker_stop(world.worker[0], true);
    routes_advance(world.routes, &token);
    turn(&world);
    assert_false(world.running[0]);
    assert_true(client->finished);
    /* Nobody waits for one that has ended. */
    routes_advance(world.routes, &token);
    assert_true(routes_passed(world.routes, token));
}

static void frames_reach_the_owner_of_their_flow(void **state) {
    unsigned owned = 0;
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = client_new(&world);
        client_segment(&world, client, RTE_TCP_SYN_FLAG, NULL, 0);
    }
    turns(&world, 2);
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        assert_true(world.clients[i].connected);
        send_connect(&world, &world.clients[i], "one");
    }
    turns(&world, 2);
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct mail connect = take_mail(&world, MAIL_CONNECT);
        owned += connect.from == 1;
        parcel_release(&world.shard.parcels, connect.connect.request);
        struct mail verdict = answer_to(&connect, MAIL_VERDICT);
        verdict.session = i + 1;
        shard_send(&world, connect.from, verdict);
    }
    /* Some are the other worker's: each of their frames was handed to it. */
    assert_in_range(owned, 1, CLIENTS_MAX - 1);
    assert_int_equal(counted(&world, 0, COUNTER_WORKER_HANDED_OVER), 2 * owned);
    assert_int_equal(counted(&world, 1, COUNTER_WORKER_HANDED_OVER), 0);
    turns(&world, 2);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        expect_text(&world.clients[i], "\x20\x02\x00\x00", 4);
    for (unsigned i = 0; i < 2; i++) {
        struct mqtt_stats stats;
        mqtt_stats(world.worker[i]->mqtt, &stats);
        assert_int_equal(stats.connected, i == 1 ? owned : CLIENTS_MAX - owned);
    }
}

static void a_worker_without_memory_is_not_made(void **state) {
    char error[256] = "";
    struct worker_config config = world_worker_config(&world, 0, true);
    config.memory_reserve = SIZE_MAX / 2;
    assert_null(worker_create(&config, error, sizeof error));
    assert_string_equal(error, "worker 0: no memory for its address range");
}

int main(void) {
#define TEST(test, open) cmocka_unit_test_setup_teardown(test, open, close_world)
    const struct CMUnitTest tests[] = {
        TEST(our_address_is_announced_before_the_first_turn_ends, open_spinning),
        TEST(a_syn_is_answered_and_makes_no_connection, open_spinning),
        TEST(a_connect_goes_to_the_shard_and_its_verdict_to_the_client, open_spinning),
        TEST(a_client_receives_what_it_publishes, open_spinning),
        TEST(mail_of_other_threads_reaches_subscribers, open_spinning),
        TEST(what_a_client_took_is_given_back_when_it_goes, open_spinning),
        TEST(empty_spans_are_given_back_in_a_quiet_turn, open_spinning),
        TEST(memory_is_inspected_by_mail, open_spinning),
        TEST(an_inspection_of_a_client_is_handed_to_mqtt, open_spinning),
        TEST(mail_of_an_unknown_kind_is_counted, open_spinning),
        TEST(a_turn_takes_a_bounded_number_of_frames_and_mails, open_spinning),
        TEST(nobody_is_timed_out_for_time_in_which_no_worker_ran, open_stood_still),
        TEST(turns_are_accounted_for, open_spinning),
        TEST(a_long_turn_is_seen_for_a_window_and_then_forgotten, open_spinning),
        TEST(a_turn_is_over_for_others_only_when_its_mail_is_sent, open_small_mailboxes),
        TEST(a_worker_sleeps_when_there_is_nothing_to_do, open_sleeping),
        TEST(mail_frames_and_a_stop_wake_a_sleeper, open_sleeping),
        TEST(a_sleeper_with_mail_unsent_is_not_past_its_turn, open_small_mailboxes_sleeping),
        TEST(an_orderly_stop_says_goodbye_first, open_spinning),
        TEST(an_orderly_stop_without_clients_ends_soon, open_sleeping),
        TEST(a_stop_at_once_ends_at_once, open_spinning),
        TEST(frames_reach_the_owner_of_their_flow, open_two_on_one_queue),
        TEST(a_worker_without_memory_is_not_made, open_spinning),
    };
    return cmocka_run_group_tests(tests, eal_open, eal_close);
}
