/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "dataplane/topics/topic.h"

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Eight bytes at once: are all of them ASCII and none of them zero? */
static bool ascii8(const uint8_t *text) {
    uint64_t v;
    memcpy(&v, text, sizeof v);
    /* The subtraction borrows into the high bit of a byte only if that byte is zero or above 0x80,
     * or if a lower byte was zero: in each case the answer is no. */
    return ((v | (v - ONES)) & HIGHS) == 0;
}

/* Bytes of the well-formed sequence at `text` (Unicode, table 3-7), or 0. */
static size_t sequence(const uint8_t *text, size_t len) {
    uint8_t lead = text[0];
    if (lead < 0x80)
        return lead != 0;
    size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || len < size)
        return 0;
    /* Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte. */
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

bool utf8_valid(const uint8_t *text, size_t len) {
    size_t at = 0;
    while (at < len) {
        if (len - at >= 8 && ascii8(text + at)) {
            at += 8;
            continue;
        }
        size_t size = sequence(text + at, len - at);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}
