/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A password file as mosquitto_passwd writes it: `user:HASH` lines, HASH being
 *
 *     $7$ITERATIONS$SALT$HASH   PBKDF2 with HMAC-SHA-512 (RFC 8018)
 *     $6$SALT$HASH              SHA-512 of the password followed by the salt
 *
 * with salt and hash in base64. Empty lines and lines that begin with `#` are skipped.
 *
 * Thread: immutable once loaded; password_verify may run anywhere.
 */
#ifndef LINEMQ_CONTROL_AUTH_PASSWORD_FILE_H
#define LINEMQ_CONTROL_AUTH_PASSWORD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PASSWORD_HASH_BYTES = 64, PASSWORD_SALT_MAX = 64 };

struct password_hash {
    uint32_t iterations; /* of PBKDF2; 0: plain SHA-512 */
    uint8_t salt_len;
    uint8_t salt[PASSWORD_SALT_MAX];
    uint8_t hash[PASSWORD_HASH_BYTES];
};

struct password_file;

/* NULL: mistakes were printed, `FILE:LINE: what is wrong; what would be right`, all of them.
 * `place` says where the file was named ("FILE:LINE: KEY"): that is where one that can't be read is
 * mended. */
struct password_file *password_file_load(const char *path, const char *place, FILE *errors);
void password_file_free(struct password_file *file);

/* The user's hash. NULL: unknown. */
const struct password_hash *password_file_find(const struct password_file *file,
                                               const uint8_t *user, size_t len);

/* A hash that costs what the file's usual one does and that no password has: what an unknown user's
 * password is compared with. */
const struct password_hash *password_file_decoy(const struct password_file *file);

/* Slow by design; compares in constant time. */
bool password_verify(const struct password_hash *hash, const uint8_t *password, size_t len);

/* Parses HASH. NULL: good; else what is wrong with it. */
const char *password_hash_parse(const char *text, struct password_hash *hash);

#endif
