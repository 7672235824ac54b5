/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/topic.h"

#include <string.h>

enum { TOPIC_LEN_MAX = 65535 };

static bool well_formed(const uint8_t *text, size_t len, unsigned levels_max) {
    if (len == 0 || len > TOPIC_LEN_MAX || !utf8_valid(text, len))
        return false;
    size_t levels = 1;
    for (size_t i = 0; i < len; i++)
        levels += text[i] == '/';
    return levels <= levels_max;
}

bool topic_filter_has_wildcard(const uint8_t *filter, size_t len) {
    bool found = false;
    for (size_t i = 0; i < len; i++)
        found |= filter[i] == '+' || filter[i] == '#';
    return found;
}

bool topic_name_valid(const uint8_t *topic, size_t len, unsigned levels_max) {
    return well_formed(topic, len, levels_max) && !topic_filter_has_wildcard(topic, len);
}

bool topic_filter_valid(const uint8_t *filter, size_t len, unsigned levels_max) {
    if (!well_formed(filter, len, levels_max))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (filter[i] != '+' && filter[i] != '#')
            continue;
        bool begins = i == 0 || filter[i - 1] == '/';
        bool ends = i + 1 == len || (filter[i] == '+' && filter[i + 1] == '/');
        if (!begins || !ends)
            return false;
    }
    return true;
}

static const uint8_t *level_end(const uint8_t *at, const uint8_t *end) {
    const uint8_t *slash = memchr(at, '/', (size_t)(end - at));
    return slash ? slash : end;
}

bool topic_matches(const uint8_t *filter, size_t filter_len, const uint8_t *topic, size_t len) {
    const uint8_t *filter_end = filter + filter_len, *topic_end = topic + len;
    if (filter_len == 0 || len == 0)
        return false;
    if (topic[0] == '$' && (filter[0] == '+' || filter[0] == '#'))
        return false; /* MQTT-4.7.2-1 */
    for (;;) {
        const uint8_t *f = level_end(filter, filter_end), *t = level_end(topic, topic_end);
        size_t f_len = (size_t)(f - filter), t_len = (size_t)(t - topic);
        if (f_len == 1 && filter[0] == '#')
            return true;
        bool plus = f_len == 1 && filter[0] == '+';
        if (!plus && (f_len != t_len || memcmp(filter, topic, f_len) != 0))
            return false;
        if (t == topic_end)
            /* "a/#" also matches its parent level "a" (4.7.1.2). */
            return f == filter_end || (filter_end - f == 2 && f[1] == '#');
        if (f == filter_end)
            return false;
        filter = f + 1;
        topic = t + 1;
    }
}
