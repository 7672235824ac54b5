/* SPDX-License-Identifier: Apache-2.0 */
/* `ctl config check`: done here, so that a configuration can be checked before a broker runs. */
#include <stdlib.h>
#include <string.h>

#include "control/config/config.h"
#include "tools/ctl/ctl.h"

int config_check_run(const struct invocation *invocation) {
    const char *file = json_string_value(json_object_get(invocation->arguments, "file"));
    char *text = NULL;
    size_t size = 0;
    FILE *errors = open_memstream(&text, &size);
    if (errors == NULL) {
        fputs("ctl: out of memory\n", stderr);
        return PROTOCOL_FAILED;
    }
    struct config *config = config_load(file, NULL, 0, errors);
    fclose(errors);
    bool good = config != NULL;
    if (good)
        config_free(config);
    if (invocation->json) {
        json_t *mistakes = json_array();
        for (char *line = text; *line != 0;) {
            size_t len = strcspn(line, "\n");
            json_array_append_new(mistakes, json_stringn(line, len));
            line += len + (line[len] == '\n');
        }
        json_t *row =
            json_pack("{s:s, s:b, s:o}", "file", file, "good", good, "mistakes", mistakes);
        json_t *rows = json_pack("[o]", row);
        struct printer printer;
        printer_begin(&printer, invocation->command, true);
        printer_rows(&printer, rows);
        printer_end(&printer, true);
        json_decref(rows);
    } else if (good) {
        printf("%s: good\n", file);
    } else {
        fputs(text, stderr);
    }
    free(text);
    return good ? PROTOCOL_OK : PROTOCOL_FAILED;
}
