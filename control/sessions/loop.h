/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread and the libuv loop around a shard (loop.c), and the shard without them (shard.c), as
 * unit tests drive it.
 */
#ifndef LINEMQ_CONTROL_SESSIONS_LOOP_H
#define LINEMQ_CONTROL_SESSIONS_LOOP_H

#include "control/sessions/state.h"

/* A shard whose turns the caller makes; authentication answers on `loop`. */
struct shard *shard_make(const struct registry *registry, unsigned index, uv_loop_t *loop,
                         char *error, unsigned error_size);
/* After auth_idle. */
void shard_unmake(struct shard *shard);

#endif
