/* SPDX-License-Identifier: Apache-2.0 */
#include "control/config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/read.h"

static const char default_name[] = "defaults";

static FILE *open_file(struct mistakes *mistakes, const char *path) {
    FILE *input = fopen(path, "re");
    /* A directory opens and cannot be read. */
    int first = input == NULL ? EOF : fgetc(input);
    if (input == NULL || ferror(input)) {
        mistakes_add(mistakes, 0, "file: cannot be read: %s; give the name of a readable YAML file",
                     strerror(errno));
        if (input != NULL)
            fclose(input);
        return NULL;
    }
    if (first != EOF)
        ungetc(first, input); /* a pipe can't be rewound */
    return input;
}

/* The files that the configuration names are read later: where each was named is kept. */
static void keep_places(const struct reading *reading) {
    const struct config *config = &reading->loaded->config;
    for (unsigned i = 0; i < config->auth_count; i++) {
        if (config->auth[i].path == NULL)
            continue;
        char *place =
            mistakes_place(reading->mistakes, place_line(reading->places, "auth", i, "path"));
        size_t size = (place != NULL ? strlen(place) : 0) + sizeof "auth[4294967295].path";
        char *kept = place != NULL ? loaded_alloc(reading->loaded, size) : NULL;
        if (kept != NULL)
            snprintf(kept, size, "%sauth[%u].path", place, i);
        else
            mistakes_add(reading->mistakes, 0, "auth: no memory; free some");
        config->auth[i].place = kept;
        free(place);
    }
}

struct config *config_load(const char *path, const char *const *overrides, unsigned overrides_count,
                           FILE *errors) {
    const char *name = path != NULL ? path : default_name;
    struct reading reading = {.loaded = calloc(1, sizeof *reading.loaded),
                              .mistakes = mistakes_new(name, overrides)};
    char *kept = NULL;
    if (reading.loaded == NULL || reading.mistakes == NULL ||
        (kept = loaded_alloc(reading.loaded, strlen(name) + 1)) == NULL) {
        fprintf(errors, "%s: there is no memory to read it; free some and try again\n", name);
        free(reading.mistakes);
        if (reading.loaded != NULL)
            loaded_free(reading.loaded);
        return NULL;
    }
    reading.loaded->config.path = strcpy(kept, name);
    FILE *input = path != NULL ? open_file(reading.mistakes, path) : NULL;
    if ((path == NULL || input != NULL) && read_config(&reading, input)) {
        for (unsigned i = 0; i < overrides_count; i++)
            read_override(&reading, overrides[i], LINE_OVERRIDES + i);
        check_config(&reading);
        keep_places(&reading);
    }
    if (input != NULL)
        fclose(input);
    places_free(reading.places);
    if (mistakes_report(reading.mistakes, errors) > 0) {
        loaded_free(reading.loaded);
        return NULL;
    }
    return &reading.loaded->config;
}

void config_free(struct config *config) {
    if (config != NULL)
        loaded_free((struct loaded *)config);
}
