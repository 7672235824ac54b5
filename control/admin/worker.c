/* SPDX-License-Identifier: Apache-2.0 */
/* ctl worker list */
#include "control/admin/handlers.h"

static double share(double part, double whole) {
    return whole > 0 ? part * 100 / whole : 0;
}

static uint64_t grown(uint64_t now, uint64_t then) {
    return now > then ? now - then : 0;
}

static json_t *worker_json(const struct registry *registry, const struct samples *samples,
                           const struct sample *now, unsigned i) {
    const struct sample *then = &samples->older;
    const struct worker_gauges *gauges = &now->workers[i], *before = &then->workers[i];
    double busy = (double)grown(gauges->busy_cycles, before->busy_cycles);
    double idle = (double)grown(gauges->idle_cycles, before->idle_cycles);
    double asleep = (double)grown(gauges->sleep_cycles, before->sleep_cycles);
    /* A worker that sleeps at this moment has not reported that time yet. */
    double elapsed = (double)grown(now->cycles, then->cycles);
    if (busy + idle + asleep < elapsed)
        asleep = elapsed - busy - idle;
    double whole = busy + idle + asleep;
    uint64_t packets = grown(gauges->packets, before->packets);
    double cycles_per_us = samples_cycles_per_us(samples, now);
    double longest = (double)gauges->longest_lately / cycles_per_us;
    double longest_ever = (double)gauges->longest_turn / cycles_per_us;
    json_t *row =
        json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:I, s:I}", "worker", (int)i, "busy_percent",
                  share(busy, whole), "polling_percent", share(idle, whole), "sleeping_percent",
                  share(asleep, whole), "packets_per_second",
                  sample_rate(gauges->packets, before->packets, now, then), "turns_per_second",
                  sample_rate(gauges->turns, before->turns, now, then), "longest_turn_us",
                  (json_int_t)longest, "interval_ms",
                  (json_int_t)((now->nanoseconds - then->nanoseconds) / 1000000));
    if (row == NULL)
        return NULL;
    json_object_set_new(row, "cycles_per_packet",
                        packets > 0 ? json_real(busy / (double)packets) : json_null());
    json_object_set_new(row, "longest_turn_ever_us", json_integer((json_int_t)longest_ever));
    json_object_set_new(
        row, "longest_preempted_turn_us",
        json_integer((json_int_t)((double)gauges->longest_preempted / cycles_per_us)));
    json_object_set_new(row, "cycles_per_us", json_real(cycles_per_us));
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        {"connections", gauges->connections},
        {"connected", gauges->connected},
        {"clean_sessions", gauges->clean_sessions},
        {"subscriptions", gauges->subscriptions},
        {"mail_waiting", gauges->mail_waiting},
        {"pressure", gauges->pressure},
        {"memory_used", gauges->memory_used},
        {"packets", gauges->packets},
        {"turns", gauges->turns},
        {"preempted_turns", gauges->preempted_turns},
        {"sleeps", gauges->sleeps},
        {"busy_cycles", gauges->busy_cycles},
        {"idle_cycles", gauges->idle_cycles},
        {"sleep_cycles", gauges->sleep_cycles},
        {"capture_missed",
         counter_read(worker_counters(registry->worker[i]), COUNTER_WORKER_CAPTURE_MISSED)},
    };
    for (unsigned k = 0; k < sizeof numbers / sizeof *numbers; k++)
        json_object_set_new(row, numbers[k].key, json_integer((json_int_t)numbers[k].value));
    return row;
}

void worker_list_step(struct job *job) {
    const struct registry *registry = job->admin->registry;
    struct sample *now = job_state(job, sizeof *now);
    if (now == NULL)
        return;
    sample_take(registry, now);
    for (unsigned i = 0; i < registry->workers; i++)
        job_row(job, worker_json(registry, &job->admin->samples, now, i));
    job_done(job);
}
