/* SPDX-License-Identifier: Apache-2.0 */
/* ctl publish */
#include <stdlib.h>
#include <string.h>

#include "control/admin/handlers.h"
#include "control/admin/question.h"

/* The question's text. */
struct publication {
    uint32_t topic_len, payload_len;
    uint8_t qos;
    bool retain;
    uint8_t bytes[]; /* topic, payload */
};

static int digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648, 4. False: it is not base64. */
static bool decode(const char *text, size_t len, uint8_t *to, size_t *to_len) {
    *to_len = 0;
    if (len % 4 != 0)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        unsigned padding = 0;
        uint32_t bits = 0;
        for (unsigned k = 0; k < 4; k++) {
            bool pad = text[i + k] == '=' && k >= 2 && i + 4 == len;
            int value = pad ? 0 : digit(text[i + k]);
            if (value < 0 || (!pad && padding > 0))
                return false;
            padding += pad;
            bits = bits << 6 | (uint32_t)value;
        }
        for (unsigned k = 0; k < 3 - padding; k++)
            to[(*to_len)++] = (uint8_t)(bits >> (16 - 8 * k));
    }
    return true;
}

static void ask_publish(struct shard *shard, struct question *question) {
    const struct publication *p = (const struct publication *)question->text;
    question->found = shard_publish(shard, p->bytes, p->topic_len, p->bytes + p->topic_len,
                                    p->payload_len, p->qos, p->retain);
}

static void publish_answer(struct job *job, struct question *question) {
    const struct publication *p = (const struct publication *)question->text;
    if (!question->found) {
        job_fail(job, PROTOCOL_FAILED, "the broker could not take the message: memory is short");
        return;
    }
    job_row(job, json_pack("{s:o, s:i, s:i, s:b}", "topic", text_json(p->bytes, p->topic_len),
                           "bytes", (int)p->payload_len, "qos", p->qos, "retain", p->retain));
    job_done(job);
}

/* Bytes of the PUBLISH packet: fixed header, topic, packet identifier, payload (MQTT 3.1.1, 3.3).
 */
static size_t packet_size(const struct publication *p) {
    return 5 + 2 + (size_t)p->topic_len + 2 + p->payload_len;
}

static bool check(struct job *job, const struct publication *p) {
    const struct config *config = job->admin->registry->config;
    if (!topic_argument_check(job, (const char *)p->bytes, p->topic_len))
        return false;
    if (packet_size(p) <= config->mqtt.packet_size)
        return true;
    job_fail(job, PROTOCOL_USAGE, "the message is larger than mqtt.packet_size, %u bytes",
             config->mqtt.packet_size);
    return false;
}

void publish_step(struct job *job) {
    size_t topic_len, len, payload_len = 0;
    const char *topic = job_text(job, "topic", &topic_len);
    const char *base64 = job_text(job, "base64", &len);
    const char *payload = base64 != NULL ? base64 : job_text(job, "message", &len);
    struct publication *p = malloc(sizeof *p + topic_len + len);
    if (p == NULL) {
        job_fail(job, PROTOCOL_FAILED, "out of memory");
        return;
    }
    *p = (struct publication){.topic_len = (uint32_t)topic_len,
                              .qos = (uint8_t)job_number(job, "qos", 0),
                              .retain = job_flag(job, "retain")};
    memcpy(p->bytes, topic, topic_len);
    bool good = true;
    if (base64 != NULL)
        good = decode(base64, len, p->bytes + topic_len, &payload_len);
    else if (payload != NULL)
        memcpy(p->bytes + topic_len, payload, payload_len = len);
    p->payload_len = (uint32_t)payload_len;
    if (!good)
        job_fail(job, PROTOCOL_USAGE, "argument 'base64' must be base64");
    else if (payload == NULL)
        job_fail(job, PROTOCOL_USAGE, "the payload is missing");
    if (good && payload != NULL && check(job, p)) {
        /* Always the same shard, so that messages keep their order. */
        struct question *question = question_new(job, 0, p, sizeof *p + topic_len + payload_len);
        if (question != NULL)
            question_shard(question, ask_publish, publish_answer);
    }
    free(p);
}
