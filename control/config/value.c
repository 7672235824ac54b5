/* SPDX-License-Identifier: Apache-2.0 */
#include "control/config/value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CPU_MAX = 1023 };

struct block {
    struct block *next;
    max_align_t bytes[];
};

void *loaded_alloc(struct loaded *loaded, size_t size) {
    struct block *block = calloc(1, sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->next = loaded->blocks;
    loaded->blocks = block;
    return block->bytes;
}

void loaded_free(struct loaded *loaded) {
    while (loaded->blocks != NULL) {
        struct block *next = loaded->blocks->next;
        free(loaded->blocks);
        loaded->blocks = next;
    }
    free(loaded);
}

void value_expected(const struct key *key, char *phrase, size_t size) {
    switch (key->type) {
    case VALUE_NUMBER:
        snprintf(phrase, size, "a whole number from %" PRIu64 " to %" PRIu64 "%s%s%s", key->min,
                 key->max, key->unit != NULL ? " (" : "", key->unit != NULL ? key->unit : "",
                 key->unit != NULL ? ")" : "");
        return;
    case VALUE_BOOL:
        snprintf(phrase, size, "true or false");
        return;
    case VALUE_WORD: {
        size_t used = (size_t)snprintf(phrase, size, "one of ");
        for (unsigned i = 0; key->words[i] != NULL && used < size; i++) {
            used += (size_t)snprintf(phrase + used, size - used, "%s%s", i > 0 ? ", " : "",
                                     key->words[i]);
        }
        return;
    }
    case VALUE_TEXT:
        snprintf(phrase, size, "text of 1 to %" PRIu64 " bytes", key->max);
        return;
    case VALUE_PATH:
        snprintf(phrase, size, "an absolute file name of at most %" PRIu64 " bytes", key->max);
        return;
    case VALUE_CPUS:
        snprintf(phrase, size, "CPU numbers such as 2,3 or 2-5");
        return;
    case VALUE_IPV4:
        snprintf(phrase, size,
                 "the IPv4 address of one host with its prefix length, such as 10.88.0.2/24");
        return;
    case VALUE_IPV6:
        snprintf(phrase, size,
                 "the IPv6 address of one host with its prefix length, such as fd88::2/64");
        return;
    case VALUE_IPV4_HOST:
        snprintf(phrase, size, "the IPv4 address of one host, such as 10.88.0.1");
        return;
    case VALUE_IPV6_HOST:
        snprintf(phrase, size, "the IPv6 address of one host, such as fd88::1 or fe80::1");
        return;
    case VALUE_MAC:
        snprintf(phrase, size, "a unicast Ethernet address such as 02:00:00:00:00:01");
        return;
    case VALUE_TEXTS:
        snprintf(phrase, size, "a list of texts, such as [\"a/b\", \"c\"]");
        return;
    }
}

static bool digits(const char *text, size_t len) {
    return len > 0 && strspn(text, "0123456789") == len;
}

static bool store_number(const struct key *key, const char *text, size_t len, void *at, char *wrong,
                         size_t size) {
    if (!digits(text, len)) {
        snprintf(wrong, size, "`%s` is not a whole number", text);
        return false;
    }
    /* Longer than any limit: strtoull may not even hold it. */
    uint64_t number = len > 18 ? UINT64_MAX : strtoull(text, NULL, 10);
    if (number < key->min || number > key->max) {
        snprintf(wrong, size, "%s is out of range", text);
        return false;
    }
    switch (key->width) {
    case 2:
        *(uint16_t *)at = (uint16_t)number;
        break;
    case 4:
        *(uint32_t *)at = (uint32_t)number;
        break;
    default:
        *(uint64_t *)at = number;
    }
    return true;
}

static bool store_bool(const char *text, void *at, char *wrong, size_t size) {
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *(bool *)at = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    snprintf(wrong, size, "`%s` is neither", text);
    return false;
}

static bool store_word(const struct key *key, const char *text, void *at, char *wrong,
                       size_t size) {
    for (unsigned i = 0; key->words[i] != NULL; i++) {
        if (strcmp(text, key->words[i]) == 0) {
            *(unsigned *)at = i; /* the enums count from 0 in the order of the words */
            return true;
        }
    }
    snprintf(wrong, size, "`%s` is not known here", text);
    return false;
}

static bool cpus_valid(const char *text) {
    for (;;) {
        char *end;
        size_t len = strspn(text, "0123456789");
        if (len == 0 || len > 4)
            return false;
        unsigned long first = strtoul(text, &end, 10), last = first;
        if (*end == '-') {
            text = end + 1;
            len = strspn(text, "0123456789");
            if (len == 0 || len > 4)
                return false;
            last = strtoul(text, &end, 10);
        }
        if (last > CPU_MAX || first > last)
            return false;
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
        text = end + 1;
    }
}

bool value_prefix(int family, const char *text, uint8_t address[16], unsigned *prefix) {
    char copy[64];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : sizeof copy;
    if (len >= sizeof copy || !digits(slash + 1, strlen(slash + 1)) || strlen(slash + 1) > 3)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *prefix = (unsigned)strtoul(slash + 1, NULL, 10);
    return inet_pton(family, copy, address) == 1 && *prefix >= 1 &&
           *prefix <= (family == AF_INET ? 32 : 128);
}

static bool ipv4_host(const uint8_t address[4]) {
    return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

static bool ipv6_host(const uint8_t address[16]) {
    static const uint8_t zero[15];
    return address[0] != 0xff && !(memcmp(address, zero, 15) == 0 && address[15] <= 1);
}

static bool ipv4_valid(const char *text) {
    uint8_t address[16];
    unsigned prefix;
    return value_prefix(AF_INET, text, address, &prefix) && ipv4_host(address);
}

static bool ipv6_valid(const char *text) {
    uint8_t address[16];
    unsigned prefix;
    return value_prefix(AF_INET6, text, address, &prefix) && ipv6_host(address);
}

static bool host_valid(int family, const char *text) {
    uint8_t address[16];
    return inet_pton(family, text, address) == 1 &&
           (family == AF_INET ? ipv4_host(address) : ipv6_host(address));
}

static bool mac_valid(const char *text, size_t len) {
    unsigned octets[6];
    int end = 0;
    if (len != 17 || strspn(text, "0123456789abcdefABCDEF:") != len ||
        sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &octets[0], &octets[1], &octets[2], &octets[3],
               &octets[4], &octets[5], &end) != 6 ||
        end != 17)
        return false;
    unsigned any = octets[0] | octets[1] | octets[2] | octets[3] | octets[4] | octets[5];
    return any != 0 && (octets[0] & 1) == 0;
}

static bool text_valid(const struct key *key, const char *text, size_t len, char *wrong,
                       size_t size) {
    if (len == 0) {
        snprintf(wrong, size, "is empty");
        return false;
    }
    if (len > key->max || strlen(text) != len) {
        snprintf(wrong, size, strlen(text) != len ? "has a zero byte in it" : "is too long");
        return false;
    }
    bool good = true;
    switch (key->type) {
    case VALUE_PATH:
        good = text[0] == '/';
        break;
    case VALUE_CPUS:
        good = cpus_valid(text);
        break;
    case VALUE_IPV4:
        good = ipv4_valid(text);
        break;
    case VALUE_IPV6:
        good = ipv6_valid(text);
        break;
    case VALUE_IPV4_HOST:
        good = host_valid(AF_INET, text);
        break;
    case VALUE_IPV6_HOST:
        good = host_valid(AF_INET6, text);
        break;
    case VALUE_MAC:
        good = mac_valid(text, len);
        break;
    default:
        break;
    }
    if (!good)
        snprintf(wrong, size, "`%s` is not that", text);
    return good;
}

static const char *keep_text(struct loaded *loaded, const char *text, size_t len, char *wrong,
                             size_t size) {
    char *copy = loaded_alloc(loaded, len + 1);
    if (copy == NULL) {
        snprintf(wrong, size, "no memory");
        return NULL;
    }
    return memcpy(copy, text, len);
}

bool value_set(struct loaded *loaded, const struct key *key, const char *text, size_t len,
               bool none, void *object, char *wrong, size_t size) {
    uint8_t *at = (uint8_t *)object + key->offset;
    bool optional = key->preset != NULL && strcmp(key->preset, "null") == 0;
    if (none) {
        if (optional) {
            *(const char **)at = NULL;
            return true;
        }
        snprintf(wrong, size, "has no value");
        return false;
    }
    switch (key->type) {
    case VALUE_NUMBER:
        return store_number(key, text, len, at, wrong, size);
    case VALUE_BOOL:
        return store_bool(text, at, wrong, size);
    case VALUE_WORD:
        return store_word(key, text, at, wrong, size);
    case VALUE_TEXTS:
        snprintf(wrong, size, "`%s` is one text", text);
        return false;
    default:
        if (!text_valid(key, text, len, wrong, size))
            return false;
        *(const char **)at = keep_text(loaded, text, len, wrong, size);
        return *(const char **)at != NULL;
    }
}

bool value_add(struct loaded *loaded, const struct key *key, const char *text, size_t len,
               unsigned room, void *object, char *wrong, size_t size) {
    const char ***texts = (const char ***)(void *)((uint8_t *)object + key->offset);
    unsigned *count = (unsigned *)(void *)((uint8_t *)object + key->count_offset);
    if (!text_valid(key, text, len, wrong, size))
        return false;
    if (*count == 0 && (*texts = loaded_alloc(loaded, room * sizeof **texts)) == NULL) {
        snprintf(wrong, size, "no memory");
        return false;
    }
    const char *copy = keep_text(loaded, text, len, wrong, size);
    if (copy == NULL)
        return false;
    (*texts)[(*count)++] = copy;
    return true;
}

static void print_text(const char *text, FILE *out) {
    if (text == NULL) {
        fputs("null", out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

void value_print(const struct key *key, const void *object, FILE *out) {
    const uint8_t *at = (const uint8_t *)object + key->offset;
    switch (key->type) {
    case VALUE_NUMBER: {
        uint64_t number = 0;
        memcpy(&number, at, key->width); /* little-endian: the low bytes */
        fprintf(out, "%" PRIu64, number);
        return;
    }
    case VALUE_BOOL:
        fputs(*(const bool *)at ? "true" : "false", out);
        return;
    case VALUE_WORD:
        fputs(key->words[*(const unsigned *)(const void *)at], out);
        return;
    case VALUE_TEXTS: {
        const char *const *texts = *(const char *const *const *)(const void *)at;
        unsigned count =
            *(const unsigned *)(const void *)((const uint8_t *)object + key->count_offset);
        fputc('[', out);
        for (unsigned i = 0; i < count; i++) {
            fputs(i > 0 ? ", " : "", out);
            print_text(texts[i], out);
        }
        fputc(']', out);
        return;
    }
    default:
        print_text(*(const char *const *)(const void *)at, out);
    }
}
