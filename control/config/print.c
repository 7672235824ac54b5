/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "control/config/value.h"

static void print_list(const struct section *section, const struct config *config, FILE *out) {
    const uint8_t *items =
        *(const uint8_t *const *)(const void *)((const uint8_t *)config + section->items_offset);
    unsigned count =
        *(const unsigned *)(const void *)((const uint8_t *)config + section->count_offset);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < section->keys_count; k++) {
            fprintf(out, "%s%s: ", k == 0 ? "  - " : "    ", section->keys[k].name);
            value_print(&section->keys[k], items + i * section->item_size, out);
            fputc('\n', out);
        }
    }
}

void config_print(const struct config *config, FILE *out) {
    for (unsigned s = 0; s < config_sections_count; s++) {
        const struct section *section = &config_sections[s];
        fprintf(out, "%s:\n", section->name);
        if (section->preset != NULL) {
            print_list(section, config, out);
            continue;
        }
        for (unsigned k = 0; k < section->keys_count; k++) {
            fprintf(out, "  %s: ", section->keys[k].name);
            value_print(&section->keys[k], config, out);
            fputc('\n', out);
        }
    }
}

static void print_type(const struct key *key, FILE *out) {
    static const char *const names[] = {
        [VALUE_NUMBER] = "number",    [VALUE_BOOL] = "true or false",
        [VALUE_WORD] = "word",        [VALUE_TEXT] = "text",
        [VALUE_PATH] = "file name",   [VALUE_CPUS] = "CPU list",
        [VALUE_IPV4] = "IPv4/prefix", [VALUE_IPV6] = "IPv6/prefix",
        [VALUE_MAC] = "MAC address",  [VALUE_TEXTS] = "list of texts",
        [VALUE_IPV4_HOST] = "IPv4",   [VALUE_IPV6_HOST] = "IPv6",
    };
    fputs(names[key->type], out);
    if (key->unit != NULL)
        fprintf(out, ", %s", key->unit);
}

static void print_range(const struct key *key, FILE *out) {
    if (key->type == VALUE_NUMBER)
        fprintf(out, "%" PRIu64 " to %" PRIu64, key->min, key->max);
    else if (key->type == VALUE_WORD)
        for (unsigned i = 0; key->words[i] != NULL; i++)
            fprintf(out, "%s`%s`", i > 0 ? ", " : "", key->words[i]);
}

void config_print_reference(FILE *out) {
    for (unsigned s = 0; s < config_sections_count; s++) {
        const struct section *section = &config_sections[s];
        fprintf(out, "%s### `%s`\n\n%s", s > 0 ? "\n" : "", section->name, section->text);
        if (section->preset != NULL)
            fprintf(out, " A list; default `%s`.", section->preset);
        fputs("\n\n| key | type | default | range | meaning |\n|---|---|---|---|---|\n", out);
        for (unsigned k = 0; k < section->keys_count; k++) {
            const struct key *key = &section->keys[k];
            fprintf(out, "| `%s` | ", key->name);
            print_type(key, out);
            if (key->preset == NULL)
                fputs(" | must be given | ", out);
            else
                fprintf(out, " | `%s` | ", key->preset);
            print_range(key, out);
            fprintf(out, " | %s |\n", key->text);
        }
    }
}
