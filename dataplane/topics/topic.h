/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topic names and topic filters: the rules of MQTT 3.1.1 section 4.7, and their keyed hashes.
 * Pure; any thread.
 */
#ifndef LINEMQ_TOPICS_TOPIC_H
#define LINEMQ_TOPICS_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Well-formed UTF-8 without U+0000 and without surrogates (MQTT-1.5.3-1, -2). */
bool utf8_valid(const uint8_t *text, size_t len);

/* A topic name to publish to: 1 to 65535 bytes of UTF-8, no wildcard (MQTT-3.3.2-1, -2, 4.7.3-1),
 * at most `levels_max` levels. */
bool topic_name_valid(const uint8_t *topic, size_t len, unsigned levels_max);

/* A topic filter: 1 to 65535 bytes of UTF-8, `+` alone in its level, `#` alone in the last
 * (MQTT-4.7.1-2, -3, 4.7.3-1), at most `levels_max` levels. */
bool topic_filter_valid(const uint8_t *filter, size_t len, unsigned levels_max);

bool topic_filter_has_wildcard(const uint8_t *filter, size_t len);

/* Does the filter match the name? The definition that all tables are tested against
 * (4.7.1, 4.7.2: a leading wildcard does not match a leading `$`). */
bool topic_matches(const uint8_t *filter, size_t filter_len, const uint8_t *topic, size_t len);

/* Process-wide key of the hashes below, set once before any thread starts. Hashes are never 0. */
void topic_hash_set_key(const uint8_t key[16]);

uint64_t topic_hash(const uint8_t *topic, size_t len);

/* Hash of the first level (the bytes before the first `/`, or all): the key of a wildcard filter
 * whose first level is literal, and of the topics that it may match. */
uint64_t topic_prefix_hash(const uint8_t *topic, size_t len);

#endif
