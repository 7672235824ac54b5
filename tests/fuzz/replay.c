/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over files instead of under libFuzzer: each argument is a file or a folder of
 * files. So every build runs the corpus, with the compiler and sanitizers it was set up with.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t size = 0, room = 1 << 16;
    uint8_t *data = malloc(room);
    while (data) {
        size_t n = fread(data + size, 1, room - size, file);
        size += n;
        if (n == 0 || size < room)
            break;
        room *= 2;
        data = realloc(data, room);
    }
    fclose(file);
    if (!data)
        return 1;
    /* A copy of the exact size, so that a read past the end is seen. */
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        return 1;
    for (size_t i = 0; i < size; i++)
        exact[i] = data[i];
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

static int run(const char *path, unsigned *count) {
    struct stat status;
    if (stat(path, &status) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(status.st_mode)) {
        ++*count;
        return run_file(path);
    }
    DIR *folder = opendir(path);
    if (!folder) {
        perror(path);
        return 1;
    }
    int failed = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        failed |= run(name, count);
    }
    closedir(folder);
    return failed;
}

int main(int argc, char **argv) {
    unsigned count = 0;
    int failed = argc < 2;
    for (int i = 1; i < argc; i++)
        failed |= run(argv[i], &count);
    printf("%u inputs\n", count);
    return failed || count == 0;
}
