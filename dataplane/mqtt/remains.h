/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left to do for a connection that has ended: publish its will, tell its shard, remove its
 * subscriptions. Mostly done at once; what memory or a mailbox is short for, and long lists of
 * subscriptions, are finished by mqtt_turn in slices.
 *
 * Nothing here may fail for want of memory: a connection with a will or many subscriptions has an
 * attachment, whose memory becomes the remains; for the others there is a reserve.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_MQTT_REMAINS_H
#define LINEMQ_MQTT_REMAINS_H

#include "dataplane/mail/mail.h"
#include "dataplane/topics/router.h"

struct mqtt;
struct attachment;

struct remains {
    struct remains *next;
    struct message *will; /* NULL: none, or published */
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
    struct subscriber who;
    uint32_t session;
    ref_t filters;
    uint8_t shard;  /* counted from the first shard */
    uint8_t reason; /* enum mail_close_reason */
    bool tell;      /* MAIL_CLOSED is to be sent */
    bool subscribed;
    bool reserve; /* from the reserve */
};

enum { REMAINS_RESERVE = 256 };

struct remains_list {
    struct remains *first, *last;
    struct remains *spare; /* of the reserve */
    struct remains *reserve;
};

/* Set-up only. False: no memory. */
bool remains_create(struct mqtt *mqtt);
void remains_destroy(struct mqtt *mqtt);

/* Takes on `work`. `memory`: the connection's attachment, with nothing in it any more, or NULL. */
void remains_take(struct mqtt *mqtt, const struct remains *work, struct attachment *memory);

/* Does some more. True when more is left. */
bool remains_turn(struct mqtt *mqtt);

#endif
