/* SPDX-License-Identifier: Apache-2.0 */
#include "control/retained/order.h"

#include <string.h>

/* Follows `/` in the order, as no topic holds U+0000: PREFIX and this stand right behind all of
 * PREFIX/... */
static const uint8_t behind_children[] = {1};
/* Follows `$`: behind the topics that leading wildcards do not match (4.7.2). */
static const uint8_t behind_dollar[] = {'$' + 1};

static int rank(uint8_t character) {
    return character == '/' ? 0 : character;
}

static int compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len) {
    size_t len = a_len < b_len ? a_len : b_len;
    for (size_t i = 0; i < len; i++)
        if (a[i] != b[i])
            return rank(a[i]) - rank(b[i]);
    return 0;
}

int topic_order(const uint8_t *topic, size_t len, const struct topic_place *place) {
    int order = compare(topic, len, place->head, place->head_len);
    if (order != 0 || len < place->head_len)
        return order != 0 ? order : -1;
    topic += place->head_len;
    len -= place->head_len;
    order = compare(topic, len, place->tail, place->tail_len);
    if (order != 0)
        return order;
    return (len > place->tail_len) - (len < place->tail_len);
}

static size_t level_len(const uint8_t *text, size_t len) {
    const uint8_t *slash = memchr(text, '/', len);
    return slash != NULL ? (size_t)(slash - text) : len;
}

static enum topic_step behind(const uint8_t *topic, size_t len, struct topic_place *place) {
    *place = (struct topic_place){topic, behind_children, len, sizeof behind_children};
    return STEP_SEEK;
}

/* All levels below the one that the last `+` took have failed: its next sibling. */
static enum topic_step behind_plus(const uint8_t *topic, size_t plus_end, bool plus,
                                   struct topic_place *place) {
    return plus ? behind(topic, plus_end, place) : STEP_END;
}

enum topic_step topic_step(const uint8_t *filter, size_t filter_len, const uint8_t *topic,
                           size_t len, struct topic_place *place) {
    size_t f = 0, t = 0, plus_end = 0;
    bool plus = false;
    if (topic[0] == '$' && (filter[0] == '+' || filter[0] == '#')) {
        *place = (struct topic_place){behind_dollar, NULL, sizeof behind_dollar, 0};
        return STEP_SEEK;
    }
    for (;;) {
        size_t f_len = level_len(filter + f, filter_len - f);
        size_t t_len = level_len(topic + t, len - t);
        if (f_len == 1 && filter[f] == '#')
            return STEP_MATCH;
        if (f_len == 1 && filter[f] == '+') {
            plus = true;
            plus_end = t + t_len;
        } else {
            int order = compare(topic + t, t_len, filter + f, f_len);
            if (order == 0)
                order = (t_len > f_len) - (t_len < f_len);
            if (order < 0) {
                *place = (struct topic_place){topic, filter + f, t, f_len};
                return STEP_SEEK;
            }
            if (order > 0)
                return behind_plus(topic, plus_end, plus, place);
        }
        f += f_len;
        t += t_len;
        if (t == len) {
            if (f == filter_len || (filter_len - f == 2 && filter[f + 1] == '#'))
                return STEP_MATCH; /* `a/#` matches `a` (4.7.1.2) */
            return STEP_NEXT;      /* what is below it follows */
        }
        if (f == filter_len)
            return behind(topic, t, place); /* too deep, like all beside it */
        f++;
        t++;
    }
}

struct topic_place topic_start(const uint8_t *filter, size_t len) {
    size_t literal = 0; /* whole levels without wildcards, with the slashes between them */
    for (size_t f = 0; f < len;) {
        size_t level = level_len(filter + f, len - f);
        if (level == 1 && (filter[f] == '+' || filter[f] == '#'))
            break;
        literal = f + level;
        f += level + 1;
    }
    return (struct topic_place){filter, NULL, literal, 0};
}
