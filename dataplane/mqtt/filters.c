/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/filters.h"

/* How many there are; 0 and *handled: the connection has ended. */
static unsigned count_filters(struct mqtt *mqtt, struct connection *connection,
                              struct filter_reader reader, bool with_qos, enum handled *handled) {
    unsigned n = 0, max = mqtt->config.limits.filters;

    while (reader.left > 0 && n <= max) {
        struct filter_view view;
        enum codec_result result = decode_filter(&reader, with_qos, &view);

        if (result != CODEC_OK) {
            *handled = handle_malformed(mqtt, connection, result);
            return 0;
        }
        if (!topic_filter_valid(view.bytes, view.len, TOPIC_LEVELS_ANY)) {
            *handled = handle_violation(mqtt, connection, COUNTER_MQTT_BAD_FILTER);
            return 0;
        }
        n++;
    }
    if (n == 0) /* MQTT-3.8.3-3, 3.10.3-2 */
        *handled = handle_violation(mqtt, connection, COUNTER_MQTT_NO_FILTERS);
    if (n > max) {
        *handled = handle_violation(mqtt, connection, COUNTER_MQTT_LIMIT_FILTERS);
        return 0;
    }
    return n;
}

static bool is_refused(const struct mqtt *mqtt, const struct filter_view *view) {
    for (unsigned i = 0; i < mqtt->config.refuse_subscriptions_count; i++)
        if (mqtt->refused[i].len == view->len &&
            memcmp(mqtt->refused[i].bytes, view->bytes, view->len) == 0)
            return true;
    return false;
}

static bool within_limits(const struct mqtt *mqtt, const struct filter_view *view) {
    const struct mqtt_limits *limits = &mqtt->config.limits;

    return view->len <= limits->topic_length &&
           topic_filter_valid(view->bytes, view->len, limits->topic_levels);
}

static uint8_t code_of(struct mqtt *mqtt, const struct filter_view *view, bool subscribe) {
    if (!within_limits(mqtt, view)) {
        if (subscribe)
            count(mqtt->counters, COUNTER_MQTT_LIMIT_FILTER);
        return SUBACK_FAILURE;
    }
    if (subscribe && is_refused(mqtt, view)) {
        count(mqtt->counters, COUNTER_MQTT_REFUSED_FILTER);
        return SUBACK_FAILURE;
    }
    return view->qos;
}

enum handled filters_read(struct mqtt *mqtt, struct connection *connection,
                          const struct packet *packet, struct filters *filters) {
    bool with_qos = packet->header.type == PACKET_SUBSCRIBE;
    struct filter_reader reader;
    enum handled handled = HANDLED_DONE;
    enum codec_result result =
        decode_filters(packet->body, packet->header.remaining, &filters->packet_id, &reader);

    if (result != CODEC_OK)
        return handle_malformed(mqtt, connection, result);
    filters->count = count_filters(mqtt, connection, reader, with_qos, &handled);
    if (filters->count == 0)
        return handled;
    filters->list = pool_alloc(mqtt->pool, filters->count * sizeof *filters->list);
    if (filters->list == NULL)
        return HANDLED_TRY_AGAIN;
    for (unsigned i = 0; i < filters->count; i++) {
        struct filter_view view;

        decode_filter(&reader, with_qos, &view);
        filters->list[i] = (struct filter){.bytes = view.bytes,
                                           .len = view.len,
                                           .qos = view.qos,
                                           .code = code_of(mqtt, &view, with_qos)};
    }
    return HANDLED_DONE;
}

void filters_free(struct mqtt *mqtt, struct filters *filters) {
    pool_free(mqtt->pool, filters->list, filters->count * sizeof *filters->list);
}

enum handled filters_mail(struct mqtt *mqtt, struct connection *connection, enum mail_type type,
                          const struct filters *filters) {
    unsigned shard = handler_shard(mqtt, connection);
    size_t len = 0;

    if (mail_pressure(mqtt->mailroom, UINT32_C(1) << shard))
        return HANDLED_TRY_AGAIN;
    for (unsigned i = 0; i < filters->count; i++)
        len += 3u + (filters->list[i].code == SUBACK_FAILURE ? 0 : filters->list[i].len);
    struct subscribe_request *request = parcel_new(mqtt->parcels, sizeof *request + len);
    if (request == NULL)
        return HANDLED_TRY_AGAIN;
    request->count = (uint16_t)filters->count;
    request->len = (uint32_t)len;
    uint8_t *to = request->bytes;
    for (unsigned i = 0; i < filters->count; i++) {
        const struct filter *filter = &filters->list[i];
        uint16_t filter_len = filter->code == SUBACK_FAILURE ? 0 : filter->len;

        *to = filter->code == SUBACK_FAILURE ? SUBACK_FAILURE : filter->qos;
        store_be16(to + 1, filter_len);
        memcpy(to + 3, filter->bytes, filter_len);
        to += 3 + filter_len;
    }
    struct mail mail = handler_mail(mqtt, connection, type);
    mail.subscribe.filters = &request->parcel;
    mail.subscribe.packet_id = filters->packet_id;
    mail.subscribe.count = request->count;
    if (mail_send(mqtt->mailroom, shard, &mail))
        return HANDLED_DONE;
    parcel_release(mqtt->parcels, request);
    return HANDLED_TRY_AGAIN;
}
