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
parser.add_argument("--idle", type=int, default=10000)
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
    """Bytes by component."""
    memory = running.json("memory", "show")
    parts = {"resident set": memory["process"]["resident"],
             "heap (jemalloc)": memory["heap"]["allocated"],
             "routes between threads": memory["routes"]["bytes"]}
    names = {"flow_bytes": "flow table", "connection_bytes": "TCP connection",
             "extension_bytes": "TCP, data in flight", "session_bytes": "MQTT session",
             "send_queue_bytes": "send queues", "router_bytes": "subscriptions and topic tables"}
    for key, name in names.items():
        parts[name] = sum(worker[key] for worker in memory["workers"])
    parts["workers' arenas, all"] = sum(worker["arena_used"] for worker in memory["workers"])
    parts["client directory (control shards)"] = sum(shard["used"] for shard in memory["shards"])
    return parts


def idle():
    count = options.idle // (10 if options.quick else 1)
    with broker.Broker(workers=1) as running:
        before = footprint(running)
        devices = subprocess.Popen(
            [FLEET, "--host", broker.ADDRESS, "--clients", str(count), "--qos-subscribe", "1",
             "--prefix", "device", "--hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, preexec_fn=broker.die_with_parent)
        ready = devices.stdout.readline()
        if ready != f"ready {count}\n":
            raise SystemExit(f"only some of {count} devices could connect: {ready!r}")
        broker.wait_for("nothing to be in flight", lambda: sum(
            w["extension_bytes"] for w in running.json("memory", "show")["workers"]) == 0)
        after = footprint(running)
        devices.communicate("")
    for name, value in after.items():
        row("idle", name, (value - before[name]) / count, "bytes/device",
            f"{count} devices, one subscription each" if name == "resident set" else "")


{"end-to-end": end_to_end, "idle": idle}[options.part]()
