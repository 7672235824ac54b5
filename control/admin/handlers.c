/* SPDX-License-Identifier: Apache-2.0 */
/* Which function carries out which command. */
#include "control/admin/handlers.h"

#include <string.h>

const struct handler handlers[] = {
    {"status", status_step},
    {"version", version_step},
    {"client list", client_list_step},
    {"client show", client_show_step},
    {"client kick", client_kick_step},
    {"client trace", client_trace_step},
    {"sub list", sub_list_step},
    {"topic match", topic_match_step},
    {"publish", publish_step},
    {"worker list", worker_list_step},
    {"port list", port_list_step},
    {"memory show", memory_show_step},
    {"drops", drops_step},
    {"counters", counters_step},
    {"config show", config_show_step},
    {"log level", log_level_step},
    {"capture start", capture_start_step},
    {"capture stop", capture_stop_step},
    {"capture status", capture_status_step},
    {"capture list", capture_list_step},
    {NULL, NULL},
};

const struct handler *handler_find(const struct command *command) {
    char name[64];
    command_name(command, name, sizeof name);
    for (const struct handler *handler = handlers; handler->command != NULL; handler++)
        if (strcmp(handler->command, name) == 0)
            return handler;
    return NULL;
}
