/* SPDX-License-Identifier: Apache-2.0 */
/* A worker on a thread of its own, in both idle profiles. */
#include <sched.h>
#include <time.h>

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_tcp.h>

#include "tests/unit/worker/world.h"

enum { PATIENCE = 20 /* seconds */ };

static struct world world;
static unsigned lcore;

static void start(bool sleep) {
    world_open(&world, &(struct world_options){.sleep = sleep});
    lcore = rte_get_next_lcore(-1, true, false);
    assert_int_equal(rte_eal_remote_launch(worker_run, world.worker[0], lcore), 0);
}

static int start_spinning(void **state) {
    start(false);
    return 0;
}

static int start_sleeping(void **state) {
    start(true);
    return 0;
}

static int close_world(void **state) {
    worker_stop(world.worker[0], true);
    assert_int_equal(rte_eal_wait_lcore(lcore), 0);
    return world_tear_down(&world);
}

/* Plays the others until something has happened, or for too long. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        time_t deadline = time(NULL) + PATIENCE;                                                   \
        while (!(condition)) {                                                                     \
            assert_true(time(NULL) < deadline);                                                    \
            turn_others(&world);                                                                   \
            sched_yield();                                                                         \
        }                                                                                          \
    } while (0)

static bool ended(void) {
    return rte_eal_get_lcore_state(lcore) != RUNNING;
}

static void connect_client(struct client *client) {
    client_segment(&world, client, RTE_TCP_SYN_FLAG, NULL, 0);
    AWAIT(client->connected);
    send_connect(&world, client, "one");
    AWAIT(world.mails_count > 0);
    struct mail connect = take_mail(&world, MAIL_CONNECT);
    parcel_release(&world.shard.parcels, connect.connect.request);
    struct mail verdict = answer_to(&connect, MAIL_VERDICT);
    verdict.session = 7;
    shard_send(&world, 0, verdict);
    AWAIT(client->in_len >= 4);
    client_expect(client, "\x20\x02\x00\x00", 4);
}

static void it_serves_clients_and_mail_until_an_orderly_stop(void **state) {
    struct client *client = client_new(&world);
    connect_client(client);
    for (unsigned i = 1; i <= 20; i++) {
        send_inspection(&world, 0, INSPECT_MEMORY);
        AWAIT(world.inspected_count == i);
    }
    assert_false(ended());
    worker_stop(world.worker[0], false);
    AWAIT(client->finished);
    client_segment(&world, client, RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG, NULL, 0);
    AWAIT(ended());
    assert_int_equal(take_mail(&world, MAIL_CLOSED).code, CLOSE_SHUTDOWN);
}

static uint64_t gauge(const uint64_t *gauge) {
    return __atomic_load_n(gauge, __ATOMIC_RELAXED);
}

static void it_sleeps_and_is_woken(void **state) {
    const struct worker_gauges *gauges = worker_gauges(world.worker[0]);
    uint64_t token;
    AWAIT(gauge(&gauges->sleeps) > 10);
    send_inspection(&world, 0, INSPECT_MEMORY);
    AWAIT(world.inspected_count == 1);
    routes_advance(world.routes, &token);
    AWAIT(routes_passed(world.routes, token));
    worker_stop(world.worker[0], false);
    AWAIT(ended());
}

static void it_spins_without_sleep(void **state) {
    const struct worker_gauges *gauges = worker_gauges(world.worker[0]);
    AWAIT(gauge(&gauges->turns) > 10000);
    assert_int_equal(gauge(&gauges->sleeps), 0);
}

static void a_stop_at_once_does_not_wait_for_clients(void **state) {
    struct client *client = client_new(&world);
    connect_client(client);
    worker_stop(world.worker[0], true);
    AWAIT(ended());
}

int main(void) {
#define TEST(test, open) cmocka_unit_test_setup_teardown(test, open, close_world)
    const struct CMUnitTest tests[] = {
        TEST(it_serves_clients_and_mail_until_an_orderly_stop, start_spinning),
        TEST(it_serves_clients_and_mail_until_an_orderly_stop, start_sleeping),
        TEST(it_sleeps_and_is_woken, start_sleeping),
        TEST(it_spins_without_sleep, start_spinning),
        TEST(a_stop_at_once_does_not_wait_for_clients, start_sleeping),
    };
    return cmocka_run_group_tests(tests, eal_open, eal_close);
}
