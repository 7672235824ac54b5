/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/micro/shim.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

/* Short, because there are many; --benchmark_min_time on the command line comes later and wins. */
static char default_min_time[] = "--benchmark_min_time=0.1";

static benchmark::State &state_of(bench_run *run) {
    return *reinterpret_cast<benchmark::State *>(run);
}

static benchmark::internal::Benchmark *add(const char *name, bench_function function,
                                           int64_t argument) {
    auto call = [=](benchmark::State &state) {
        function(reinterpret_cast<bench_run *>(&state), argument);
    };
    std::string full = name;
    if (argument >= 0)
        full += "/" + std::to_string(argument);
    return benchmark::RegisterBenchmark(full.c_str(), call);
}

void bench_add(const char *name, bench_function function, int64_t argument) {
    add(name, function, argument);
}

void bench_add_threaded(const char *name, bench_function function, int64_t argument) {
    add(name, function, argument)->UseRealTime();
}

bool bench_running(bench_run *run, int64_t operations) {
    return state_of(run).KeepRunningBatch(operations);
}

void bench_clock(bench_run *run, bool on) {
    if (on)
        state_of(run).ResumeTiming();
    else
        state_of(run).PauseTiming();
}

void bench_figure(bench_run *run, const char *name, double value) {
    state_of(run).counters[name] = value;
}

void bench_failed(bench_run *run, const char *why) {
    state_of(run).SkipWithError(why);
}

int bench_main(int argc, char **argv) {
    std::vector<char *> arguments(argv, argv + argc);
    arguments.insert(arguments.begin() + 1, default_min_time);
    int count = static_cast<int>(arguments.size());
    arguments.push_back(nullptr);
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data()))
        return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
