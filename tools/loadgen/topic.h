/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names made from a form: text with fields such as `plant/{group}/{publisher}`. A field is always
 * eight digits, so that all names of a form are equally long and one is made by writing digits into
 * a copy. Pure.
 */
#ifndef LINEMQ_LOADGEN_TOPIC_H
#define LINEMQ_LOADGEN_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    FORM_MAX = 128, /* bytes of a name */
    FORM_FIELDS_MAX = 4,
    FIELD_DIGITS = 8,
};

enum field {
    FIELD_GROUP,
    FIELD_PUBLISHER,  /* in its group */
    FIELD_TOPIC,      /* of its publisher */
    FIELD_SUBSCRIBER, /* in its group */
    FIELD_DEVICE,     /* in the fleet */
    FIELDS
};

struct form {
    uint8_t len, count;
    struct {
        uint8_t at, field;
    } fields[FORM_FIELDS_MAX];
    uint8_t bytes[FORM_MAX]; /* with zeros in the fields */
};

/* False with a sentence in `error`. */
bool form_parse(struct form *form, const char *text, char *error, size_t error_size);

bool form_has(const struct form *form, enum field field);

/* The eight decimal digits of a number below 10^8, as they lie in memory. Two, four and eight of
 * them are split by multiplication at once. */
static inline uint64_t digits8(uint32_t number) {
    uint64_t fours = number / 10000 | (uint64_t)(number % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t twos = ((fours - 100 * hundreds) << 16) + hundreds;
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens + ((twos - 10 * tens) << 8) + UINT64_C(0x3030303030303030);
}

/* Writes the fields into `to`, which holds the form's bytes. */
static inline void form_fill(const struct form *form, uint8_t *to, const uint32_t values[FIELDS]) {
    for (unsigned i = 0; i < form->count; i++) {
        uint64_t digits = digits8(values[form->fields[i].field]);
        memcpy(to + form->fields[i].at, &digits, sizeof digits);
    }
}

/* The whole name; its length is form->len. */
static inline void form_make(const struct form *form, uint8_t to[FORM_MAX],
                             const uint32_t values[FIELDS]) {
    memcpy(to, form->bytes, form->len);
    form_fill(form, to, values);
}

/* Whether `len` bytes are the name. */
static inline bool form_is(const struct form *form, const uint8_t *bytes, size_t len,
                           const uint32_t values[FIELDS]) {
    unsigned at = 0;
    if (len != form->len)
        return false;
    for (unsigned i = 0; i < form->count; i++) {
        uint64_t digits = digits8(values[form->fields[i].field]);
        unsigned field = form->fields[i].at;
        if (memcmp(bytes + at, form->bytes + at, field - at) != 0 ||
            memcmp(bytes + field, &digits, sizeof digits) != 0)
            return false;
        at = field + FIELD_DIGITS;
    }
    return memcmp(bytes + at, form->bytes + at, len - at) == 0;
}

#endif
