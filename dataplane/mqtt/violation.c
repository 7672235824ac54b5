/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/handlers.h"

static const enum counter counter_of[CODEC_RESULTS] = {
    [CODEC_BAD_TYPE] = COUNTER_MQTT_BAD_TYPE,
    [CODEC_BAD_FLAGS] = COUNTER_MQTT_BAD_FLAGS,
    [CODEC_BAD_LENGTH] = COUNTER_MQTT_BAD_LENGTH,
    [CODEC_TRUNCATED] = COUNTER_MQTT_TRUNCATED,
    [CODEC_TRAILING] = COUNTER_MQTT_TRAILING,
    [CODEC_BAD_UTF8] = COUNTER_MQTT_BAD_UTF8,
    [CODEC_BAD_QOS] = COUNTER_MQTT_BAD_QOS,
    [CODEC_BAD_PACKET_ID] = COUNTER_MQTT_BAD_PACKET_ID,
    [CODEC_BAD_PROTOCOL_NAME] = COUNTER_MQTT_BAD_PROTOCOL_NAME,
    [CODEC_BAD_PROTOCOL_LEVEL] = COUNTER_MQTT_BAD_PROTOCOL_LEVEL,
    [CODEC_BAD_CONNECT_FLAGS] = COUNTER_MQTT_BAD_CONNECT_FLAGS,
};

enum handled handle_violation(struct mqtt *mqtt, struct connection *connection, enum counter why) {
    count(mqtt->counters, why);
    connection_end(mqtt, connection, CLOSE_PROTOCOL, ENDING_ORDERLY);
    return HANDLED_CLOSED;
}

enum handled handle_malformed(struct mqtt *mqtt, struct connection *connection,
                              enum codec_result result) {
    return handle_violation(mqtt, connection, counter_of[result]);
}

enum counter handle_topic_fault(const struct mqtt *mqtt, const uint8_t *topic, uint16_t len) {
    const struct mqtt_limits *limits = &mqtt->config.limits;

    if (len > limits->topic_length)
        return COUNTER_MQTT_LIMIT_TOPIC_LENGTH;
    if (topic_name_valid(topic, len, limits->topic_levels))
        return COUNTERS;
    return topic_name_valid(topic, len, TOPIC_LEVELS_ANY) ? COUNTER_MQTT_LIMIT_TOPIC_LEVELS
                                                          : COUNTER_MQTT_BAD_TOPIC;
}

bool handle_is_sys(const uint8_t *topic, uint16_t len) {
    return len >= 4 && memcmp(topic, "$SYS", 4) == 0 && (len == 4 || topic[4] == '/');
}
