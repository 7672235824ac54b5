/* SPDX-License-Identifier: Apache-2.0 */
/* One end of a connection to a world's admin thread, by hand. */
#ifndef LINEMQ_TESTS_ADMIN_PEER_H
#define LINEMQ_TESTS_ADMIN_PEER_H

#include "tests/unit/admin/world.h"

/* Gives up reading after 20 seconds. */
int peer_open(const struct world *world);
void peer_send(int fd, const char *text);
/* The next line, from a heap that the caller frees; NULL at the end. */
char *peer_line(int fd);

#endif
