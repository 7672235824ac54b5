/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations of a test, by way of a file. */
#ifndef LINEMQ_TESTS_CONTROL_CONFIG_FILE_H
#define LINEMQ_TESTS_CONTROL_CONFIG_FILE_H

#include "control/config/config.h"

extern char config_file[];

/* cmocka group set-up and tear-down. */
int config_file_make(void **state);
int config_file_remove(void **state);

/* Loads `text` with `overrides`; the errors, with the file's name cut off each line, go to *errors
 * (freed by the caller). */
struct config *load_with(const char *text, const char *const *overrides, unsigned count,
                         char **errors);
struct config *load(const char *text, char **errors);

/* What config_print prints; freed by the caller. */
char *printed(const struct config *config);

#endif
