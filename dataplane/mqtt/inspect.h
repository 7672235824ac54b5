/* SPDX-License-Identifier: Apache-2.0 */
/* MAIL_INSPECT: connections, clean sessions' subscriptions and matches, for `ctl`. */
#ifndef LINEMQ_MQTT_INSPECT_H
#define LINEMQ_MQTT_INSPECT_H

#include "dataplane/mqtt/state.h"

/* Fills in the inspection and sends it back. */
void inspect(struct mqtt *mqtt, const struct mail *mail);

#endif
