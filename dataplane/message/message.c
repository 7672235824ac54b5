/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/message/message.h"

#include "dataplane/mail/mailbox.h"

void *parcel_new(struct parcels *parcels, size_t size) {
    if (size > UINT32_MAX)
        return NULL;
    struct parcel *parcel = pool_alloc(parcels->pool, size);
    if (!parcel)
        return NULL;
    *parcel = (struct parcel){.refs = 1, .size = (uint32_t)size, .home = parcels->self};
    return parcel;
}

void parcel_release(struct parcels *parcels, void *memory) {
    struct parcel *parcel = memory;
    if (--parcel->refs != 0)
        return;
    if (parcel->home == parcels->self)
        pool_free(parcels->pool, parcel, parcel->size);
    else
        mail_release(parcels->mailroom, parcel);
}

void parcel_came_home(struct parcels *parcels, void *memory) {
    struct parcel *parcel = memory;
    pool_free(parcels->pool, parcel, parcel->size);
}

struct message *message_begin(struct parcels *parcels, uint16_t topic_len, uint32_t room) {
    struct message *message = parcel_new(parcels, sizeof *message + (size_t)room);
    if (!message)
        return NULL;
    message->topic_hash = 0;
    message->payload_len = 0;
    message->topic_len = topic_len;
    message->qos = 0;
    message->flags = 0;
    message->published = 0;
    store_be16(message->bytes, topic_len);
    return message;
}

struct message *message_new(struct parcels *parcels, uint16_t topic_len, uint32_t payload_len) {
    if (payload_len > UINT32_MAX - 2 - topic_len)
        return NULL;
    struct message *message = message_begin(parcels, topic_len, 2u + topic_len + payload_len);
    if (message)
        message->payload_len = payload_len;
    return message;
}

struct message *message_copy(struct parcels *parcels, const struct message *message) {
    struct message *copy = parcel_new(parcels, message->parcel.size);
    if (!copy)
        return NULL;
    memcpy((uint8_t *)copy + sizeof copy->parcel, (const uint8_t *)message + sizeof message->parcel,
           message->parcel.size - sizeof message->parcel);
    return copy;
}
