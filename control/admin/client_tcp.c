/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/client_tcp.h"

#include "dataplane/base/counters.h"

static json_t *drops_json(const struct tcp_report *report) {
    json_t *rows = json_array();
    for (unsigned i = 0; i < report->drops_count && i < TCP_REPORT_DROPS; i++) {
        const struct tcp_report_drop *drop = &report->drops[i];
        if (drop->counter >= COUNTERS)
            continue;
        const struct counter_description *counter = &counter_descriptions[drop->counter];
        json_array_append_new(rows, json_pack("{s:s, s:I, s:I, s:s}", "name", counter->name,
                                              "count", (json_int_t)drop->count, "ago_us",
                                              (json_int_t)drop->ago, "text", counter->text));
    }
    return rows;
}

json_t *client_tcp_json(const struct tcp_report *report) {
    json_t *tcp = json_object();
#define NUMBER(field, key, heading, format, text)                                                  \
    json_object_set_new(tcp, key, json_integer((json_int_t)report->field));
#define NAME(field, key, heading, name, text)                                                      \
    json_object_set_new(tcp, key, json_string(name(report->field)));
    CLIENT_TCP(NUMBER, NAME)
#undef NUMBER
#undef NAME
    json_object_set_new(tcp, "drops", drops_json(report));
    return tcp;
}
