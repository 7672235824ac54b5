/* SPDX-License-Identifier: Apache-2.0 */
/* ctl capture start, stop, status, list */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/handlers.h"
#include "control/admin/record.h"

enum { PACKETS = 1000000, BYTES = 100 << 20, SECONDS = 600, SNAP = 2048 };

static json_t *capture_json(const struct capture_run *run) {
    static const char *const states[] = {"running", "stopping", "ended"};
    uint64_t end = run->state == CAPTURE_ENDED ? run->ended : wall_clock();
    json_t *row =
        json_pack("{s:i, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:b, s:o}",
                  "capture", (int)run->number, "state", states[run->state], "file",
                  text_json(run->path, strlen(run->path)), "since", time_json(run->began),
                  "packets", (json_int_t)run->packets, "bytes", (json_int_t)run->bytes, "missed",
                  (json_int_t)run->missed, "seconds",
                  (json_int_t)(end > run->began ? (end - run->began) / 1000000 : 0), "packets_max",
                  (json_int_t)run->order.packets, "bytes_max", (json_int_t)run->order.bytes,
                  "seconds_max", (json_int_t)run->order.seconds, "snap_bytes", (int)run->order.snap,
                  "payload", (int)run->order.payload, "filter",
                  text_json(run->order.description, strlen(run->order.description)));
    if (row != NULL)
        json_object_set_new(row, "reason",
                            run->state != CAPTURE_RUNNING ? json_string(run->why) : json_null());
    return row;
}

/* --- start ----------------------------------------------------------------------------------- */

struct capture_command {
    struct capture_watch watch;
    bool watching, asked;
    struct capture_order order;
};

static void command_dispose(void *state) {
    struct capture_command *command = state;
    if (!command->watching)
        return;
    struct capture_run *run = command->watch.run;
    captures_unwatch(&command->watch);
    if (command->watch.what == WATCH_FOLLOW)
        captures_stop(command->watch.job->admin, run, "the ctl that followed it has gone");
}

static void describe(char *description, size_t size, const char *name, const char *value) {
    size_t used = strlen(description);
    snprintf(description + used, size - used, "%s%s %s", used > 0 ? ", " : "", name, value);
}

static bool read_address(struct job *job, struct capture_filter *filter) {
    size_t len;
    const char *text = job_text(job, "address", &len);
    char address[INET6_ADDRSTRLEN + 1];
    const char *slash = text != NULL ? strchr(text, '/') : NULL;
    if (text == NULL)
        return true;
    size_t address_len = slash != NULL ? (size_t)(slash - text) : len;
    if (address_len < sizeof address) {
        memcpy(address, text, address_len);
        address[address_len] = 0;
        filter->family = inet_pton(AF_INET, address, filter->address) == 1    ? 4
                         : inet_pton(AF_INET6, address, filter->address) == 1 ? 6
                                                                              : 0;
    }
    unsigned long most = filter->family == 4 ? 32 : 128, prefix = most;
    char *end = NULL;
    if (slash != NULL)
        prefix = strtoul(slash + 1, &end, 10);
    bool good = slash == NULL || (slash[1] >= '0' && slash[1] <= '9' && *end == 0);
    if (filter->family == 0 || !good || prefix > most) {
        job_fail(job, PROTOCOL_USAGE,
                 "--address must be an IPv4 or IPv6 address, perhaps with /PREFIX: 10.0.0.0/8");
        return false;
    }
    filter->prefix = (uint8_t)prefix;
    return true;
}

static bool read_order(struct job *job, struct capture_order *order) {
    struct capture_filter *filter = &order->filter;
    size_t len;
    const char *client = job_text(job, "client", &len);
    const char *address = job_text(job, "address", &(size_t){0});
    unsigned workers = job->admin->registry->workers;
    char number[16];
    if (client != NULL && (len == 0 || len > CAPTURE_CLIENT_ID)) {
        job_fail(job, PROTOCOL_USAGE, "--client must be 1 to %d bytes", CAPTURE_CLIENT_ID);
        return false;
    }
    if (client != NULL) {
        memcpy(filter->client_id, client, len);
        filter->client_id_len = (uint16_t)len;
        describe(order->description, sizeof order->description, "client", client);
    }
    if (!read_address(job, filter))
        return false;
    if (address != NULL)
        describe(order->description, sizeof order->description, "address", address);
    filter->port = (uint16_t)job_number(job, "port", 0);
    snprintf(number, sizeof number, "%u", filter->port);
    if (filter->port != 0)
        describe(order->description, sizeof order->description, "port", number);
    order->worker = (int)job_number(job, "worker", UINT32_MAX);
    if (order->worker >= (int)workers) {
        job_fail(job, PROTOCOL_NOT_FOUND, "there is no worker %d; they are 0 to %u", order->worker,
                 workers - 1);
        return false;
    }
    snprintf(number, sizeof number, "%d", order->worker);
    if (order->worker >= 0)
        describe(order->description, sizeof order->description, "worker", number);
    if (order->description[0] == 0)
        snprintf(order->description, sizeof order->description, "all");
    order->payload = job_flag(job, "payload");
    order->snap = (uint32_t)job_number(job, "snap", SNAP);
    order->packets = job_number(job, "packets", PACKETS);
    order->bytes = job_number(job, "bytes", BYTES);
    order->seconds = job_number(job, "seconds", SECONDS);
    return true;
}

