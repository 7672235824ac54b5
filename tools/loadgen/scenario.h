/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario: what a run does. YAML with sections and keys in them, read along one table that also
 * prints the reference; every value has a default and bounds, a mistake is named with its line.
 *
 * The fleet is made of equal groups. Each has publishers and subscribers, which are devices with
 * connections of their own; what a publisher of a group sends goes to all subscribers of the group:
 *
 *   pairs     groups: 50, publishers: 1,   subscribers: 1
 *   fan-in    groups: 1,  publishers: 200, subscribers: 1
 *   fan-out   groups: 1,  publishers: 1,   subscribers: 500
 *   idle      groups: N,  publishers: 0,   subscribers: 1
 *
 * Thread: read by the main thread before the run; then constant.
 */
#ifndef LINEMQ_LOADGEN_SCENARIO_H
#define LINEMQ_LOADGEN_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct scenario {
    char *name;
    struct {
        char *kind, *device, *options, *cpu, *mac, *eal;
        uint64_t queues, queue_size, mtu, packet_memory_mib, nap_us;
        bool hugepages;
    } port;
    struct {
        char *broker, *broker_mac, *address;
        uint64_t port, first_port, ports_per_address;
        double loss_to_broker, loss_from_broker; /* percent */
        uint64_t seed;
    } network;
    struct {
        uint64_t window, mss, rto_ms, retries, ack_segments;
        bool timestamps;
    } tcp;
    struct {
        uint64_t groups, publishers, subscribers, topics, keep_alive;
        char *client_id, *username, *password;
    } fleet;
    struct {
        double rate; /* a second; 0: as fast as the broker answers */
        uint64_t at_once, timeout;
    } connect;
    struct {
        char *topic, *filter;
        uint64_t qos, subscribe_qos, payload, per_segment, window, at_once, messages;
        double rate; /* publishes a second of the whole fleet; 0: the window's pace */
        double commands_percent;
        char *command_topic;
        uint64_t command_qos;
    } publish;
    struct {
        double warmup, duration, drain, settle; /* seconds */
        bool disconnect;
    } run;
    struct {
        double loss; /* percent of deliveries */
        bool duplicates, misorder;
        uint64_t failed_connects;
    } allow;
};

/* Reads a file (NULL: all defaults), then the overrides `section.key=VALUE`. NULL: mistakes, which
 * have been printed to `errors`. */
struct scenario *scenario_load(const char *path, const char *const *overrides, unsigned count,
                               FILE *errors);
void scenario_free(struct scenario *scenario);

/* All keys with defaults and meaning, for --help. */
void scenario_reference(FILE *out);

#endif
