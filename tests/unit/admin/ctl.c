/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/admin/ctl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

char *out, *err;

static char *slurp(int fd) {
    size_t used = 0, size = 65536;
    char *text = malloc(size);
    lseek(fd, 0, SEEK_SET);
    for (ssize_t n; (n = read(fd, text + used, size - used - 1)) > 0;) {
        used += (size_t)n;
        if (used + 1 == size)
            text = realloc(text, size *= 2);
    }
    text[used] = 0;
    close(fd);
    return text;
}

int ctl_input(const char *socket, const char *line, const char *input) {
    char text[512], *words[32] = {(char *)(uintptr_t)CTL_PATH};
    unsigned count = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    ctl_forget();
    int in_fd = memfd_create("in", 0), out_fd = memfd_create("out", 0),
        err_fd = memfd_create("err", 0);
    if (write(in_fd, input, strlen(input)) < 0)
        abort();
    lseek(in_fd, 0, SEEK_SET);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in_fd, 0);
        dup2(out_fd, 1);
        dup2(err_fd, 2);
        setenv("LINEMQ_SOCKET", socket, 1);
        execv(CTL_PATH, words);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    close(in_fd);
    out = slurp(out_fd);
    err = slurp(err_fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int ctl(struct world *world, const char *line) {
    return ctl_input(world->socket, line, "");
}

int ctl_set_up(void **state) {
    *state = world_running();
    return 0;
}

int ctl_tear_down(void **state) {
    world_destroy(*state);
    ctl_forget();
    return 0;
}

void ctl_forget(void) {
    free(out);
    free(err);
    out = err = NULL;
}
