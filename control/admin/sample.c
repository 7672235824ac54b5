/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/sample.h"

#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <uv.h>

/* Gauges are structs of uint64_t that their owner stores one by one. */
static void copy_gauges(void *to, const void *from, size_t size) {
    uint64_t *out = to;
    const uint64_t *in = from;
    for (size_t i = 0; i < size / sizeof *out; i++)
        out[i] = __atomic_load_n(&in[i], __ATOMIC_RELAXED);
}

static void sample_ports(const struct registry *registry, struct sample *sample) {
    for (unsigned i = 0; i < registry->ports_count && i < SAMPLE_PORTS; i++) {
        struct rte_eth_stats stats;
        sample->ports[i].valid = rte_eth_stats_get(registry->ports[i].id, &stats) == 0;
        if (!sample->ports[i].valid)
            continue;
        sample->ports[i].rx_packets = stats.ipackets;
        sample->ports[i].tx_packets = stats.opackets;
        sample->ports[i].rx_bytes = stats.ibytes;
        sample->ports[i].tx_bytes = stats.obytes;
        sample->ports[i].rx_missed = stats.imissed;
        sample->ports[i].rx_errors = stats.ierrors;
        sample->ports[i].rx_no_buffer = stats.rx_nombuf;
        sample->ports[i].tx_errors = stats.oerrors;
    }
}

void sample_take(const struct registry *registry, struct sample *sample) {
    memset(sample, 0, sizeof *sample);
    sample->nanoseconds = uv_hrtime();
    sample->cycles = rte_rdtsc();
    for (unsigned i = 0; i < registry->workers; i++)
        if (registry->worker[i] != NULL)
            copy_gauges(&sample->workers[i], worker_gauges(registry->worker[i]),
                        sizeof sample->workers[i]);
    for (unsigned i = 0; i < registry->shards; i++)
        if (registry->shard[i] != NULL)
            copy_gauges(&sample->shards[i], shard_gauges(registry->shard[i]),
                        sizeof sample->shards[i]);
    for (unsigned i = 0; i < COUNTERS; i++)
        sample->counters[i] = registry_counter(registry, (enum counter)i);
    sample_ports(registry, sample);
}

void samples_update(struct samples *samples, const struct registry *registry) {
    bool first = samples->first_nanoseconds == 0;
    samples->older = samples->newer;
    sample_take(registry, &samples->newer);
    if (!first)
        return;
    samples->older = samples->newer;
    samples->first_nanoseconds = samples->newer.nanoseconds;
    samples->first_cycles = samples->newer.cycles;
}

double samples_cycles_per_us(const struct samples *samples, const struct sample *now) {
    uint64_t nanoseconds = now->nanoseconds - samples->first_nanoseconds;
    if (nanoseconds == 0)
        return 1;
    return (double)(now->cycles - samples->first_cycles) * 1000 / (double)nanoseconds;
}

double sample_rate(uint64_t now, uint64_t then, const struct sample *a, const struct sample *b) {
    uint64_t nanoseconds = a->nanoseconds - b->nanoseconds;
    if (now <= then || nanoseconds == 0)
        return 0;
    return (double)(now - then) * 1e9 / (double)nanoseconds;
}
