/* SPDX-License-Identifier: Apache-2.0 */
/* linemqd: command line, signals; supervisor.c starts and stops everything. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/auth/auth.h"
#include "control/config/config.h"
#include "control/log/log.h"
#include "control/supervisor.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void usage(FILE *out) {
    fputs(
        "linemqd " LINEMQ_VERSION ", an MQTT broker that drives its own network ports.\n"
        "\n"
        "usage: linemqd [--config FILE]    run in the foreground; ends on SIGTERM or SIGINT\n"
        "       linemqd --check FILE       check a configuration and say what is wrong with it\n"
        "       linemqd --print [FILE]     print the configuration in force, defaults included\n"
        "       linemqd --reference        print the reference of all configuration keys\n"
        "       linemqd --version | --help\n"
        "\n"
        "The first three take --set KEY=VALUE, as often as wanted: it changes one value of what\n"
        "the file says, and is written as it would stand there. For example:\n"
        "--set workers.count=4 --set ports[0].device=lq1 --set 'mqtt.refuse_subscriptions=[a, b]'\n"
        "\n"
        "Without --config everything has its default: a software NIC (TAP) named linemq0 that\n"
        "answers on 10.88.0.2, MQTT on port 1883. SIGHUP reads password files again.\n"
        "Exit status: 0 ended as asked, 1 failed, 2 wrong usage.\n",
        out);
}

enum action { ACTION_RUN, ACTION_CHECK, ACTION_PRINT, ACTION_REFERENCE };

/* What the command line says. */
struct request {
    enum action action;
    const char *path;
    const char **overrides; /* of --set */
    unsigned overrides_count;
};

static struct config *load(const struct request *request) {
    return config_load(request->path, request->overrides, request->overrides_count, stderr);
}

static int print_configuration(const struct request *request) {
    struct config *config = load(request);
    if (config == NULL)
        return EXIT_FAILED;
    bool print = request->action == ACTION_PRINT;
    bool good = print || auth_check_files(config, stderr);
    if (print)
        config_print(config, stdout);
    else if (good)
        printf("%s: good\n", request->path);
    config_free(config);
    return good ? 0 : EXIT_FAILED;
}

/* Waits for the signal that ends the process; renews the wall clock once a second. */
static void wait_for_end(struct supervisor *supervisor, const sigset_t *signals) {
    const struct timespec second = {.tv_sec = 1};
    for (;;) {
        siginfo_t info;
        int signal = sigtimedwait(signals, &info, &second);
        if (signal == SIGTERM || signal == SIGINT) {
            log_info("main", "stopping on %s", signal == SIGTERM ? "SIGTERM" : "SIGINT");
            return;
        }
        if (signal == SIGHUP)
            supervisor_reload(supervisor);
        supervisor_second(supervisor);
    }
}

static int run(const struct request *request) {
    struct config *config = load(request);
    if (config == NULL)
        return EXIT_FAILED;
    log_open(config->log.format, config->log.level);
    int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (own >= 0)
        log_to(own);

    /* Before any thread exists, so that all inherit it: only the main thread takes these. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    char error[512] = "";
    struct supervisor *supervisor = supervisor_start(config, error, sizeof error);
    if (supervisor == NULL) {
        bool stopped = error[0] == '\0';
        if (stopped)
            log_info("main", "stopped while starting");
        else
            log_error("main", "%s", error);
        config_free(config);
        return stopped ? 0 : EXIT_FAILED;
    }
    wait_for_end(supervisor, &signals);
    supervisor_stop(supervisor);
    config_free(config);
    return 0;
}

/* The exit status, or -1 to go on. */
static int parse(int argc, char **argv, struct request *request) {
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
        {"check", required_argument, NULL, 'k'},  {"print", optional_argument, NULL, 'p'},
        {"reference", no_argument, NULL, 'r'},    {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            request->path = optarg;
            break;
        case 's':
            request->overrides[request->overrides_count++] = optarg;
            break;
        case 'k':
            request->action = ACTION_CHECK;
            request->path = optarg;
            break;
        case 'p':
            request->action = ACTION_PRINT;
            if (optarg != NULL)
                request->path = optarg;
            break;
        case 'r':
            request->action = ACTION_REFERENCE;
            break;
        case 'v':
            puts("linemqd " LINEMQ_VERSION);
            return 0;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return EXIT_USAGE;
        }
    }
    if (request->action == ACTION_PRINT && optind < argc)
        request->path = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, "linemqd: unexpected argument '%s'\n", argv[optind]);
        usage(stderr);
        return EXIT_USAGE;
    }
    return -1;
}

static int act(const struct request *request) {
    switch (request->action) {
    case ACTION_CHECK:
    case ACTION_PRINT:
        return print_configuration(request);
    case ACTION_REFERENCE:
        config_print_reference(stdout);
        return 0;
    default:
        return run(request);
    }
}

/* Whoever closed standard input, output or error would otherwise find what is written to them in a
 * socket or an interface that got their number. */
static void standard_descriptors_open(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv) {
    standard_descriptors_open();
    struct request request = {.overrides = calloc((size_t)argc, sizeof *request.overrides)};
    if (request.overrides == NULL) {
        fputs("linemqd: no memory\n", stderr);
        return EXIT_FAILED;
    }
    int status = parse(argc, argv, &request);
    if (status < 0)
        status = act(&request);
    free(request.overrides);
    bool written = fflush(stdout) == 0;
    if (written && ferror(stdout) == 0)
        return status;
    fputs("linemqd: standard output could not be written\n", stderr);
    return status == 0 ? EXIT_FAILED : status;
}
