/* SPDX-License-Identifier: Apache-2.0 */
/* Values of several handlers, as JSON. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/admin/private.h"

json_t *text_json(const void *bytes, size_t len) {
    json_t *text = json_stringn(bytes, len);
    if (text != NULL)
        return text;
    /* Each byte from 0x80 on becomes U+FFFD, three bytes; NUL too. */
    const uint8_t *from = bytes;
    char *copy = malloc(len * 3 + 1);
    size_t used = 0;
    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (from[i] != 0 && from[i] < 0x80) {
            copy[used++] = (char)from[i];
        } else {
            memcpy(copy + used, "\xef\xbf\xbd", 3);
            used += 3;
        }
    }
    text = json_stringn(copy, used);
    free(copy);
    return text;
}

json_t *address_json(const uint8_t address[16]) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */
    char text[INET6_ADDRSTRLEN] = "";
    if (memcmp(address, mapped, sizeof mapped) == 0)
        inet_ntop(AF_INET, address + 12, text, sizeof text);
    else
        inet_ntop(AF_INET6, address, text, sizeof text);
    return json_string(text);
}

json_t *time_json(uint64_t microseconds) {
    time_t seconds = (time_t)(microseconds / 1000000);
    struct tm parts;
    char text[40] = "";
    if (gmtime_r(&seconds, &parts) != NULL)
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_string(text);
}

uint64_t wall_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
