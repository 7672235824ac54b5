/* SPDX-License-Identifier: Apache-2.0 */
/* Values as people read them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ctl/ctl.h"

/* Decodes the code point at `text`, which is UTF-8 (jansson sees to that). */
static uint32_t decode(const char *text, unsigned *len) {
    const uint8_t *bytes = (const uint8_t *)text;
    if (bytes[0] < 0x80) {
        *len = 1;
        return bytes[0];
    }
    *len = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    uint32_t point = bytes[0] & (0x7fu >> *len);
    for (unsigned i = 1; i < *len; i++)
        point = point << 6 | (bytes[i] & 0x3f);
    return point;
}

static bool is_unsafe(uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff || point == 0xad ||
           point == 0x61c || (point >= 0xe0000 && point <= 0xe007f);
}

char *format_safe(const char *from, bool lines) {
    /* The longest escape, \u{e0000}, stands for four bytes; \x1b for one. */
    char *text = malloc(strlen(from) * 5 + 1);
    if (text == NULL)
        abort();
    char *to = text;
    for (unsigned len; *from != 0; from += len) {
        uint32_t point = decode(from, &len);
        if (lines && (point == '\n' || point == '\\')) {
            *to++ = (char)point;
        } else if (point == '\\') {
            *to++ = '\\';
            *to++ = '\\';
        } else if (is_unsafe(point)) {
            to += sprintf(to, point < 0x80 ? "\\x%02" PRIx32 : "\\u{%" PRIx32 "}", point);
        } else {
            memcpy(to, from, len);
            to += len;
        }
    }
    *to = 0;
    return text;
}

unsigned format_width(const char *text) {
    unsigned width = 0;
    for (; *text != 0; text++)
        width += ((uint8_t)*text & 0xc0) != 0x80;
    return width;
}

void format_cut(char *text, unsigned width) {
    if (format_width(text) <= width)
        return;
    for (unsigned seen = 0; seen < width - 3; seen++)
        do
            text++;
        while (((uint8_t)*text & 0xc0) == 0x80);
    memcpy(text, "...", 4);
}

static void format_number(uint64_t number, char *text, size_t size) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, number);
    size_t used = 0;
    for (int i = 0; i < len && used + 2 < size; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = 0;
}

static void format_bytes(uint64_t bytes, char *text, size_t size) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    unsigned unit = 0;
    double value = (double)bytes;
    while (value >= 1023.95 && unit < 5) {
        value /= 1024;
        unit++;
    }
    snprintf(text, size, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void format_seconds(uint64_t seconds, char *text, size_t size) {
    uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (days > 0)
        snprintf(text, size, "%" PRIu64 "d %" PRIu64 "h", days, hours % 24);
    else if (hours > 0)
        snprintf(text, size, "%" PRIu64 "h %" PRIu64 "m", hours, minutes % 60);
    else if (minutes > 0)
        snprintf(text, size, "%" PRIu64 "m %" PRIu64 "s", minutes, seconds % 60);
    else
        snprintf(text, size, "%" PRIu64 "s", seconds);
}

static void format_microseconds(uint64_t us, char *text, size_t size) {
    if (us < 1000)
        snprintf(text, size, "%" PRIu64 " us", us);
    else if (us < 1000000)
        snprintf(text, size, "%.1f ms", (double)us / 1e3);
    else if (us < 60000000)
        snprintf(text, size, "%.1f s", (double)us / 1e6);
    else
        format_seconds(us / 1000000, text, size);
}

static void format_rate(double rate, char *text, size_t size) {
    if (rate > 0 && rate < 9.95)
        snprintf(text, size, "%.1f", rate);
    else
        format_number((uint64_t)(rate + 0.5), text, size);
}

void format_value(const struct column *column, const json_t *value, char *text, size_t size) {
    uint64_t number = (uint64_t)json_number_value(value);
    if (json_is_integer(value))
        number = (uint64_t)json_integer_value(value);
    text[0] = 0;
    if (value == NULL || json_is_null(value)) {
        snprintf(text, size, "-");
        return;
    }
    switch (column->format) {
    case COLUMN_NUMBER:
        format_number(number, text, size);
        break;
    case COLUMN_PORT:
        snprintf(text, size, "%" PRIu64, number);
        break;
    case COLUMN_BYTES:
        format_bytes(number, text, size);
        break;
    case COLUMN_PERCENT:
        snprintf(text, size, "%.1f %%", json_number_value(value));
        break;
    case COLUMN_RATE:
        format_rate(json_number_value(value), text, size);
        break;
    case COLUMN_SECONDS:
        format_seconds(number, text, size);
        break;
    case COLUMN_MICROSECONDS:
        format_microseconds(number, text, size);
        break;
    case COLUMN_OFFSET:
        snprintf(text, size, "%" PRIu64 ".%06" PRIu64 " s", number / 1000000, number % 1000000);
        break;
    case COLUMN_FLAG:
        snprintf(text, size, json_is_true(value) ? "yes" : "no");
        break;
    case COLUMN_TEXT:
    case COLUMN_LIST:
    case COLUMN_TABLE:
    case COLUMN_BLOCK:
    case COLUMN_SECTION:
        break;
    }
}
