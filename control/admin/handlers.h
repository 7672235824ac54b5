/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the commands' handlers, one file per noun, and what they share. */
#ifndef LINEMQ_CONTROL_ADMIN_HANDLERS_H
#define LINEMQ_CONTROL_ADMIN_HANDLERS_H

#include "control/admin/job.h"

void status_step(struct job *job);
void version_step(struct job *job);
void client_list_step(struct job *job);
void client_show_step(struct job *job);
void client_kick_step(struct job *job);
void client_trace_step(struct job *job);
void sub_list_step(struct job *job);
void topic_match_step(struct job *job);
void publish_step(struct job *job);
void capture_start_step(struct job *job);
void capture_stop_step(struct job *job);
void capture_status_step(struct job *job);
void capture_list_step(struct job *job);
void worker_list_step(struct job *job);
void port_list_step(struct job *job);
void memory_show_step(struct job *job);
void drops_step(struct job *job);
void counters_step(struct job *job);
void config_show_step(struct job *job);
void log_level_step(struct job *job);

/* Is the argument a topic name that this broker takes? False: the job has failed. */
bool topic_argument_check(struct job *job, const char *topic, size_t len);

/* Resident and virtual size of the process, bytes; 0 if /proc can't be read. */
void process_memory(uint64_t *resident, uint64_t *virtual_size);

#endif
