/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XXH3 under a secret: whoever chooses topics cannot choose hashes. The code is compiled in, so
 * that short topics cost no call through the library.
 */
#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#include "dataplane/topics/topic.h"

static _Alignas(64) uint8_t secret[XXH_SECRET_DEFAULT_SIZE];
static bool keyed;

void topic_hash_set_key(const uint8_t key[16]) {
    keyed = XXH3_generateSecret(secret, sizeof secret, key, 16) == XXH_OK;
}

uint64_t topic_hash(const uint8_t *topic, size_t len) {
    uint64_t hash =
        keyed ? XXH3_64bits_withSecret(topic, len, secret, sizeof secret) : XXH3_64bits(topic, len);
    return hash | (hash == 0); /* 0 marks what is empty */
}

uint64_t topic_prefix_hash(const uint8_t *topic, size_t len) {
    const uint8_t *slash = memchr(topic, '/', len);
    return topic_hash(topic, slash ? (size_t)(slash - topic) : len);
}
