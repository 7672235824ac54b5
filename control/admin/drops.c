/* SPDX-License-Identifier: Apache-2.0 */
/* ctl drops, ctl counters */
#include <string.h>

#include "control/admin/handlers.h"

static json_t *counter_json(const struct sample *now, const struct sample *then, unsigned i) {
    const struct counter_description *description = &counter_descriptions[i];
    return json_pack("{s:s, s:I, s:f, s:s}", "name", description->name, "count",
                     (json_int_t)now->counters[i], "per_second",
                     sample_rate(now->counters[i], then->counters[i], now, then), "text",
                     description->text);
}

void drops_step(struct job *job) {
    struct sample *now = job_state(job, sizeof *now);
    if (now == NULL)
        return;
    sample_take(job->admin->registry, now);
    for (unsigned i = 0; i < COUNTERS; i++)
        if (counter_descriptions[i].kind == COUNTER_KIND_DROP &&
            (now->counters[i] != 0 || job_flag(job, "all")))
            job_row(job, counter_json(now, &job->admin->samples.older, i));
    job_done(job);
}

void counters_step(struct job *job) {
    size_t len;
    const char *prefix = job_text(job, "prefix", &len);
    struct sample *now = job_state(job, sizeof *now);
    if (now == NULL)
        return;
    sample_take(job->admin->registry, now);
    for (unsigned i = 0; i < COUNTERS; i++) {
        if (prefix != NULL && strncmp(counter_descriptions[i].name, prefix, len) != 0)
            continue;
        json_t *row = counter_json(now, &job->admin->samples.older, i);
        json_object_set_new(row, "drop",
                            json_boolean(counter_descriptions[i].kind == COUNTER_KIND_DROP));
        job_row(job, row);
    }
    job_done(job);
}
