# SPDX-License-Identifier: Apache-2.0
"""What connected devices cost, by component and in the resident set: for the system tests and for
bench/measure.py. A device has an identifier of 36 bytes and one exact subscription of 46."""

import json
import os
import subprocess

import broker

FLEET_MAX = 15000  # devices of one process: each has a socket


def components(running):
    """Bytes by component, which add up to what the broker holds, and its resident set. The heap's
    part is what jemalloc hands out, without the routes, which are counted for themselves."""
    memory = running.json("memory", "show")

    def workers(key):
        return sum(worker[key] for worker in memory["workers"])

    return {
        "worker: flow table": workers("flow_bytes"),
        "worker: TCP connection and MQTT session": workers("connection_bytes"),
        "worker: subscriptions, filters and topic tables": workers("router_bytes"),
        "worker: slack, and what else its arena holds":
            workers("arena_used") - workers("connection_bytes") - workers("router_bytes"),
        "routes between threads": memory["routes"]["bytes"],
        "control shard": sum(shard["used"] for shard in memory["shards"]),
        "heap of the control plane":
            (memory["heap"]["allocated"] or 0) - memory["routes"]["bytes"],
    }, memory["process"]["resident"]


def settled(running):
    """The components once they have stopped changing: nothing is in flight any more, and threads
    have given back what they keep in hand for a second."""
    last = [None]

    def still():
        now = components(running)
        same, last[0] = now[0] == last[0], now[0]
        return now if same else None
    return broker.wait_for("the memory to settle", still, seconds=60, pause=1.2)


def hold(count, persistent):
    """Opens so many devices, which say nothing more; they go with their standard input."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as ports:
        ports.write("1024 65535")
    fleets = []
    while count > 0:
        part = min(count, FLEET_MAX)
        fleets.append(subprocess.Popen(
            [os.path.join(broker.options.binaries, "tests/system/fleet"), "--host", broker.ADDRESS,
             "--clients", str(part), "--prefix", f"device{len(fleets)}", "--qos-subscribe", "1",
             "--id-length", "36", "--topic-length", "46", "--hold",
             *(["--persistent"] if persistent else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=broker.die_with_parent))
        if fleets[-1].stdout.readline() != f"ready {part}\n":
            raise AssertionError(f"{count} more devices could not connect")
        count -= part
    return fleets


def cost(count, workers, persistent):
    """Bytes that one of `count` devices costs, by component, with their sum and the resident set's
    growth. The broker has its own smallest memory for packets, all of which is used before: buffers
    are taken in turn, and what they take is no device's."""
    settings = {"tcp": {"connections": count}, "control": {"sys_interval": 0},
                "workers": {"packet_memory_mib": 64}}
    with broker.Broker(workers=workers, settings=settings) as running:
        broker.run(os.path.join(broker.options.binaries, "tests/system/fleet"), "--host",
                   broker.ADDRESS, "--clients", "40", "--messages", "1000", "--prefix", "warm",
                   timeout=120)
        before, resident_before = settled(running)
        # Made at start for so many connections, and of that size for ever.
        flows = before.pop("worker: flow table")
        fleets = hold(count, persistent)
        after, resident = settled(running)
        if after.pop("worker: flow table") != flows:
            raise AssertionError("the flow table has grown")
        for fleet in fleets:
            fleet.communicate("")
    costs = {"worker: flow table": flows / count} | {
        name: (value - before[name]) / count for name, value in after.items()}
    return costs | {"sum": sum(costs.values()),
                    "resident set": (resident - resident_before) / count}


def print_costs(costs):
    print(json.dumps({name: round(value, 1) for name, value in costs.items()}))
