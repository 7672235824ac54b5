/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes against the MQTT side. The input is read twice: as the body of each kind of packet by the
 * decoders alone; and as a program of small steps against a worker's MQTT side, with clients that
 * send any bytes in any pieces, read or do not read, and vanish, a control shard that answers, and
 * memory that runs out.
 *
 * Checked besides what the sanitizers see: every client gets whole packets, every accepted
 * connection is told closed once, and no memory stays behind.
 */
#include <stdlib.h>

#include "tests/unit/mqtt/fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 3, STEPS_MAX = 300 };

struct input {
    const uint8_t *at, *end;
};

static unsigned byte(struct input *input) {
    return input->at < input->end ? *input->at++ : 0;
}

static void decode(const uint8_t *data, size_t size) {
    struct fixed_header header;
    struct connect_view connect;
    struct publish_view publish;
    struct filter_reader reader;
    struct filter_view filter;
    uint16_t id;

    decode_fixed_header(data, size, LEVEL_MQTT_3_1_1, &header);
    decode_connect(data, size, &connect);
    if (size > 0 && decode_publish_flags(data[0], &publish) == CODEC_OK)
        decode_publish(data + 1, size - 1, &publish);
    decode_packet_id(data, size, &id);
    for (unsigned with_qos = 0; with_qos < 2; with_qos++)
        if (decode_filters(data, size, &id, &reader) == CODEC_OK)
            while (reader.left > 0 && decode_filter(&reader, with_qos, &filter) == CODEC_OK)
                ;
}

static struct peer peers[PEERS];
static struct mail connects[PEERS];

/* The connection of the n-th peer as its shard knows it: the last CONNECTs that were mailed. */
static void note_connects(void) {
    for (unsigned i = 0; i < f.mails_count; i++)
        if (f.mails[i].type == MAIL_CONNECT) {
            connects[0] = connects[1];
            connects[1] = connects[2];
            connects[2] = f.mails[i];
        }
}

static void from_shard(struct input *input, unsigned which) {
    struct mail mail = answer_to(&connects[which % PEERS], (enum mail_type)0);
    unsigned id = byte(input);

    switch (which >> 4) {
    case 0:
    case 1:
    case 2:
    case 3:
        shard_deliver(&mail, id & 1 ? "a" : "long/topic/name", "payload", (uint16_t)(id % 4 + 1),
                      (uint8_t)((which >> 4) % 3), id & 2, id & 4);
        return;
    case 4:
        mail.type = MAIL_PUBREL_OUT;
        mail.ack.packet_id = (uint16_t)id;
        break;
    case 5:
        mail.type = MAIL_SUBACK;
        mail.subscribe.packet_id = (uint16_t)id;
        mail.subscribe.count = (uint16_t)(id % 40);
        break;
    case 6:
        mail.type = MAIL_UNSUBACK;
        mail.subscribe.packet_id = (uint16_t)id;
        break;
    case 7:
    case 8:
        mail.type = MAIL_KICK;
        mail.code = (uint8_t)id;
        break;
    case 9:
    case 10: {
        mail.type = MAIL_VERDICT;
        mail.code = (uint8_t)(id % 3 == 0 ? id % 6 : 0);
        struct packet_ids *ids = parcel_new(&f.shard.parcels, sizeof *ids + 4);
        ids->count = 2;
        ids->ids[0] = 1;
        ids->ids[1] = 3;
        mail.verdict.qos2_in = &ids->parcel;
        break;
    }
    default:
        return;
    }
    shard_send(mail);
}

static void event(struct input *input, struct peer *peer) {
    unsigned value = byte(input);

    switch (value & 15) {
    case 0:
        peer_reset(f.tcp, peer, TCP_CLOSED_RESET);
        break;
    case 1:
        peer_fin(f.tcp, peer);
        break;
    case 2:
        peer->silent = value & 16;
        peer->window = value >> 4;
        break;
    case 3:
        if (peer->conn != NULL)
            peer_acknowledge(f.tcp, peer, value >> 4 ? value >> 4 : UINT32_MAX);
        break;
    case 4:
        peer->keeps_fin = value & 16;
        break;
    case 5:
        arena_fail_after(f.worker.arena, 1 + (value >> 4));
        break;
    case 6:
        f.shard_asleep = value & 16;
        break;
    case 7:
        f.hold_verdicts = value & 16;
        break;
    case 8:
        f.verdict.code = (uint8_t)(value >> 5);
        break;
    case 9:
        f.verdict.verdict.keep_alive = (uint16_t)(value >> 4);
        f.verdict.verdict.inflight_max = (uint16_t)(value >> 5);
        break;
    case 10:
        if (value == 0xfa)
            mqtt_mail(f.mqtt, &(struct mail){.type = MAIL_STOP});
        break;
    default:
        if (peer->conn == NULL)
            peer_free(peer); /* a new client */
    }
}

static void send_piece(struct input *input, struct peer *peer, unsigned len) {
    size_t left = (size_t)(input->end - input->at);

    if (len > left)
        len = (unsigned)left;
    peer_send(f.tcp, peer, input->at, len);
    input->at += len;
}

static void step(struct input *input) {
    unsigned what = byte(input);
    struct peer *peer = &peers[(what >> 4) % PEERS];

    switch (what & 15) {
    case 0:
        send_connect(peer, "fuzz", (uint8_t)byte(input), 10);
        break;
    case 1:
        send_subscribe(peer, (uint16_t)(byte(input) + 1), what & 0x80 ? "a" : "#", what >> 6);
        break;
    case 2:
        send_publish(peer, "a", "payload", (uint8_t)(byte(input) & 15), (uint16_t)(what >> 6));
        break;
    case 3:
        for (unsigned n = byte(input); n > 0 && (peer->conn != NULL || n == 1); n--)
            SEND(peer, 0xc0, 0);
        break;
    case 4:
        turn();
        break;
    case 5:
        settle();
        break;
    case 6:
        wait_ms(100 * byte(input));
        break;
    case 7:
        event(input, peer);
        break;
    case 8:
        from_shard(input, byte(input));
        break;
    case 9:
        note_connects();
        break;
    default:
        send_piece(input, peer, what & 1 ? byte(input) : 1 + (what >> 5));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, data + size};

    decode(data, size);
    fixture_memory = 4 << 20;
    fixture_prepare(NULL);
    f.config.limits.packet_size = 4096;
    f.config.limits.send_queue_bytes = 500;
    f.config.limits.inflight = 3;
    f.config.limits.queued = 4;
    f.config.limits.qos2_received = 3;
    f.config.limits.subscriptions = 5;
    fixture_start();
    memset(connects, 0, sizeof connects);
    for (unsigned i = 0; i < STEPS_MAX && input.at < input.end; i++)
        step(&input);
    arena_fail_after(f.worker.arena, 0);
    f.shard_asleep = false;
    settle();
    for (unsigned i = 0; i < PEERS; i++) {
        packets_of(&peers[i], 0);
        peer_reset(f.tcp, &peers[i], TCP_CLOSED_RESET);
        peer_free(&peers[i]);
    }
    for (unsigned i = 0; i < 20; i++)
        settle();
    if (f.closed_told < counter(COUNTER_MQTT_ACCEPTED) ||
        counter(COUNTER_MQTT_NO_MEMORY_CLOSED) > 0)
        abort();
    fixture_close(NULL);
    return 0;
}
