/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/loadgen/broker.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/ctl/ctl.h"

static void rows_keep(void *argument, const json_t *rows) {
    json_array_extend(argument, (json_t *)(uintptr_t)rows);
}

/* The rows of a command, or NULL. */
static json_t *ask(const char *socket, const char *command, char *error, unsigned error_size) {
    char note[256];
    json_t *rows = json_array();
    if (request_run(socket, command, NULL, rows_keep, rows, note, sizeof note, error, error_size) ==
        PROTOCOL_OK)
        return rows;
    json_decref(rows);
    return NULL;
}

static uint64_t number(const json_t *row, const char *key) {
    return (uint64_t)json_number_value(json_object_get(row, key));
}

/* The process behind a Unix socket, if it runs on this machine; 0: not known. */
static pid_t socket_owner(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred credentials = {0};
    socklen_t len = sizeof credentials;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(path) >= sizeof address.sun_path)
        return 0;
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
        credentials.pid = 0;
    close(fd);
    return credentials.pid;
}

/* The first line of a file that the kernel keeps of a thread; empty: it is gone. */
static void thread_read(pid_t process, const char *thread, const char *what, char line[64]) {
    char path[300];
    snprintf(path, sizeof path, "/proc/%d/task/%s/%s", (int)process, thread, what);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(line, 64, file) == NULL)
        line[0] = '\0';
    if (file != NULL)
        fclose(file);
}

/* CPU time of a process's threads. Workers are those that EAL named. */
static void cpu_time(pid_t process, struct broker_sample *sample) {
    char path[64], line[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *threads = process > 0 ? opendir(path) : NULL;
    if (threads == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        thread_read(process, entry->d_name, "schedstat", line);
        uint64_t on_cpu_us = strtoull(line, NULL, 10) / 1000;
        thread_read(process, entry->d_name, "comm", line);
        if (strncmp(line, "rte-worker", 10) == 0)
            sample->worker_cpu_us += on_cpu_us;
        else
            sample->other_cpu_us += on_cpu_us;
    }
    closedir(threads);
}

bool broker_sample(const char *socket, struct broker_sample *sample, char *error,
                   unsigned error_size) {
    *sample = (struct broker_sample){0};
    json_t *workers = ask(socket, "worker list", error, error_size);
    json_t *counters = workers == NULL ? NULL : ask(socket, "counters", error, error_size);
    if (counters == NULL) {
        json_decref(workers);
        return false;
    }
    size_t i;
    json_t *row;
    sample->counters = json_object();
    sample->drops = json_object();
    json_array_foreach(workers, i, row) {
        if (i >= BROKER_WORKERS_MAX)
            break;
        sample->worker[i].busy_cycles = number(row, "busy_cycles");
        sample->worker[i].idle_cycles = number(row, "idle_cycles");
        sample->worker[i].sleep_cycles = number(row, "sleep_cycles");
        sample->worker[i].packets = number(row, "packets");
        sample->worker[i].longest_turn_us = number(row, "longest_turn_us");
        sample->cycles_per_us = json_number_value(json_object_get(row, "cycles_per_us"));
        sample->workers = (unsigned)i + 1;
    }
    json_array_foreach(counters, i, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        json_object_set_new(sample->counters, name, json_integer((json_int_t)number(row, "count")));
        if (json_is_true(json_object_get(row, "drop")))
            json_object_set_new(sample->drops, name, json_true());
    }
    json_decref(workers);
    json_decref(counters);
    cpu_time(socket_owner(socket), sample);
    return true;
}

void broker_sample_free(struct broker_sample *sample) {
    json_decref(sample->counters);
    json_decref(sample->drops);
}

uint64_t broker_busy_cycles(const struct broker_sample *before, const struct broker_sample *after) {
    uint64_t cycles = 0;
    for (unsigned i = 0; i < after->workers; i++)
        cycles += after->worker[i].busy_cycles - before->worker[i].busy_cycles;
    return cycles;
}

double broker_cpu_cycles(const struct broker_sample *before, const struct broker_sample *after) {
    double busy = (double)broker_busy_cycles(before, after), idle = 0;
    double cpu_us = (double)(after->worker_cpu_us - before->worker_cpu_us);
    for (unsigned i = 0; i < after->workers; i++)
        idle += (double)(after->worker[i].idle_cycles - before->worker[i].idle_cycles);
    double cycles = cpu_us * after->cycles_per_us * busy / (busy + idle);
    return cpu_us > 0 && busy > 0 && cycles < busy ? cycles : busy;
}

json_t *broker_growth(const struct broker_sample *before, const struct broker_sample *after) {
    json_t *workers = json_array(), *counters = json_object(), *drops = json_object();
    for (unsigned i = 0; i < after->workers; i++)
        json_array_append_new(
            workers,
            json_pack("{s:I, s:I, s:I, s:I, s:I}", "busy_cycles",
                      (json_int_t)(after->worker[i].busy_cycles - before->worker[i].busy_cycles),
                      "idle_cycles",
                      (json_int_t)(after->worker[i].idle_cycles - before->worker[i].idle_cycles),
                      "sleep_cycles",
                      (json_int_t)(after->worker[i].sleep_cycles - before->worker[i].sleep_cycles),
                      "packets", (json_int_t)(after->worker[i].packets - before->worker[i].packets),
                      "longest_turn_us", (json_int_t)after->worker[i].longest_turn_us));
    const char *name;
    json_t *value;
    json_object_foreach(after->counters, name, value) {
        json_int_t grown =
            json_integer_value(value) - json_integer_value(json_object_get(before->counters, name));
        if (grown != 0)
            json_object_set_new(json_object_get(after->drops, name) != NULL ? drops : counters,
                                name, json_integer(grown));
    }
    return json_pack("{s:o, s:o, s:o, s:f, s:I, s:I}", "workers", workers, "counters", counters,
                     "drops", drops, "cycles_per_us", after->cycles_per_us, "worker_cpu_us",
                     (json_int_t)(after->worker_cpu_us - before->worker_cpu_us), "other_cpu_us",
                     (json_int_t)(after->other_cpu_us - before->other_cpu_us));
}

json_t *broker_memory(const char *socket) {
    char error[256];
    json_t *rows = ask(socket, "memory show", error, sizeof error);
    json_t *row = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    return row;
}
