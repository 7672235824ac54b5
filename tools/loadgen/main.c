/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "tools/loadgen/run.h"

enum { SETTINGS_MAX = 64 };

struct options {
    const char *scenario, *json, *ctl;
    const char *settings[SETTINGS_MAX];
    unsigned settings_count;
    bool linger, quiet;
};

static volatile int interrupt;

static void interrupted(int signal) {
    interrupt = 1;
}

static void help(void) {
    printf(
        "Usage: loadgen [OPTION...] [SCENARIO]\n\n"
        "Drives a LineMQ broker with simulated devices over a port of its own, and checks all\n"
        "that comes back. SCENARIO is a YAML file; without one the defaults hold: one publisher\n"
        "and one subscriber over memif. Progress goes to standard error, a table to standard\n"
        "output.\n\n"
        "  --set SECTION.KEY=VALUE  changes one value of the scenario; may be repeated\n"
        "  --ctl SOCKET             the broker's ctl socket: its busy cycles, drops and memory\n"
        "                           stand in the result\n"
        "  --json FILE              writes the result as JSON; - is standard output\n"
        "  --linger                 stays, silent, until standard input ends: a memif broker\n"
        "                           should end first, DPDK 22.11 may crash it otherwise\n"
        "  --quiet                  no table\n"
        "  --help\n\n"
        "Exit status: 0 all went as the scenario allows, 1 not, 2 wrong usage.\n\n"
        "A scenario with all keys and their defaults:\n\n");
    scenario_reference(stdout);
}

static bool options_read(struct options *options, int argc, char **argv) {
    const struct option names[] = {
        {"set", required_argument, NULL, 's'},
        {"ctl", required_argument, NULL, 'c'},
        {"json", required_argument, NULL, 'j'},
        {"linger", no_argument, NULL, 'l'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    *options = (struct options){0};
    for (int option; (option = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        switch (option) {
        case 's':
            if (options->settings_count == SETTINGS_MAX)
                return false;
            options->settings[options->settings_count++] = optarg;
            break;
        case 'c':
            options->ctl = optarg;
            break;
        case 'j':
            options->json = optarg;
            break;
        case 'l':
            options->linger = true;
            break;
        case 'q':
            options->quiet = true;
            break;
        case 'h':
            help();
            exit(0);
        default:
            return false;
        }
    }
    if (optind < argc)
        options->scenario = argv[optind++];
    return optind == argc;
}

static bool result_write(const struct options *options, const json_t *report) {
    if (!options->quiet)
        report_table(report, stdout);
    if (options->json == NULL)
        return true;
    if (strcmp(options->json, "-") == 0) {
        json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        putchar('\n');
        return true;
    }
    if (json_dump_file(report, options->json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0)
        return true;
    fprintf(stderr, "loadgen: %s cannot be written\n", options->json);
    return false;
}

static void linger(void) {
    char byte;
    while (!interrupt && (read(STDIN_FILENO, &byte, 1) > 0 || errno == EINTR))
        ;
}

static int run_all(struct run *run, const struct options *options) {
    char error[512] = "";
    if (!nic_open(&run->nic, run->scenario, error, sizeof error)) {
        fprintf(stderr, "loadgen: %s\n", error);
        return 1;
    }
    run->hz = (double)rte_get_tsc_hz();
    struct devtcp_link link = nic_link(&run->nic);
    run->fleet =
        fleet_new(run->scenario, &link, run_nanoseconds(run, rte_rdtsc()), error, sizeof error);
    if (run->fleet == NULL) {
        fprintf(stderr, "loadgen: %s\n", error);
        nic_close(&run->nic);
        return 1;
    }
    run->nic.tcp = &run->fleet->tcp;
    bool good = false;
    unsigned lcore = rte_get_next_lcore(-1, 1, 0);
    if (rte_eal_remote_launch(run_loop, run, lcore) == 0) {
        run_watch(run, &interrupt);
        rte_eal_wait_lcore(lcore);
        json_t *report = report_json(run, &good);
        good = result_write(options, report) && good;
        fflush(stdout);
        json_decref(report);
    }
    if (options->linger)
        linger();
    for (unsigned i = 0; i < SAMPLES; i++)
        if (run->sampled[i])
            broker_sample_free(&run->sample[i]);
    json_decref(run->memory);
    fleet_free(run->fleet);
    nic_close(&run->nic);
    return good ? 0 : 1;
}

int main(int argc, char **argv) {
    struct options options;
    if (!options_read(&options, argc, argv)) {
        fprintf(stderr, "loadgen: --help explains the usage\n");
        return 2;
    }
    struct scenario *scenario =
        scenario_load(options.scenario, options.settings, options.settings_count, stderr);
    if (scenario == NULL)
        return 2;
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        scenario_free(scenario);
        return 1;
    }
    run->scenario = scenario;
    run->ctl = options.ctl;
    signal(SIGINT, interrupted);
    signal(SIGTERM, interrupted);
    int status = run_all(run, &options);
    free(run);
    scenario_free(scenario);
    return status;
}
