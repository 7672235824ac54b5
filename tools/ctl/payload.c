/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of `ctl publish`: text as it is, anything else as base64. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ctl/ctl.h"

static char *base64(const uint8_t *data, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((len + 2) / 3 * 4 + 1);
    if (text == NULL)
        return NULL;
    char *to = text;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                        (left > 2 ? data[i + 2] : 0);
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[bits & 63] : '=';
    }
    *to = 0;
    return text;
}

static bool read_stream(FILE *in, const char *name, json_t *arguments, char *error,
                        size_t error_size) {
    uint8_t *data = malloc(PROTOCOL_PAYLOAD_MAX + 1);
    size_t len = data != NULL ? fread(data, 1, PROTOCOL_PAYLOAD_MAX + 1, in) : 0;
    char *text = NULL;
    if (data == NULL || ferror(in))
        snprintf(error, error_size, "%s can't be read: %s", name, strerror(errno));
    else if (len > PROTOCOL_PAYLOAD_MAX)
        snprintf(error, error_size, "%s is larger than %d bytes, the most ctl can publish", name,
                 PROTOCOL_PAYLOAD_MAX);
    else if ((text = base64(data, len)) == NULL)
        snprintf(error, error_size, "out of memory");
    else
        json_object_set_new(arguments, "base64", json_string(text));
    bool good = text != NULL;
    free(text);
    free(data);
    return good;
}

bool payload_read(struct invocation *invocation, char *error, size_t error_size) {
    json_t *message = json_object_get(invocation->arguments, "message");
    unsigned given = (message != NULL) + (invocation->file != NULL) + invocation->from_stdin;
    if (given != 1) {
        snprintf(error, error_size,
                 "publish: give the payload by one of --message TEXT, --file F and --stdin");
        return false;
    }
    if (message != NULL && json_string_length(message) > PROTOCOL_PAYLOAD_MAX) {
        snprintf(error, error_size, "--message is larger than %d bytes, the most ctl can publish",
                 PROTOCOL_PAYLOAD_MAX);
        return false;
    }
    if (invocation->from_stdin)
        return read_stream(stdin, "standard input", invocation->arguments, error, error_size);
    if (invocation->file == NULL)
        return true;
    FILE *in = fopen(invocation->file, "rb");
    if (in == NULL) {
        snprintf(error, error_size, "%s can't be opened: %s", invocation->file, strerror(errno));
        return false;
    }
    bool good = read_stream(in, invocation->file, invocation->arguments, error, error_size);
    fclose(in);
    return good;
}
