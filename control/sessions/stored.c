/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that arrive for this shard's sessions and its retained store, and those it publishes. */
#include "control/sessions/session.h"
#include "control/sessions/state.h"

static void store(struct shard *shard, struct message *message, uint64_t epoch) {
    if (message->payload_len == 0) { /* MQTT-3.3.1-10, -11 */
        retained_delete(shard->retained, message_topic(message), message->topic_len);
        return;
    }
    bool room = (message->flags & MESSAGE_SYS) || !shard_short(shard, SHORT_PART);
    struct message *kept = room ? shard_keep(shard, message) : NULL;
    enum retained_result result =
        kept != NULL ? retained_put(shard->retained, kept, epoch) : RETAINED_NO_MEMORY;
    if (kept != NULL)
        parcel_release(&shard->parcels, kept);
    if (result == RETAINED_STORED)
        return;
    count(&shard->counters, result == RETAINED_FULL ? COUNTER_CONTROL_RETAINED_FULL
                                                    : COUNTER_CONTROL_RETAINED_NO_MEMORY);
    /* The old one is not true any more. */
    retained_delete(shard->retained, message_topic(message), message->topic_len);
}

void publish_mail(struct shard *shard, const struct mail *mail) {
    if (mail->flags & MAIL_PUBLISH_STORE)
        store(shard, mail->publish.message, mail->publish.epoch);
    if (mail->flags & MAIL_PUBLISH_MATCH)
        router_mail(shard->router, mail);
    else
        parcel_release(&shard->parcels, mail->publish.message);
}

bool shard_publish(struct shard *shard, const uint8_t *topic, size_t topic_len,
                   const uint8_t *payload, size_t payload_len, uint8_t qos, bool retain) {
    const struct config *config = shard->registry->config;
    if (qos > 2 || topic_len > config->mqtt.topic_length ||
        payload_len > config->mqtt.packet_size ||
        !topic_name_valid(topic, topic_len, config->mqtt.topic_levels))
        return false;
    struct publish publish = {.topic = topic,
                              .payload = payload,
                              .topic_len = (uint16_t)topic_len,
                              .payload_len = (uint32_t)payload_len,
                              .qos = qos,
                              .retain = retain,
                              .wall_clock = shard->wall_clock};
    return router_publish(shard->router, &publish, NULL) == PUBLISH_DONE;
}
