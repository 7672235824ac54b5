# SPDX-License-Identifier: Apache-2.0
"""End-to-end figures of linemqd over TAP, in a network namespace of its own; rows for table.py."""

import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/system"))
parser = argparse.ArgumentParser()
parser.add_argument("--binaries", required=True)
parser.add_argument("--idle", type=int)
parser.add_argument("--quick", action="store_true")
parser.add_argument("part")
options = parser.parse_args()
sys.argv = [sys.argv[0], "--binaries", os.path.abspath(options.binaries)]

import broker  # noqa: E402  (reads the command line)

FLEET = os.path.join(options.binaries, "tests/system/fleet")


def row(part, what, value, unit, remark=""):
    print(json.dumps([part, what, value, unit, remark]), flush=True)


def fleet(*words):
    return json.loads(broker.run(FLEET, "--host", broker.ADDRESS, *words,
                                 timeout=600).stdout.splitlines()[-1])


def end_to_end():
    """Pairs of clients, payload 64 bytes. The clients and the kernel's side of the wire share the
    machine's CPUs with the broker."""
    scale = 10 if options.quick else 1
    for workers in (1, 2):
        with broker.Broker(workers=workers):
            for qos in (0, 1, 2):
                clients, messages = 100, 4000 // scale // (1 + qos)
                result = fleet("--clients", str(clients), "--messages", str(messages),
                               "--qos-publish", str(qos), "--qos-subscribe", str(qos), "--window",
                               "32", "--payload", "64", "--prefix", f"rate{qos}")
                row("end-to-end", f"QoS {qos}, {workers} worker{'s'[:workers - 1]}, throughput",
                    result["rate"], "messages/s", f"{clients} clients, window 32, TAP")
            result = fleet("--clients", "2", "--messages", str(4000 // scale), "--window", "1",
                           "--prefix", "latency")
            for name in ("p50", "p99"):
                row("end-to-end", f"QoS 1, {workers} worker{'s'[:workers - 1]}, latency {name}",
                    result[f"{name}_us"], "us", "publisher to subscriber, one message at a time")


def footprint(running):
    """Bytes by component. The first ones are what the broker counts itself, and add up."""
    memory = running.json("memory", "show")

    def workers(key):
        return sum(worker[key] for worker in memory["workers"])

    return {
        "flow table": workers("flow_bytes"),
        "worker: TCP connection and MQTT session": workers("connection_bytes"),
        "worker: topic tables": workers("router_bytes"),
        "worker: the rest (names, filters, slack)":
            workers("arena_used") - workers("connection_bytes") - workers("router_bytes"),
        "routes between threads": memory["routes"]["bytes"],
        "control shard: client directory": sum(shard["used"] for shard in memory["shards"]),
        "heap of the control plane": memory["heap"]["allocated"],
    }, memory["process"]["resident"]


def settled(running):
    """The footprint once it has stopped changing: nothing is in flight any more."""
    last = [None]

    def still():
        now = footprint(running)
        same, last[0] = now[0] == last[0], now[0]
        return now if same else None
    return broker.wait_for("the memory to settle", still, seconds=60, pause=0.5)


def idle():
    """Opens devices in step with what a process may have open, each with one subscription."""
    count = options.idle or (5000 if options.quick else 50000)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as ports:
        ports.write("1024 65535")
    # The flow table is made for so many connections at start; the default would be for a million.
    settings = {"tcp": {"connections": count}, "control": {"sys_interval": 0}}
    with broker.Broker(workers=1, settings=settings) as running:
        before, resident_before = settled(running)
        bare_flows = before.pop("flow table")
        fleets, left = [], count
        while left > 0:
            part = min(left, 15000)
            fleets.append(subprocess.Popen(
                [FLEET, "--host", broker.ADDRESS, "--clients", str(part), "--qos-subscribe", "1",
                 "--prefix", f"device{len(fleets)}", "--hold"], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True, preexec_fn=broker.die_with_parent))
            if fleets[-1].stdout.readline() != f"ready {part}\n":
                raise SystemExit(f"{count - left} devices could connect, not {count}")
            left -= part
        after, resident = settled(running)
        flows = after.pop("flow table")
        for fleet_ in fleets:
            fleet_.communicate("")
    costs = {"flow table": flows / count} | {name: (value - before[name]) / count
                                             for name, value in after.items()}
    assert flows == bare_flows, "the flow table has grown"
    for name, cost in costs.items():
        row("idle", name, cost, "bytes/device")
    row("idle", "sum", sum(costs.values()), "bytes/device",
        f"{count} devices with one subscription each, 1 worker")
    row("idle", "resident set", (resident - resident_before) / count, "bytes/device",
        "with what the devices' packets touched for the first time")


def lost_before(interface):
    """Frames that found the queue towards the broker full."""
    stats = json.loads(broker.run("ip", "-json", "-statistics", "link", "show", "dev",
                                  interface).stdout)[0]["stats64"]
    return stats["tx"]["dropped"]


def attack():
    """A thousand working clients, alone and while SYNs of invented addresses flood in: at a rate, and
    as fast as a process can send them. All of it shares the machine's CPUs, and clients and flood the
    queue of the software NIC."""
    clients, messages = 1000, 40 if options.quick else 200
    with broker.Broker(workers=1) as running:
        def work(name):
            result = fleet("--clients", str(clients), "--messages", str(messages), "--window", "1",
                           "--timeout", "300", "--prefix", name.replace(" ", "-"))
            for part in ("p50", "p99"):
                row("attack", f"QoS 1 latency {part}, {name}", result[f"{part}_us"], "us",
                    f"{clients} clients, 1 worker, TAP")
        fleet("--clients", str(clients), "--messages", "5", "--prefix", "warm")
        work("alone")
        for name, rate in (("SYN flood of 50,000/s", 50000), ("SYN flood at full rate", 0)):
            before, lost = running.counters(), lost_before(running.interface)
            flood = subprocess.Popen(
                [os.path.join(options.binaries, "tests/system/attack"), "--interface",
                 running.interface, "--host", broker.ADDRESS, "--mac",
                 running.json("port", "list")[0]["mac"], "--rate", str(rate), "syn"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                preexec_fn=broker.die_with_parent)
            work(name)
            after = running.counters()
            sent = json.loads(flood.communicate("")[0])
            lost = lost_before(running.interface) - lost
            row("attack", f"{name}, sent", sent["per_second"], "frames/s",
                f"{after['tcp.syns'] - before['tcp.syns']} answered, {lost} lost before the broker")


{"end-to-end": end_to_end, "idle": idle, "attack": attack}[options.part]()
