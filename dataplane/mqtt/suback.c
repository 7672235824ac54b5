/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/suback.h"

#include "dataplane/mqtt/filters.h"
#include "dataplane/mqtt/output.h"

/* `packet` has room for the header before the codes, which stand at FIXED_HEADER_MAX + 2. */
enum { CODES_AT = FIXED_HEADER_MAX + 2 };

static bool send(struct mqtt *mqtt, struct connection *connection, uint8_t *packet,
                 uint16_t packet_id, unsigned count) {
    uint8_t header[CODES_AT];
    size_t len = encode_suback(header, packet_id, count);

    /* 3.1 has no code for failure: QoS 0 is the least that can be said. */
    for (unsigned i = 0; connection->level == LEVEL_MQTT_3_1 && i < count; i++)
        if (packet[CODES_AT + i] == SUBACK_FAILURE)
            packet[CODES_AT + i] = 0;
    memcpy(packet + CODES_AT - len, header, len);
    return output_packet(mqtt, connection, packet + CODES_AT - len, len + count);
}

/* Called by the router, so the connection is not ended at once. */
void suback_subscribed(void *owner, struct subscriber who, uint16_t packet_id, const uint8_t *codes,
                       unsigned count) {
    struct mqtt *mqtt = owner;
    struct connection *connection = connection_find(mqtt, who.ref, who.generation);
    uint8_t packet[CODES_AT + FILTERS_MAX];

    if (connection == NULL || count > FILTERS_MAX)
        return;
    memcpy(packet + CODES_AT, codes, count);
    connection->subscribing = 0;
    if (!send(mqtt, connection, packet, packet_id, count))
        connection_doom(mqtt, connection, CLOSE_RESOURCES);
    else
        connection_wait(mqtt, connection, CONNECTION_WAIT_INPUT);
}

/* The codes in the QoS fields of a request that came back. */
static unsigned codes_of(const struct subscribe_request *request, uint8_t *codes) {
    const uint8_t *entry = request->bytes;
    unsigned n = 0;

    for (; n < request->count && n < FILTERS_MAX; n++) {
        codes[n] = entry[0];
        entry += 3 + load_be16(entry + 1);
    }
    return n;
}

void suback_from_shard(struct mqtt *mqtt, const struct mail *mail) {
    struct connection *connection = connection_find(mqtt, mail->conn, mail->generation);
    struct parcel *parcel = mail->subscribe.filters;
    uint8_t packet[CODES_AT + FILTERS_MAX];
    unsigned n = mail->subscribe.count;

    if (parcel != NULL) {
        n = codes_of((const struct subscribe_request *)parcel, packet + CODES_AT);
        parcel_release(mqtt->parcels, parcel);
    } else {
        n = n < sizeof mail->subscribe.codes ? n : (unsigned)sizeof mail->subscribe.codes;
        memcpy(packet + CODES_AT, mail->subscribe.codes, n);
    }
    if (connection == NULL) {
        count(mqtt->counters, COUNTER_MQTT_STALE_MAIL);
        return;
    }
    connection->subscribing = 0;
    if (!send(mqtt, connection, packet, mail->subscribe.packet_id, n))
        connection_end(mqtt, connection, CLOSE_RESOURCES, ENDING_ABORT);
    else
        connection_wait(mqtt, connection, CONNECTION_WAIT_INPUT);
}
