/* SPDX-License-Identifier: Apache-2.0 */
#include "control/starting.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { MOMENT_MS = 200 };

static struct {
    pthread_t thread;
    bool running;
    void (*leave)(void *argument);
    void *argument;
    bool stop, over; /* atomic: a signal came; the start has ended */
} starting;

static bool is_over(void) {
    return __atomic_load_n(&starting.over, __ATOMIC_ACQUIRE);
}

/* SIGUSR1 is the main thread's, to say that the start is over. */
static void *watch(void *argument) {
    const struct timespec step = {.tv_nsec = 1000000};
    sigset_t signals;
    int signal = 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    while (!is_over() && signal != SIGTERM && signal != SIGINT)
        sigwait(&signals, &signal);
    if (signal != SIGTERM && signal != SIGINT)
        return NULL;
    __atomic_store_n(&starting.stop, true, __ATOMIC_RELEASE);
    for (unsigned waited = 0; !is_over(); waited++) {
        if (waited == MOMENT_MS) {
            starting.leave(starting.argument);
            _exit(0);
        }
        nanosleep(&step, NULL);
    }
    return NULL;
}

bool starting_begin(void (*leave)(void *argument), void *argument) {
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mine, NULL);
    starting.leave = leave;
    starting.argument = argument;
    starting.running = pthread_create(&starting.thread, NULL, watch, NULL) == 0;
    return starting.running;
}

bool starting_go_on(void) {
    return !__atomic_load_n(&starting.stop, __ATOMIC_ACQUIRE);
}

bool starting_end(void) {
    __atomic_store_n(&starting.over, true, __ATOMIC_RELEASE);
    if (starting.running) {
        pthread_kill(starting.thread, SIGUSR1);
        pthread_join(starting.thread, NULL);
    }
    starting.running = false;
    return starting_go_on();
}
