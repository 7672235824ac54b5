/* SPDX-License-Identifier: Apache-2.0 */
/* ctl log level */
#include "control/log/log.h"

#include "control/admin/handlers.h"

void log_level_step(struct job *job) {
    size_t len;
    const char *name = job_text(job, "level", &len);
    enum config_log_level level;
    if (name != NULL && log_level_by_name(name, &level))
        log_set_level(level);
    job_row(job, json_pack("{s:s}", "level", log_level_name(log_level())));
    job_done(job);
}
