/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin thread: a libuv loop that serves `ctl` on a Unix socket (protocol.h). It reads gauges
 * and counters where they are, asks workers by MAIL_INSPECT and shards by MAIL_CALL, and waits for
 * no answer longer than a deadline. Its thread number is registry->admin.
 *
 * Thread: create, start, stop, destroy by the main thread.
 */
#ifndef LINEMQ_CONTROL_ADMIN_ADMIN_H
#define LINEMQ_CONTROL_ADMIN_ADMIN_H

#include "control/registry.h"

struct admin;

/*
 * Takes the socket (config->control.socket, mode 0660, group socket_group) and prepares the thread.
 * A socket file on which nobody answers is replaced; if another process answers, or the path is
 * something else, this fails: so call it before anything else is opened, and a second instance
 * stops there. Needs config, mailboxes and the thread numbers of the registry; everything else
 * in it must be there before admin_start. NULL with a sentence in `error`.
 */
struct admin *admin_create(const struct registry *registry, char *error, unsigned error_size);

/* Removes the socket alone, before the process exits in the midst of its start. Any thread, while
 * the main thread does nothing with the admin. */
void admin_leave(struct admin *admin);

/* The thread. 0 or negative errno. */
int admin_start(struct admin *admin);

/* Ends the loop, hangs up on every ctl, removes the socket, joins. Before ports are closed. Nothing
 * happens if the thread is not running. */
void admin_stop(struct admin *admin);

/* After every shard and worker has ended: they may hold questions that are the admin's. */
void admin_destroy(struct admin *admin);

#endif
