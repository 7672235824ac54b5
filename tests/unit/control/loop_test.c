/* SPDX-License-Identifier: Apache-2.0 */
/* Shards with their threads; the test's thread plays worker 0 and waits for mail asleep. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static struct world world;
static sem_t mail_has_come;

static void wake(void *argument) {
    sem_post(&mail_has_come);
}

/* Receives until there is one of that type. */
static struct mail wait_for(enum mail_type type) {
    struct desk *desk = &world.workers[0];
    desk_receive(desk);
    while (desk_has(desk, type) == 0) {
        mail_flush(desk->mailroom);
        routes_quiescent(world.registry.routes, 0);
        if (mail_may_sleep(desk->mailroom)) {
            routes_offline(world.registry.routes, 0);
            sem_wait(&mail_has_come);
            routes_online(world.registry.routes, 0);
            mail_awake(desk->mailroom);
        }
        desk_receive(desk);
    }
    return desk_take(desk, type);
}

static void open_with_threads(unsigned shards) {
    char error[256];
    unsigned threads = WORKERS + shards + 1;
    struct registry *registry = &world.registry;
    *registry = (struct registry){.config = world.config,
                                  .mailboxes = mailboxes_create(threads, 256),
                                  .routes = routes_create(threads),
                                  .workers = WORKERS,
                                  .shards = shards,
                                  .first_shard = FIRST_SHARD,
                                  .admin = threads - 1,
                                  .version = "test"};
    sem_init(&mail_has_come, 0, 0);
    mailboxes_set_wake(registry->mailboxes, 0, wake, NULL);
    desk_open(&world.workers[0], registry->mailboxes, 0);
    routes_online(registry->routes, 0);
    for (unsigned i = 0; i < shards; i++) {
        registry->shard[i] = shard_create(registry, i, error, sizeof error);
        assert_non_null(registry->shard[i]);
    }
    for (unsigned i = 0; i < shards; i++)
        assert_int_equal(shard_start(registry->shard[i]), 0);
}

static void close_with_threads(void) {
    struct registry *registry = &world.registry;
    for (unsigned i = 0; i < registry->shards; i++)
        shard_stop(registry->shard[i]);
    desk_receive(&world.workers[0]);
    for (unsigned i = 0; i < registry->shards; i++)
        shard_destroy(registry->shard[i]);
    desk_close(&world.workers[0]);
    mailboxes_destroy(registry->mailboxes);
    routes_destroy(registry->routes);
    config_free(world.config);
    sem_destroy(&mail_has_come);
}

static void answers_from_its_own_thread(enum config_idle idle) {
    world_prepare(&world);
    world.config->workers.idle = idle;
    open_with_threads(2);
    for (unsigned i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "dev-%u", i);
        struct client_at client = world_ask(&world, 0, id, CLEAN);
        struct mail verdict = wait_for(MAIL_VERDICT);
        assert_int_equal(verdict.code, 0);
        assert_int_equal(verdict.conn, client.conn);
    }
    close_with_threads();
}

static void a_shard_answers_from_its_own_thread(void **state) {
    answers_from_its_own_thread(IDLE_SLEEP);
}

static void a_shard_that_is_not_woken_looks_by_itself(void **state) {
    answers_from_its_own_thread(IDLE_SPIN);
}

static void call(void *thread, void *argument) {
    struct shard *shard = thread;
    struct mail mail = {.type = MAIL_CALL, .call = {.argument = argument}};
    assert_true(mail_send(shard_mailroom(shard), 0, &mail));
}

static void a_call_runs_on_the_shards_thread(void **state) {
    int answer;
    world_prepare(&world);
    open_with_threads(1);
    struct mail mail = {.type = MAIL_CALL, .call = {.function = call, .argument = &answer}};
    assert_true(mail_send(world.workers[0].mailroom, FIRST_SHARD, &mail));
    assert_ptr_equal(wait_for(MAIL_CALL).call.argument, &answer);
    close_with_threads();
}

static void a_shard_stops_while_clients_are_connected_and_connecting(void **state) {
    world_prepare(&world);
    open_with_threads(1);
    world_ask(&world, 0, "dev", PERSISTENT);
    wait_for(MAIL_VERDICT);
    world_ask(&world, 0, "dev", PERSISTENT); /* waits for the other's end, which does not come */
    wait_for(MAIL_KICK);
    close_with_threads();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shard_answers_from_its_own_thread),
        cmocka_unit_test(a_shard_that_is_not_woken_looks_by_itself),
        cmocka_unit_test(a_call_runs_on_the_shards_thread),
        cmocka_unit_test(a_shard_stops_while_clients_are_connected_and_connecting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
