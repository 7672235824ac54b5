/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/pcapng.h"

#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,
    LINK_ETHERNET = 1,
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    SECTION_APPLICATION = 4,
    INTERFACE_NAME = 2,
    PACKET_FLAGS = 2,
    PACKET_RECEIVED = 1,
    PACKET_SENT = 2,
    STATISTICS_BEGAN = 2,
    STATISTICS_ENDED = 3,
    STATISTICS_WRITTEN = 4,
    STATISTICS_MISSED = 5,
    BLOCK_HEAD = 8, /* type and length, before the body */
    BLOCK_TAIL = 4, /* the length again */
    PACKET_HEAD = 20,
    PACKET_OPTIONS = 12,
    TEXT_MAX = 1024,
};

/* A block other than a packet, put together; all of them are short. */
struct block {
    uint8_t bytes[4096];
    uint32_t len;
};

static uint32_t padded(uint32_t len) {
    return (len + 3) & ~UINT32_C(3);
}

static void put(struct block *block, const void *bytes, uint32_t len) {
    memcpy(block->bytes + block->len, bytes, len);
    memset(block->bytes + block->len + len, 0, padded(len) - len);
    block->len += padded(len);
}

static void put16(struct block *block, uint16_t a, uint16_t b) {
    uint16_t both[2] = {a, b};
    put(block, both, sizeof both);
}

static void put32(struct block *block, uint32_t value) {
    put(block, &value, sizeof value);
}

static void option(struct block *block, uint16_t code, const void *bytes, uint16_t len) {
    put16(block, code, len);
    put(block, bytes, len);
}

static void text_option(struct block *block, uint16_t code, const char *text) {
    size_t len = strlen(text);
    option(block, code, text, (uint16_t)(len < TEXT_MAX ? len : TEXT_MAX));
}

static void time_option(struct block *block, uint16_t code, uint64_t time) {
    uint32_t halves[2] = {(uint32_t)(time >> 32), (uint32_t)time};
    option(block, code, halves, sizeof halves);
}

static void begin(struct block *block, uint32_t type) {
    block->len = 0;
    put32(block, type);
    put32(block, 0); /* length, see finish */
}

static uint64_t finish(struct block *block, FILE *out) {
    put16(block, OPTION_END, 0);
    uint32_t len = block->len + BLOCK_TAIL;
    put32(block, len);
    memcpy(block->bytes + 4, &len, sizeof len);
    fwrite(block->bytes, 1, len, out);
    return len;
}

uint64_t pcapng_section(FILE *out, const char *application, const char *comment) {
    struct block block;
    begin(&block, BLOCK_SECTION);
    put32(&block, BYTE_ORDER_MAGIC);
    put16(&block, 1, 0);
    put32(&block, UINT32_MAX); /* the section's length is not told */
    put32(&block, UINT32_MAX);
    text_option(&block, OPTION_COMMENT, comment);
    text_option(&block, SECTION_APPLICATION, application);
    return finish(&block, out);
}

uint64_t pcapng_interface(FILE *out, const char *name, uint32_t snap) {
    struct block block;
    begin(&block, BLOCK_INTERFACE);
    put16(&block, LINK_ETHERNET, 0);
    put32(&block, snap);
    text_option(&block, INTERFACE_NAME, name);
    return finish(&block, out);
}

uint64_t pcapng_packet_size(uint32_t len) {
    return (uint64_t)BLOCK_HEAD + PACKET_HEAD + padded(len) + PACKET_OPTIONS + BLOCK_TAIL;
}

uint64_t pcapng_packet(FILE *out, uint32_t interface, uint64_t time, bool sent,
                       const uint8_t *bytes, uint32_t len, uint32_t wire_len) {
    static const uint8_t zeros[4];
    uint32_t size = (uint32_t)pcapng_packet_size(len);
    const uint32_t head[] = {BLOCK_PACKET,   size, interface, (uint32_t)(time >> 32),
                             (uint32_t)time, len,  wire_len};
    const uint16_t flags[] = {PACKET_FLAGS, 4};
    const uint32_t tail[] = {sent ? PACKET_SENT : PACKET_RECEIVED, OPTION_END, size};
    fwrite(head, sizeof head, 1, out);
    fwrite(bytes, 1, len, out);
    fwrite(zeros, 1, padded(len) - len, out);
    fwrite(flags, sizeof flags, 1, out);
    fwrite(tail, sizeof tail, 1, out);
    return size;
}

uint64_t pcapng_statistics(FILE *out, uint32_t interface, uint64_t began, uint64_t ended,
                           uint64_t written, uint64_t missed) {
    struct block block;
    begin(&block, BLOCK_STATISTICS);
    put32(&block, interface);
    put32(&block, (uint32_t)(ended >> 32));
    put32(&block, (uint32_t)ended);
    time_option(&block, STATISTICS_BEGAN, began);
    time_option(&block, STATISTICS_ENDED, ended);
    option(&block, STATISTICS_WRITTEN, &written, sizeof written);
    option(&block, STATISTICS_MISSED, &missed, sizeof missed);
    return finish(&block, out);
}
