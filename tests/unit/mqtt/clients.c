/* SPDX-License-Identifier: Apache-2.0 */
/* The clients of the fixture: making packets, and expecting them. */
#include "tests/unit/mqtt/fixture.h"

#include <stdlib.h>

static size_t put_remaining(uint8_t *out, size_t remaining) {
    size_t len = 0;

    do {
        out[len] = remaining & 0x7f;
        remaining >>= 7;
        if (remaining)
            out[len] |= 0x80;
        len++;
    } while (remaining);
    return len;
}

static size_t put_string(uint8_t *out, const void *bytes, size_t len) {
    store_be16(out, (uint16_t)len);
    memcpy(out + 2, bytes, len);
    return 2 + len;
}

static size_t finish(uint8_t *out, uint8_t first, const uint8_t *body, size_t len) {
    out[0] = first;
    size_t header = 1 + put_remaining(out + 1, len);
    memcpy(out + header, body, len);
    return header + len;
}

/* With the will flag: topic "will", payload "gone". With user name and password: "user", "pass". */
size_t make_connect(uint8_t *out, const char *id, uint8_t flags, uint16_t keep_alive) {
    uint8_t body[512];
    size_t len = put_string(body, "MQTT", 4);

    body[len++] = LEVEL_MQTT_3_1_1;
    body[len++] = flags;
    store_be16(body + len, keep_alive);
    len += 2;
    len += put_string(body + len, id, strlen(id));
    if (flags & CONNECT_WILL) {
        len += put_string(body + len, "will", 4);
        len += put_string(body + len, "gone", 4);
    }
    if (flags & CONNECT_USERNAME)
        len += put_string(body + len, "user", 4);
    if (flags & CONNECT_PASSWORD)
        len += put_string(body + len, "pass", 4);
    return finish(out, PACKET_CONNECT << 4, body, len);
}

size_t make_publish(uint8_t *out, const char *topic, const void *payload, size_t payload_len,
                    uint8_t flags, uint16_t packet_id) {
    uint8_t *body = malloc(payload_len + strlen(topic) + 4);
    size_t len = put_string(body, topic, strlen(topic));

    if (flags & 6) {
        store_be16(body + len, packet_id);
        len += 2;
    }
    if (payload_len > 0)
        memcpy(body + len, payload, payload_len);
    len += payload_len;
    len = finish(out, (uint8_t)(PACKET_PUBLISH << 4 | flags), body, len);
    free(body);
    return len;
}

size_t make_subscribe(uint8_t *out, uint16_t packet_id, const char *filter, uint8_t qos) {
    uint8_t body[1024];

    store_be16(body, packet_id);
    size_t len = 2 + put_string(body + 2, filter, strlen(filter));
    body[len++] = qos;
    return finish(out, PACKET_SUBSCRIBE << 4 | 2, body, len);
}

struct peer *new_client(void) {
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (clients[i].conn == NULL && clients[i].got == NULL && clients[i].unread == NULL &&
            !clients[i].silent) {
            clients[i].got = malloc(1); /* taken */
            clients[i].got_room = 1;
            return &clients[i];
        }
    abort();
}

void send_connect(struct peer *client, const char *id, uint8_t flags, uint16_t keep_alive) {
    uint8_t packet[600];

    peer_send(f.tcp, client, packet, make_connect(packet, id, flags, keep_alive));
}

void send_publish(struct peer *client, const char *topic, const char *payload, uint8_t flags,
                  uint16_t packet_id) {
    uint8_t packet[2048];

    peer_send(f.tcp, client, packet,
              make_publish(packet, topic, payload, strlen(payload), flags, packet_id));
}

void send_subscribe(struct peer *client, uint16_t packet_id, const char *filter, uint8_t qos) {
    uint8_t packet[1100];

    peer_send(f.tcp, client, packet, make_subscribe(packet, packet_id, filter, qos));
}

void send_ack(struct peer *client, enum packet_type type, uint16_t packet_id) {
    uint8_t packet[4];

    peer_send(f.tcp, client, packet, encode_ack(packet, type, packet_id));
}

struct peer *connected_client(const char *id) {
    struct peer *client = new_client();

    send_connect(client, id, CONNECT_CLEAN_SESSION, 0);
    EXPECT(client, 0x20, 2, 0, 0);
    struct mail connect = take_mail(MAIL_CONNECT);
    parcel_release(&f.shard.parcels, connect.connect.request);
    return client;
}

struct peer *persistent_client(const char *id, struct mail *connect) {
    struct peer *client = new_client();

    send_connect(client, id, 0, 0);
    EXPECT(client, 0x20, 2, 0, 0);
    *connect = take_mail(MAIL_CONNECT);
    parcel_release(&f.shard.parcels, connect->connect.request);
    connect->session = f.sessions;
    return client;
}

void subscribed(struct peer *client, const char *filter, uint8_t qos) {
    send_subscribe(client, 999, filter, qos);
    EXPECT(client, 0x90, 3, 999 >> 8, 999 & 0xff, qos);
}

static void take(struct peer *client, size_t len) {
    memmove(client->got, client->got + len, client->got_len - len);
    client->got_len -= len;
}

void expect(struct peer *client, const void *bytes, size_t len) {
    settle();
    assert_true(client->got_len >= len);
    assert_memory_equal(client->got, bytes, len);
    take(client, len);
}

void expect_ack(struct peer *client, enum packet_type type, uint16_t packet_id) {
    uint8_t packet[4];

    expect(client, packet, encode_ack(packet, type, packet_id));
}

uint16_t expect_publish(struct peer *client, const char *topic, const char *payload,
                        uint8_t flags) {
    uint8_t packet[2048];
    uint16_t packet_id = 0;
    size_t header = 2;

    settle();
    assert_true(client->got_len >= 4 + strlen(topic));
    if (client->got[1] & 0x80)
        header = 3;
    if (flags & 6) {
        packet_id = load_be16(client->got + header + 2 + strlen(topic));
        assert_int_not_equal(packet_id, 0);
    }
    size_t len = make_publish(packet, topic, payload, strlen(payload), flags, packet_id);
    expect(client, packet, len);
    return packet_id;
}

void expect_nothing(struct peer *client) {
    settle();
    assert_int_equal(client->got_len, 0);
}

void expect_closed(struct peer *client) {
    expect_nothing(client);
    assert_true(client->fin || client->reset);
    assert_null(client->conn);
}

void expect_open(struct peer *client) {
    settle();
    assert_non_null(client->conn);
    assert_false(client->fin);
    assert_false(client->reset);
}

unsigned packets_of(const struct peer *client, enum packet_type type) {
    unsigned n = 0;

    for (size_t at = 0; at < client->got_len;) {
        unsigned this_type = client->got[at] >> 4;
        uint32_t remaining = 0;
        size_t i = at + 1;

        for (unsigned shift = 0;; shift += 7, i++) {
            assert_true(i < client->got_len && shift < 28);
            remaining |= (uint32_t)(client->got[i] & 0x7f) << shift;
            if (!(client->got[i] & 0x80))
                break;
        }
        assert_true(this_type == PACKET_CONNACK ||
                    (this_type >= PACKET_PUBLISH && this_type <= PACKET_PUBCOMP) ||
                    this_type == PACKET_SUBACK || this_type == PACKET_UNSUBACK ||
                    this_type == PACKET_PINGRESP);
        n += this_type == type;
        at = i + 1 + remaining;
        assert_true(at <= client->got_len);
    }
    return n;
}
