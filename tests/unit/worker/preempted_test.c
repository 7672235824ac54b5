/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "dataplane/worker/preempted.h"

enum { TRIES = 100000 };

static struct preempted preempted;

static int init(void **state) {
    preempted_init(&preempted);
    return 0;
}

static void who_kept_the_cpu_was_not_preempted(void **state) {
    unsigned tries = 0;
    do {
        preempted_watch(&preempted);
    } while (preempted_was(&preempted) && ++tries < TRIES);
    assert_true(tries < TRIES);
}

/* Sleeping gives the CPU away as preemption does. */
static void who_lost_the_cpu_was_preempted(void **state) {
    if (preempted.announced == NULL)
        skip();
    preempted_watch(&preempted);
    nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
    assert_true(preempted_was(&preempted));
    preempted_watch(&preempted);
    nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
    assert_true(preempted_was(&preempted));
}

static void *in_a_thread(void *argument) {
    struct preempted own;
    preempted_init(&own);
    preempted_watch(&own);
    nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
    *(bool *)argument = preempted_was(&own);
    return NULL;
}

static void each_thread_is_watched_by_itself(void **state) {
    pthread_t thread;
    bool was = false;
    if (preempted.announced == NULL)
        skip();
    assert_int_equal(pthread_create(&thread, NULL, in_a_thread, &was), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(was);
}

static void without_rseq_nothing_is_said(void **state) {
    struct preempted none = {0};
    preempted_watch(&none);
    assert_false(preempted_was(&none));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_kept_the_cpu_was_not_preempted),
        cmocka_unit_test(who_lost_the_cpu_was_preempted),
        cmocka_unit_test(each_thread_is_watched_by_itself),
        cmocka_unit_test(without_rseq_nothing_is_said),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
