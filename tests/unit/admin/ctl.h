/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the real ctl against a world's admin thread. */
#ifndef LINEMQ_TESTS_ADMIN_CTL_H
#define LINEMQ_TESTS_ADMIN_CTL_H

#include "tests/unit/admin/world.h"

extern char *out, *err; /* of the last ctl */

/* Runs `ctl WORDS...` (split at blanks) with `input`; returns its exit code. */
int ctl_input(const char *socket, const char *line, const char *input);
int ctl(struct world *world, const char *line);

/* cmocka set-up and tear-down: a running world, and what the last ctl said is freed. */
int ctl_set_up(void **state);
int ctl_tear_down(void **state);
void ctl_forget(void);

#define in_world(test) cmocka_unit_test_setup_teardown(test, ctl_set_up, ctl_tear_down)

#endif
