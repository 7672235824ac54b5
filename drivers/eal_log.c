/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/eal_log.h"

#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_log.h>

#include "drivers/eal.h"

enum { LOG_KEPT = 8192, LINE_KEPT = 1024 };

static struct {
    FILE *stream;
    char text[LOG_KEPT + 1];
    size_t used;
    char line[LINE_KEPT + 1]; /* as far as it has come */
    size_t line_used;
    bool echo;
    void (*to)(const char *line);
} eal_lines;

static void keep(const char *text, size_t len) {
    size_t end = len < LOG_KEPT ? len : LOG_KEPT;
    size_t over = eal_lines.used + end > LOG_KEPT ? eal_lines.used + end - LOG_KEPT : 0;
    memmove(eal_lines.text, eal_lines.text + over, eal_lines.used - over);
    memcpy(eal_lines.text + eal_lines.used - over, text + len - end, end);
    eal_lines.used += end - over;
    eal_lines.text[eal_lines.used] = '\0';
}

/* Some lines come in pieces, some are empty. What is beyond the longest one kept is cut. */
static void lines(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\n') {
            if (eal_lines.line_used < LINE_KEPT)
                eal_lines.line[eal_lines.line_used++] = text[i];
            continue;
        }
        eal_lines.line[eal_lines.line_used] = '\0';
        if (eal_lines.line_used > 0)
            eal_lines.to(eal_lines.line);
        eal_lines.line_used = 0;
    }
}

/* stdio has locked the stream. */
static ssize_t stream_write(void *cookie, const char *text, size_t len) {
    keep(text, len);
    if (eal_lines.to != NULL)
        lines(text, len);
    else if (eal_lines.echo)
        fwrite(text, 1, len, stderr);
    return (ssize_t)len;
}

void eal_log_to(void (*line)(const char *line)) {
    eal_lines.to = line;
}

const char *eal_log(void) {
    if (eal_lines.stream != NULL)
        fflush(eal_lines.stream);
    return eal_lines.text;
}

const char *eal_log_last(char *line, unsigned size) {
    const char *log = eal_log();
    size_t end = strlen(log), start;
    while (end > 0 && isspace((unsigned char)log[end - 1]))
        end--;
    for (start = end; start > 0 && log[start - 1] != '\n'; start--)
        ;
    snprintf(line, size, "%.*s", (int)(end - start), log + start);
    return line;
}

void eal_log_open(bool echo) {
    cookie_io_functions_t functions = {.write = stream_write};
    eal_lines.echo = echo;
    eal_lines.stream = fopencookie(NULL, "w", functions);
    if (eal_lines.stream != NULL) {
        setvbuf(eal_lines.stream, NULL, _IOLBF, 512);
        rte_openlog_stream(eal_lines.stream);
    }
}

void eal_log_close(void) {
    rte_openlog_stream(NULL);
    if (eal_lines.stream != NULL)
        fclose(eal_lines.stream);
    eal_lines.stream = NULL;
}

void eal_aside_begin(struct eal_aside *aside) {
    fflush(stdout);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    aside->file = memfd_create("stderr", MFD_CLOEXEC);
    aside->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    aside->error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (null >= 0 && aside->out >= 0)
        dup2(null, STDOUT_FILENO);
    if (aside->file >= 0 && aside->error >= 0)
        dup2(aside->file, STDERR_FILENO);
    if (null >= 0)
        close(null);
}

static void restore(int saved, int fd) {
    if (saved >= 0) {
        dup2(saved, fd);
        close(saved);
    }
}

void eal_aside_end(struct eal_aside *aside, char *line, unsigned size) {
    char text[LINE_KEPT];
    FILE *in = aside->file >= 0 ? fdopen(aside->file, "r") : NULL;
    fflush(stdout);
    fflush(stderr);
    restore(aside->out, STDOUT_FILENO);
    restore(aside->error, STDERR_FILENO);
    line[0] = '\0';
    if (in == NULL)
        return;
    rewind(in);
    while (fgets(text, sizeof text, in) != NULL) {
        text[strcspn(text, "\n")] = '\0';
        if (strncmp(text, "EAL: FATAL", 10) == 0)
            continue; /* has been logged as well */
        if (line[0] == '\0')
            snprintf(line, size, "%s", text);
        if (eal_lines.to != NULL)
            eal_lines.to(text);
        else if (eal_lines.echo)
            fprintf(stderr, "%s\n", text);
    }
    fclose(in);
}

/* Both libraries' levels: 0 warnings, 1 information, 2 what helps to mend them. */
static int xdp_print(int level, const char *format, va_list arguments) {
    if (level > 1 || eal_lines.stream == NULL)
        return 0;
    return vfprintf(eal_lines.stream, format, arguments);
}

/* They belong to the driver, which EAL loads by itself: we depend on neither, and where one is
 * missing the driver will be, too. */
static void print_set(const char *library, const char *function) {
    void *(*set)(int (*)(int, const char *, va_list));
    void *handle = dlopen(library, RTLD_LAZY);
    void *found = handle == NULL ? NULL : dlsym(handle, function);
    memcpy(&set, &found, sizeof set);
    if (found != NULL)
        set(xdp_print);
}

void eal_log_xdp(void) {
    print_set("libbpf.so.1", "libbpf_set_print");
    print_set("libxdp.so.1", "libxdp_set_print");
}
