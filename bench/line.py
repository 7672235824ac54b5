# SPDX-License-Identifier: Apache-2.0
"""What a worker costs a message: linemqd on memif, its worker alone on one CPU, tools/loadgen on
another; rows for table.py. Counted is the worker's own busy time, so that neither polling in vain
nor other processes on the machine stand in the figures."""

import argparse
import contextlib
import json
import os
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(root, "tests/system"))
parser = argparse.ArgumentParser()
parser.add_argument("--binaries", required=True)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--devices", type=int, default=100000)
parser.add_argument("--results")
parser.add_argument("part")
options = parser.parse_args()
sys.argv = [sys.argv[0], "--binaries", os.path.abspath(options.binaries)]

from memif import MemifBroker  # noqa: E402  (reads the command line)

# The broker takes 256 MiB, the generator 128.
HUGEPAGES, HUGEPAGES_WANTED = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", 208
SCENARIOS = (
    ("pairs", "pairs, QoS 0, 14 publishes a segment"),
    ("pairs-single", "pairs, QoS 0, one publish a segment"),
    ("fan-in", "200 publishers to one wildcard subscriber"),
    ("fan-out", "1 publisher to 500 subscribers"),
    ("pairs-qos1", "pairs, QoS 1, window 20"),
)


def row(what, value, unit, remark=""):
    print(json.dumps([options.part, what, value, unit, remark]), flush=True)


@contextlib.contextmanager
def hugepages():
    """Reserves them if the machine has memory in whole pieces, and gives them back."""
    def number(path):
        with open(path) as file:
            return int(file.read())

    def reserve(count):
        with open(HUGEPAGES, "w") as file:
            file.write(str(count))
    before, enough = 0, False
    try:
        before = number(HUGEPAGES)
        free = number(HUGEPAGES.replace("nr_", "free_"))
        if free < HUGEPAGES_WANTED:
            reserve(before + HUGEPAGES_WANTED - free)
        enough = number(HUGEPAGES.replace("nr_", "free_")) >= HUGEPAGES_WANTED
    except OSError:
        pass
    try:
        yield enough
    finally:
        with contextlib.suppress(OSError):
            if number(HUGEPAGES) != before:
                reserve(before)


def run(scenario, *settings, connections=100000, huge=True):
    """One scenario with a broker of its own. Another program may take the hugepages meanwhile; then
    both do without."""
    try:
        return attempt(scenario, settings, connections, huge)
    except AssertionError:
        if not huge:
            raise
        return attempt(scenario, settings, connections, False)


def attempt(scenario, settings, connections, huge):
    cpus = sorted(os.sched_getaffinity(0))
    memory = 1024 + connections // 1000
    with MemifBroker(workers=1, settings={
            "workers": {"count": 1, "idle": "spin", "cpus": str(cpus[0]), "memory_mib": memory,
                        "hugepages": huge},
            "control": {"memory_mib": memory, "sys_interval": 0},
            "tcp": {"connections": connections}}) as running:
        running.seconds_to_end = 20  # with millions of connections to let go
        result = running.load(os.path.join(root, "tools/loadgen/scenarios", scenario + ".yaml"),
                              *settings, f"port.hugepages={str(huge).lower()}", cpu=cpus[-1])
        result["hugepages"] = "ordinary memory" not in running.log()
        result["longest_turn_us"] = running.json("worker", "list")[0]["longest_turn_us"]
    if options.results:
        with open(options.results, "a") as out:
            print(json.dumps(result), file=out)
    return result


def fault(result):
    """What was wrong, and what the broker dropped, which is slow though nothing is missing."""
    drops = {}
    for phase in ("connecting", "measuring"):
        drops.update((result["broker"].get(phase) or {}).get("drops", {}))
    return "".join("; NOT AS IT SHOULD BE: " + what for what in result["faults"]) + \
        "".join(f"; dropped: {name} {count:,}" for name, count in drops.items())


def line():
    duration = 1 if options.quick else 5
    with hugepages() as huge:
        for scenario, what in SCENARIOS:
            result = run(scenario, f"run.duration={duration}", "run.warmup=0.5", huge=huge)
            memory = "hugepages" if result["hugepages"] else "without hugepages"
            broker, own, messages = (result["broker"]["measuring"], result["generator"],
                                     result["messages"])
            row(what, broker["messages_per_busy_second"], "messages/s",
                f"of the worker's busy time, {memory}{fault(result)}")
            row(what, broker["cycles_each"], "cycles",
                f"generator {own['cycles_per_message']:.0f}; {messages['delivered_per_second']:,.0f}"
                f" delivered/s, p50 {messages['latency']['p50_us']:,.0f} us, p99 "
                f"{messages['latency']['p99_us']:,.0f} us, generator busy "
                f"{own['busy_percent']:.0f} %")
        result = run("connects", f"fleet.groups={5000 if options.quick else 50000}", huge=huge)
        broker = result["broker"]["connecting"]
        every = broker["connects"] / (broker["connects"] / broker["connects_per_busy_second"] +
                                      broker["other_cpu_us"] / 1e6)
        row("connects, anonymous", broker["connects_per_busy_second"], "connects/s",
            f"of the worker's busy time{fault(result)}")
        row("connects, anonymous", every, "connects/s",
            f"of all threads' CPU time; {result['connects']['per_second']:,.0f}/s by the clock")


def scale():
    """Devices with one subscription each, which ping."""
    count = options.devices // (10 if options.quick else 1)
    result = run("idle", f"fleet.groups={count}", "run.duration=5", "fleet.keep_alive=30",
                 "connect.at_once=4096", connections=count)
    memory, connects = result["broker"]["memory"], result["connects"]
    workers, shards = memory["workers"], memory["shards"]
    parts = (
        ("worker: connections, sessions, topic tables", sum(w["arena_used"] for w in workers)),
        ("worker: flow table", sum(w["flow_bytes"] for w in workers)),
        ("routes between threads", memory["routes"]["bytes"]),
        ("control shard: client directory", sum(s["used"] for s in shards)),
    )
    for what, size in parts:
        row(what, size / count, "bytes/device")
    row("sum", sum(size for _, size in parts) / count, "bytes/device",
        f"{count:,} devices with one subscription each, keep-alive running{fault(result)}")
    row("resident set of the broker", memory["process"]["resident"] / count, "bytes/device",
        "with packet buffers and code")
    row("connects with one subscription",
        result["broker"]["connecting"]["connects_per_busy_second"], "connects/s",
        f"of the worker's busy time; {connects['per_second']:,.0f}/s by the clock")
    row("longest turn of the worker", result["longest_turn_us"], "us",
        "without turns in which the kernel ran something else on its CPU")
    row("pings answered", connects["pongs"], "",
        f"of {connects['pings']:,}; {connects['unanswered_pings']} never")


def crowd():
    """What a message costs when each goes through another connection, for fleets of two sizes."""
    costs = []
    for count in (10000, max(options.devices // (10 if options.quick else 1), 10000)):
        result = run("crowd", f"fleet.groups={count // 2}", connections=count)
        broker = result["broker"]["measuring"]
        costs.append(broker["cycles_each"])
        row(f"message, {count:,} connections", costs[-1], "cycles",
            f"delivered {result['messages']['delivered_per_second']:,.0f}/s, generator "
            f"{result['generator']['cycles_per_message']:.0f}{fault(result)}")
    row("the larger fleet against the smaller", costs[1] / costs[0], "times")


{"line": line, "scale": scale, "crowd": crowd}[options.part]()
