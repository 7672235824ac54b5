/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of each command's rows; see commands.h. The handlers of control/admin produce them. */
#ifndef LINEMQ_CONTROL_ADMIN_COLUMNS_H
#define LINEMQ_CONTROL_ADMIN_COLUMNS_H

#include "control/admin/commands.h"

extern const struct column columns_status[], columns_version[];
extern const struct column columns_client_list[], columns_client_show[], columns_client_kick[],
    columns_client_trace[];
extern const struct column columns_sub_list[], columns_topic_match[], columns_publish[];
extern const struct column columns_worker_list[], columns_port_list[], columns_memory_show[];
extern const struct column columns_capture[];
extern const struct column columns_drops[], columns_counters[];
extern const struct column columns_config_show[], columns_config_check[], columns_log_level[];

#endif
