/* SPDX-License-Identifier: Apache-2.0 */
#include "config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

char config_file[] = "/tmp/linemq-config-XXXXXX";

int config_file_make(void **state) {
    int fd = mkstemp(config_file);
    return fd < 0 ? -1 : close(fd);
}

int config_file_remove(void **state) {
    return unlink(config_file);
}

static void write_file(const char *text, size_t len) {
    FILE *file = fopen(config_file, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

struct config *load_with(const char *text, const char *const *overrides, unsigned count,
                         char **errors) {
    size_t size;
    char *raw = NULL;
    FILE *out = open_memstream(&raw, &size);
    write_file(text, strlen(text));
    struct config *config = config_load(config_file, overrides, count, out);
    fclose(out);
    char *to = raw;
    for (const char *from = raw; *from != '\0';)
        if (strncmp(from, config_file, strlen(config_file)) == 0)
            from += strlen(config_file) + 1;
        else
            *to++ = *from++;
    *to = '\0';
    *errors = raw;
    return config;
}

struct config *load(const char *text, char **errors) {
    return load_with(text, NULL, 0, errors);
}

char *printed(const struct config *config) {
    size_t size;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    config_print(config, out);
    fclose(out);
    return text;
}
