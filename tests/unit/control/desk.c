/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/topics/topic.h"

enum { DESK_MEMORY = 64 << 20 };

void desk_open(struct desk *desk, struct mailboxes *mailboxes, unsigned self) {
    *desk = (struct desk){0};
    assert_true(region_reserve(&desk->region, DESK_MEMORY, 0));
    desk->arena_state = calloc(1, arena_footprint(desk->region.size));
    desk->arena =
        arena_init(desk->arena_state, desk->region.base, desk->region.size, desk->region.size);
    pool_init(&desk->pool, desk->arena);
    desk->mailroom = mailroom_create(mailboxes, self, &desk->pool);
    assert_non_null(desk->mailroom);
    desk->parcels =
        (struct parcels){.pool = &desk->pool, .mailroom = desk->mailroom, .self = (uint8_t)self};
    desk->mails = calloc(DESK_MAILS, sizeof *desk->mails);
}

uint64_t pool_in_use(const struct pool *pool) {
    uint64_t used = 0;
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        used += pool->classes[i].used;
    return used;
}

void desk_close(struct desk *desk) {
    assert_int_equal(pool_in_use(&desk->pool), 0);
    mailroom_destroy(desk->mailroom);
    free(desk->arena_state);
    free(desk->mails);
    region_release(&desk->region);
}

void desk_receive(struct desk *desk) {
    struct mail mail;
    while (mail_receive(desk->mailroom, &mail, 1) == 1) {
        if (mail.type == MAIL_RELEASE) {
            for (unsigned i = 0; i < 6 && mail.release.parcels[i] != NULL; i++)
                parcel_came_home(&desk->parcels, mail.release.parcels[i]);
        } else {
            assert_true(desk->count < DESK_MAILS);
            desk->mails[desk->count++] = mail;
        }
    }
}

struct mail desk_take(struct desk *desk, enum mail_type type) {
    for (unsigned i = 0; i < desk->count; i++) {
        if (desk->mails[i].type == type) {
            struct mail mail = desk->mails[i];
            desk->mails[i].type = 0;
            return mail;
        }
    }
    fail_msg("no mail of type %u has come", type);
    return (struct mail){0};
}

unsigned desk_has(const struct desk *desk, enum mail_type type) {
    unsigned count = 0;
    for (unsigned i = 0; i < desk->count; i++)
        count += desk->mails[i].type == type;
    return count;
}

struct message *desk_message(struct desk *desk, const char *topic, const char *payload,
                             uint8_t qos) {
    size_t topic_len = strlen(topic), payload_len = strlen(payload);
    struct message *message =
        message_new(&desk->parcels, (uint16_t)topic_len, (uint32_t)payload_len);
    assert_non_null(message);
    memcpy(message->bytes + 2, topic, topic_len);
    memcpy(message->bytes + 2 + topic_len, payload, payload_len);
    message->topic_hash = topic_hash((const uint8_t *)topic, topic_len);
    message->qos = qos;
    return message;
}
