/* SPDX-License-Identifier: Apache-2.0 */
/* A thread's memory and its desk, for tests. */
#ifndef LINEMQ_TESTS_UNIT_MAIL_DESK_H
#define LINEMQ_TESTS_UNIT_MAIL_DESK_H

#include "dataplane/mail/mailbox.h"
#include "tests/unit/message/memory.h"

struct desk {
    struct memory memory;
    struct pool pool;
    struct parcels parcels;
    struct mailroom *room;
};

/* `pages` spans of memory. */
static inline void desk_open(struct desk *desk, struct mailboxes *mailboxes, unsigned self,
                             unsigned pages) {
    memory_open(&desk->memory, pages, 0);
    pool_init(&desk->pool, desk->memory.arena);
    desk->room = mailroom_create(mailboxes, self, &desk->pool);
    assert_non_null(desk->room);
    desk->parcels = (struct parcels){&desk->pool, desk->room, (uint8_t)self};
}

static inline void desk_close(struct desk *desk) {
    mailroom_destroy(desk->room);
    pool_trim(&desk->pool);
    assert_int_equal(arena_used(desk->memory.arena), 0);
    memory_close(&desk->memory);
}

/* Mail number `number` for `to`. */
static inline bool desk_send(struct desk *desk, unsigned to, uint32_t number) {
    struct mail mail = {.type = MAIL_ACK, .session = number, .from = 77};
    return mail_send(desk->room, to, &mail);
}

/* Takes one mail and expects that number from that sender. */
static inline void desk_expect(struct desk *desk, unsigned from, uint32_t number) {
    struct mail mail;
    assert_int_equal(mail_receive(desk->room, &mail, 1), 1);
    assert_int_equal(mail.type, MAIL_ACK);
    assert_int_equal(mail.from, from);
    assert_int_equal(mail.session, number);
}

#endif
