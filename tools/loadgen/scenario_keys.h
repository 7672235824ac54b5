/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a scenario's keys. Private to scenario*.c. */
#ifndef LINEMQ_LOADGEN_SCENARIO_KEYS_H
#define LINEMQ_LOADGEN_SCENARIO_KEYS_H

#include <stddef.h>

#include "tools/loadgen/scenario.h"

enum scenario_type { TYPE_NUMBER, TYPE_REAL, TYPE_FLAG, TYPE_TEXT };

struct scenario_key {
    const char *section, *name; /* section "": at the top */
    const char *preset;         /* NULL: none (texts only) */
    const char *text;
    double min, max;
    size_t offset;
    enum scenario_type type;
};

extern const struct scenario_key scenario_keys[];
extern const unsigned scenario_keys_count;

#endif
