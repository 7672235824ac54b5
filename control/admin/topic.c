/* SPDX-License-Identifier: Apache-2.0 */
/* ctl topic match */
#include "control/admin/handlers.h"
#include "control/admin/subscriptions.h"

#include "dataplane/topics/topic.h"

bool topic_argument_check(struct job *job, const char *topic, size_t len) {
    const struct config *config = job->admin->registry->config;
    if (len <= config->mqtt.topic_length &&
        topic_name_valid((const uint8_t *)topic, len, config->mqtt.topic_levels))
        return true;
    job_fail(job, PROTOCOL_USAGE,
             "TOPIC must be a topic name: 1 to %u bytes, no wildcard, at most %u levels",
             config->mqtt.topic_length, config->mqtt.topic_levels);
    return false;
}

void topic_match_step(struct job *job) {
    struct walk *walk = job_state(job, sizeof *walk);
    if (walk == NULL)
        return;
    if (walk->topic == NULL) {
        walk_init(walk, job);
        job->dispose = walk_dispose;
        walk->topic = job_text(job, "topic", &walk->topic_len);
        if (!topic_argument_check(job, walk->topic, walk->topic_len))
            return;
    }
    walk_step(walk, job);
}
