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
import footprint  # noqa: E402

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


def idle():
    """Devices with one subscription each, which say nothing more. The kernel's side of a TCP
    connection takes some kilobytes on the same machine, and one address has 64,512 ports."""
    count = options.idle or (5000 if options.quick else 50000)
    for persistent in (False, True):
        for workers in (1, 4):
            what = f"{'persistent' if persistent else 'clean'}, {workers} worker{'s'[:workers - 1]}"
            for name, cost in footprint.cost(count, workers, persistent).items():
                remark = {"sum": f"{count:,} devices, identifiers of 36 and topics of 46 bytes",
                          "resident set": "in pages of up to 2 MiB; below the sum where memory "
                                          "of the start is used again"}.get(name, "")
                row("idle", f"{what}: {name}", cost, "bytes/device", remark)


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
