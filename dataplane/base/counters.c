/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/base/counters.h"

const struct counter_description counter_descriptions[COUNTERS] = {
#define X(id, name, kind, text) [COUNTER_##id] = {name, text, COUNTER_KIND_##kind},
    LINEMQ_COUNTERS(X)
#undef X
};
