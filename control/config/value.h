/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value of the configuration: from text to its place in a struct, and back.
 *
 * Private to control/config.
 */
#ifndef LINEMQ_CONTROL_CONFIG_VALUE_H
#define LINEMQ_CONTROL_CONFIG_VALUE_H

#include "control/config/keys.h"

/* A struct config with all memory that belongs to it. */
struct block;
struct loaded {
    struct config config; /* first: config_free goes from one to the other */
    struct block *blocks;
};

/* Zeroed memory that lives as long as `loaded`. NULL: none left. */
void *loaded_alloc(struct loaded *loaded, size_t size);
void loaded_free(struct loaded *loaded);

enum { VALUE_ERROR_MAX = 512 };

/* What is right for `key`, as a phrase: "a whole number from 1 to 30". */
void value_expected(const struct key *key, char *phrase, size_t size);

/* Checks `text` (terminated, `len` bytes) and stores it in `object`, the struct that the key's
 * offsets are of. `none`: the text is YAML's null. False: `wrong` says what is wrong with it. */
bool value_set(struct loaded *loaded, const struct key *key, const char *text, size_t len,
               bool none, void *object, char *wrong, size_t size);

/* Adds one text to a VALUE_TEXTS of `room` places. */
bool value_add(struct loaded *loaded, const struct key *key, const char *text, size_t len,
               unsigned room, void *object, char *wrong, size_t size);

/* Splits ADDRESS/PREFIX of a family (AF_INET, AF_INET6); the address goes to the first 4 or 16
 * bytes of `address` in network byte order, the bits of the prefix to `prefix`. False: it is not
 * that. */
bool value_prefix(int family, const char *text, uint8_t address[16], unsigned *prefix);

/* Prints the value as YAML. */
void value_print(const struct key *key, const void *object, FILE *out);

#endif
