/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/will.h"

#include "dataplane/mqtt/handlers.h"

struct message *will_new(struct mqtt *mqtt, const struct connect_view *connect) {
    struct message *will =
        message_new(mqtt->parcels, connect->will_topic_len, connect->will_payload_len);

    if (will == NULL)
        return NULL;
    uint8_t *topic = will->bytes + 2;
    memcpy(topic, connect->will_topic, connect->will_topic_len);
    if (connect->will_payload_len > 0)
        memcpy(topic + connect->will_topic_len, connect->will_payload, connect->will_payload_len);
    will->qos = (connect->flags & CONNECT_WILL_QOS) >> CONNECT_WILL_QOS_SHIFT;
    will->flags = connect->flags & CONNECT_WILL_RETAIN ? MESSAGE_RETAIN : 0;
    return will;
}

bool will_publish(struct mqtt *mqtt, struct message *will) {
    struct publish publish = {
        .topic = message_topic(will),
        .payload = message_payload(will),
        .topic_len = will->topic_len,
        .payload_len = will->payload_len,
        .qos = will->qos,
        .retain = will->flags & MESSAGE_RETAIN,
        .wall_clock = mqtt->wall_clock,
        .ready = will,
    };

    if (handle_is_sys(publish.topic, publish.topic_len)) {
        count(mqtt->counters, COUNTER_MQTT_SYS_PUBLISH);
        parcel_release(mqtt->parcels, will);
        return true;
    }
    will->published = mqtt->wall_clock;
    if (router_publish(mqtt->router, &publish, NULL) == PUBLISH_TRY_AGAIN)
        return false;
    count(mqtt->counters, COUNTER_MQTT_WILLS);
    return true;
}
