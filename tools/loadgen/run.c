/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/loadgen/run.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

enum { LINK_TIMEOUT_S = 30, WATCH_EVERY_US = 5000, NAP_AFTER = 64 };

static void usage_note(struct run *run, enum fleet_phase before) {
    enum fleet_phase phase = run->fleet->phase;
    if (phase == before)
        return;
    struct timespec cpu;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    run->usage.cpu_ns = (uint64_t)cpu.tv_sec * 1000000000 + (uint64_t)cpu.tv_nsec;
    if (phase == FLEET_MEASURE)
        run->at_measure = run->usage;
    else if (phase == FLEET_DRAIN)
        run->at_stop = run->usage;
}

/* A CPU shared with others is better left alone now and then. */
static void nap(const struct run *run, bool busy, unsigned *empty_turns) {
    const struct timespec pause = {.tv_nsec = (long)run->scenario->port.nap_us * 1000};
    *empty_turns = busy ? 0 : *empty_turns + 1;
    if (pause.tv_nsec > 0 && *empty_turns > NAP_AFTER)
        nanosleep(&pause, NULL);
}

int run_loop(void *argument) {
    struct run *run = argument;
    struct fleet *fleet = run->fleet;
    uint64_t start = rte_rdtsc();
    unsigned empty_turns = 0;
    while (fleet->phase != FLEET_DONE) {
        enum fleet_phase before = fleet->phase;
        fleet->now_ns = run_nanoseconds(run, start);
        devtcp_time(&fleet->tcp, fleet->now_ns / 1000);
        if (before == FLEET_LINK && nic_ready(&run->nic, fleet->now_ns))
            fleet_phase_set(fleet, FLEET_CONNECT);
        bool busy = nic_input(&run->nic) > 0;
        busy = fleet_turn(fleet, run_nanoseconds(run, rte_rdtsc())) || busy;
        nic_flush(&run->nic);
        usage_note(run, before);
        if (__atomic_load_n(&run->stop, __ATOMIC_RELAXED))
            fleet_phase_set(fleet, FLEET_DONE);
        nap(run, busy, &empty_turns);
        uint64_t end = rte_rdtsc();
        if (busy)
            run->usage.busy_cycles += end - start;
        else
            run->usage.idle_cycles += end - start;
        start = end;
    }
    nic_flush(&run->nic);
    return 0;
}

/* --- the main thread ------------------------------------------------------------------------- */

static uint64_t seen(const uint64_t *counter) {
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void sample(struct run *run, enum run_sample which) {
    char error[256];
    if (run->ctl == NULL || run->sampled[which])
        return;
    run->sampled[which] = broker_sample(run->ctl, &run->sample[which], error, sizeof error);
    run->delivered[which] = seen(&run->fleet->counts.delivered);
    run->published[which] = seen(&run->fleet->counts.published);
    if (!run->sampled[which])
        fprintf(stderr, "loadgen: %s\n", error);
    if (which == SAMPLE_CONNECTED)
        run->memory = broker_memory(run->ctl);
}

struct progress {
    uint64_t published, delivered, connected;
    struct timespec time;
};

static double since(const struct timespec *then, const struct timespec *now) {
    return (double)(now->tv_sec - then->tv_sec) + (double)(now->tv_nsec - then->tv_nsec) * 1e-9;
}

static void progress_print(const struct run *run, struct progress *last, double started) {
    const struct fleet *fleet = run->fleet;
    struct progress now = {.published = seen(&fleet->counts.published),
                           .delivered = seen(&fleet->counts.delivered),
                           .connected = seen(&fleet->tcp.stats.opened)};
    clock_gettime(CLOCK_MONOTONIC, &now.time);
    double seconds = since(&last->time, &now.time);
    fprintf(stderr,
            "%6.1f s  %-8s  %9" PRIu64 " ready  %9.0f connects/s  %10.0f sent/s  %10.0f "
            "delivered/s  gaps %" PRIu64 "  pings %" PRIu64 "\n",
            started + seconds, fleet_phase_name(fleet->phase), seen(&fleet->counts.ready),
            (double)(now.connected - last->connected) / seconds,
            (double)(now.published - last->published) / seconds,
            (double)(now.delivered - last->delivered) / seconds, seen(&fleet->verdicts.gaps),
            seen(&fleet->counts.pings));
    *last = now;
}

void run_watch(struct run *run, const volatile int *interrupt) {
    struct progress last = {0};
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    last.time = begun;
    sample(run, SAMPLE_CONNECT);
    for (enum fleet_phase phase = FLEET_LINK; phase != FLEET_DONE;) {
        usleep(WATCH_EVERY_US);
        phase = __atomic_load_n(&run->fleet->phase, __ATOMIC_ACQUIRE);
        if (phase >= FLEET_SETTLE)
            sample(run, SAMPLE_CONNECTED);
        if (phase >= FLEET_MEASURE)
            sample(run, SAMPLE_MEASURE);
        if (phase >= FLEET_DRAIN)
            sample(run, SAMPLE_STOP);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (since(&last.time, &now) >= 1)
            progress_print(run, &last, since(&begun, &last.time));
        if (phase == FLEET_LINK && since(&begun, &now) > LINK_TIMEOUT_S) {
            fprintf(stderr, "loadgen: no link, or no answer to ARP, for %d s\n", LINK_TIMEOUT_S);
            run->interrupted = true;
        }
        if (*interrupt)
            run->interrupted = true;
        if (run->interrupted)
            __atomic_store_n(&run->stop, true, __ATOMIC_RELAXED);
    }
}
