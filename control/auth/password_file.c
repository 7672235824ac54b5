/* SPDX-License-Identifier: Apache-2.0 */
#include "control/auth/password_file.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { DECOY_ITERATIONS = 101 }; /* mosquitto_passwd's own number */

struct user {
    char *name; /* may hold anything but `:`, a line feed and a zero byte */
    size_t len;
    size_t line;
    struct password_hash hash;
};

struct password_file {
    struct user *users; /* sorted by name */
    size_t count, room;
    struct password_hash decoy;
};

static int compare(const char *a, size_t a_len, const char *b, size_t b_len) {
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_name(const void *left, const void *right) {
    const struct user *a = left, *b = right;
    int order = compare(a->name, a->len, b->name, b->len);
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

void password_file_free(struct password_file *file) {
    if (file == NULL)
        return;
    for (size_t i = 0; i < file->count; i++)
        free(file->users[i].name);
    free(file->users);
    free(file);
}

static bool add_user(struct password_file *file, const char *name, size_t len, size_t line,
                     const struct password_hash *hash) {
    if (file->count == file->room) {
        size_t room = file->room * 2 + 16;
        struct user *users = realloc(file->users, room * sizeof *users);
        if (users == NULL)
            return false;
        file->users = users;
        file->room = room;
    }
    char *copy = malloc(len);
    if (copy == NULL)
        return false;
    memcpy(copy, name, len);
    file->users[file->count++] =
        (struct user){.name = copy, .len = len, .line = line, .hash = *hash};
    return true;
}

/* One line without its line feed. False: a mistake was printed. */
static bool read_line(struct password_file *file, const char *path, char *text, size_t len,
                      size_t line, FILE *errors) {
    struct password_hash hash;
    if (len == 0 || text[0] == '#')
        return true;
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon == text || strlen(text) != len) {
        fprintf(errors, "%s:%zu: is not `user:hash`; write the line with mosquitto_passwd\n", path,
                line);
        return false;
    }
    const char *wrong = password_hash_parse(colon + 1, &hash);
    if (wrong != NULL) {
        fprintf(errors, "%s:%zu: %s; write it with mosquitto_passwd ($7$ or $6$)\n", path, line,
                wrong);
        return false;
    }
    if (!add_user(file, text, (size_t)(colon - text), line, &hash)) {
        fprintf(errors, "%s:%zu: there is no memory for it; free some\n", path, line);
        return false;
    }
    return true;
}

static void unreadable(const char *path, const char *place, FILE *errors) {
    fprintf(errors, "%s: %s cannot be read: %s; give a readable file\n", place, path,
            strerror(errno));
}

static bool read_lines(struct password_file *file, const char *path, const char *place, FILE *input,
                       FILE *errors) {
    char *text = NULL;
    size_t room = 0;
    ssize_t len;
    bool good = true;
    for (size_t line = 1; (len = getline(&text, &room, input)) >= 0; line++) {
        while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
            text[--len] = '\0';
        good &= read_line(file, path, text, (size_t)len, line, errors);
    }
    if (ferror(input)) {
        unreadable(path, place, errors);
        good = false;
    }
    free(text);
    return good;
}

static bool sort_users(struct password_file *file, const char *path, FILE *errors) {
    bool good = true;
    if (file->count > 0)
        qsort(file->users, file->count, sizeof *file->users, by_name);
    for (size_t i = 1; i < file->count; i++) {
        const struct user *first = &file->users[i - 1], *second = &file->users[i];
        if (compare(first->name, first->len, second->name, second->len) == 0) {
            fprintf(errors, "%s:%zu: the user is on line %zu already; keep one of the two\n", path,
                    second->line, first->line);
            good = false;
        }
    }
    return good;
}

struct password_file *password_file_load(const char *path, const char *place, FILE *errors) {
    FILE *input = fopen(path, "re");
    if (input == NULL) {
        unreadable(path, place, errors);
        return NULL;
    }
    struct password_file *file = calloc(1, sizeof *file);
    bool good = file != NULL && read_lines(file, path, place, input, errors);
    fclose(input);
    if (file == NULL) {
        fprintf(errors, "%s: there is no memory for it; free some\n", path);
        return NULL;
    }
    good = sort_users(file, path, errors) && good;
    file->decoy.iterations = file->count > 0 ? file->users[0].hash.iterations : DECOY_ITERATIONS;
    file->decoy.salt_len = 12;
    if (RAND_bytes(file->decoy.salt, file->decoy.salt_len) != 1 ||
        RAND_bytes(file->decoy.hash, sizeof file->decoy.hash) != 1) {
        fprintf(errors, "%s: there are no random numbers\n", path);
        good = false;
    }
    if (!good) {
        password_file_free(file);
        return NULL;
    }
    return file;
}

const struct password_hash *password_file_find(const struct password_file *file,
                                               const uint8_t *user, size_t len) {
    size_t low = 0, high = file->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct user *candidate = &file->users[middle];
        int order = compare((const char *)user, len, candidate->name, candidate->len);
        if (order == 0)
            return &candidate->hash;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct password_hash *password_file_decoy(const struct password_file *file) {
    return &file->decoy;
}
