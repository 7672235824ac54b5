/* SPDX-License-Identifier: Apache-2.0 */
/* ctl topic match */
#include "control/admin/handlers.h"
#include "control/admin/subscriptions.h"

#include "dataplane/topics/topic.h"

void topic_match_step(struct job *job) {
    struct walk *walk = job_state(job, sizeof *walk);
    if (walk == NULL)
        return;
    if (walk->topic == NULL) {
        walk_init(walk, job);
        job->dispose = walk_dispose;
        walk->topic = job_text(job, "topic", &walk->topic_len);
        if (!topic_name_valid((const uint8_t *)walk->topic, walk->topic_len,
                              job->admin->registry->config->mqtt.topic_levels)) {
            job_fail(job, PROTOCOL_USAGE,
                     "TOPIC must be a topic name: 1 to 65535 bytes, no wildcard, at most %u levels",
                     job->admin->registry->config->mqtt.topic_levels);
            return;
        }
    }
    walk_step(walk, job);
}
