/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/loadgen/topic.h"

#include <stdio.h>

static const char *const field_names[FIELDS] = {
    [FIELD_GROUP] = "{group}",   [FIELD_PUBLISHER] = "{publisher}",
    [FIELD_TOPIC] = "{topic}",   [FIELD_SUBSCRIBER] = "{subscriber}",
    [FIELD_DEVICE] = "{device}",
};

static int field_find(const char *text) {
    for (int i = 0; i < FIELDS; i++)
        if (strncmp(text, field_names[i], strlen(field_names[i])) == 0)
            return i;
    return -1;
}

static bool wrong(char *error, size_t error_size, const char *text, const char *what) {
    snprintf(error, error_size, "`%s` %s", text, what);
    return false;
}

bool form_parse(struct form *form, const char *text, char *error, size_t error_size) {
    *form = (struct form){0};
    for (const char *at = text; *at != '\0';) {
        int field = *at == '{' ? field_find(at) : -1;
        if (*at == '{' && field < 0)
            return wrong(error, error_size, text,
                         "has an unknown field; there are {group}, {publisher}, {topic}, "
                         "{subscriber}, {device}");
        if (form->len + FIELD_DIGITS > FORM_MAX)
            return wrong(error, error_size, text, "makes names longer than 120 bytes");
        if (field < 0) {
            form->bytes[form->len++] = (uint8_t)*at++;
            continue;
        }
        if (form->count == FORM_FIELDS_MAX)
            return wrong(error, error_size, text, "has more than four fields");
        form->fields[form->count].at = form->len;
        form->fields[form->count++].field = (uint8_t)field;
        memset(form->bytes + form->len, '0', FIELD_DIGITS);
        form->len += FIELD_DIGITS;
        at += strlen(field_names[field]);
    }
    if (form->len == 0)
        return wrong(error, error_size, text, "is empty");
    return true;
}

bool form_has(const struct form *form, enum field field) {
    for (unsigned i = 0; i < form->count; i++)
        if (form->fields[i].field == field)
            return true;
    return false;
}
