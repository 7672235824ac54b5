/* SPDX-License-Identifier: Apache-2.0 */
/* ctl config show (config check is done by ctl itself) */
#include <stdio.h>
#include <stdlib.h>

#include "control/admin/handlers.h"

void config_show_step(struct job *job) {
    const struct config *config = job->admin->registry->config;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        job_fail(job, PROTOCOL_FAILED, "out of memory");
        return;
    }
    config_print(config, out);
    fclose(out);
    job_row(job, json_pack("{s:o, s:o}", "path",
                           config->path != NULL ? json_string(config->path) : json_null(), "yaml",
                           text_json(text, size)));
    free(text);
    job_done(job);
}
