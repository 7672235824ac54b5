/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "control/auth/password_file.h"

enum { ITERATIONS_MAX = 10000000, BASE64_MAX = 128 };

/* Bytes decoded, or 0 when it is not base64 (RFC 4648, section 4, with padding) or too long. */
static size_t decode(const char *text, size_t len, uint8_t *to, size_t room) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t decoded[BASE64_MAX / 4 * 3];
    if (len == 0 || len % 4 != 0 || len > BASE64_MAX)
        return 0;
    size_t plain = strspn(text, alphabet);
    size_t padding = plain < len ? len - plain : 0;
    if (padding > 2 || strncmp(text + len - padding, "==", padding) != 0 ||
        EVP_DecodeBlock(decoded, (const uint8_t *)text, (int)len) < 0)
        return 0;
    size_t size = len / 4 * 3 - padding;
    if (size > room)
        return 0;
    memcpy(to, decoded, size);
    return size;
}

const char *password_hash_parse(const char *text, struct password_hash *hash) {
    *hash = (struct password_hash){0};
    if (strncmp(text, "$7$", 3) == 0) {
        char *end;
        size_t digits = strspn(text + 3, "0123456789");
        unsigned long iterations = strtoul(text + 3, &end, 10);
        if (digits == 0 || digits > 8 || *end != '$' || iterations < 1 ||
            iterations > ITERATIONS_MAX)
            return "the number of iterations is not one from 1 to 10000000";
        hash->iterations = (uint32_t)iterations;
        text = end + 1;
    } else if (strncmp(text, "$6$", 3) == 0) {
        text += 3;
    } else {
        return "the hash is of no known kind";
    }
    const char *dollar = strchr(text, '$');
    size_t salt =
        dollar != NULL ? decode(text, (size_t)(dollar - text), hash->salt, PASSWORD_SALT_MAX) : 0;
    if (salt == 0)
        return "the salt is not 1 to 64 bytes in base64";
    hash->salt_len = (uint8_t)salt;
    if (decode(dollar + 1, strlen(dollar + 1), hash->hash, PASSWORD_HASH_BYTES) !=
        PASSWORD_HASH_BYTES)
        return "the hash is not 64 bytes in base64";
    return NULL;
}

static bool sha512(const struct password_hash *hash, const uint8_t *password, size_t len,
                   uint8_t *out) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha512(), NULL) == 1 &&
                EVP_DigestUpdate(context, password, len) == 1 &&
                EVP_DigestUpdate(context, hash->salt, hash->salt_len) == 1 &&
                EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

bool password_verify(const struct password_hash *hash, const uint8_t *password, size_t len) {
    uint8_t out[PASSWORD_HASH_BYTES];
    bool good =
        hash->iterations > 0
            ? PKCS5_PBKDF2_HMAC((const char *)password, (int)len, hash->salt, hash->salt_len,
                                (int)hash->iterations, EVP_sha512(), sizeof out, out) == 1
            : sha512(hash, password, len, out);
    good = good && CRYPTO_memcmp(out, hash->hash, sizeof out) == 0;
    OPENSSL_cleanse(out, sizeof out);
    return good;
}