static void start_client_answer(struct job *job, struct question *question) {
    struct capture_command *command = job->state;
    size_t at = 0;
    const struct client_record *record = client_next(&question->result, &at);
    if (record == NULL || !record->view.connected) {
        job->note = "the client is not connected: packets come from its next CONNECT on";
        return;
    }
    struct capture_endpoint *endpoint = &command->order.endpoint;
    memcpy(endpoint->remote, record->view.remote, sizeof endpoint->remote);
    endpoint->remote_port = record->view.remote_port;
    endpoint->local_port = record->view.local_port;
}

static void start(struct job *job, struct capture_command *command) {
    char error[512];
    size_t len;
    struct capture_run *run =
        captures_start(job->admin, job_text(job, "file", &len), caller_user(job->caller),
                       caller_group(job->caller), &command->order, error, sizeof error);
    if (run == NULL) {
        job_fail(job, PROTOCOL_FAILED, "%s", error);
        return;
    }
    captures_watch(&command->watch, job, run, WATCH_BEGIN);
    command->watching = true;
    job_wait(job);
}

/* All workers take part, or it has ended, or a second has passed. */
static void go_on(struct job *job, struct capture_command *command) {
    const struct capture_run *run = command->watch.run;
    if (command->watch.what != WATCH_FOLLOW && run->beginning != 0)
        job->note = "not all workers have begun yet";
    job_row(job, capture_json(run));
    if (run->state == CAPTURE_ENDED || !job_flag(job, "follow")) {
        job_done(job);
        return;
    }
    command->watch.what = WATCH_FOLLOW;
    job_wait(job);
}

void capture_start_step(struct job *job) {
    struct capture_command *command = job_state(job, sizeof *command);
    if (command == NULL)
        return;
    if (command->watching) {
        go_on(job, command);
        return;
    }
    job->dispose = command_dispose;
    if (!command->asked && !read_order(job, &command->order))
        return;
    if (!command->asked && command->order.filter.client_id_len > 0) {
        command->asked = true;
        question_client(job, ask_client, start_client_answer);
        return;
    }
    start(job, command);
}

/* --- stop, status, list ---------------------------------------------------------------------- */

static struct capture_run *find(struct job *job) {
    unsigned number = (unsigned)job_number(job, "capture", 0);
    struct capture_run *run = captures_find(job->admin, number);
    if (run == NULL && number != 0)
        job_fail(job, PROTOCOL_NOT_FOUND, "there is no capture %u", number);
    else if (run == NULL)
        job_fail(job, PROTOCOL_NOT_FOUND, "there is no capture");
    return run;
}

void capture_stop_step(struct job *job) {
    struct capture_command *command = job_state(job, sizeof *command);
    if (command == NULL)
        return;
    if (!command->watching) {
        struct capture_run *run = find(job);
        if (run == NULL)
            return;
        job->dispose = command_dispose;
        captures_watch(&command->watch, job, run, WATCH_END);
        command->watching = true;
        captures_stop(job->admin, run, "ctl capture stop");
    }
    if (command->watch.run->state != CAPTURE_ENDED) {
        job_wait(job);
        return;
    }
    job_row(job, capture_json(command->watch.run));
    job_done(job);
}

void capture_status_step(struct job *job) {
    const struct capture_run *run = find(job);
    if (run == NULL)
        return;
    job_row(job, capture_json(run));
    job_done(job);
}

void capture_list_step(struct job *job) {
    for (const struct capture_run *run = job->admin->captures.runs; run != NULL; run = run->next)
        job_row(job, capture_json(run));
    job_done(job);
}
