#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks while others work: floods, injection by a stranger, packets that never end. Nothing here
depends on how long it takes; bench/ has the figures."""

import json
import os
import subprocess
import unittest

import broker
import wire
from broker import ADDRESS, HOST, PORT, options, run

WORKING = 50 if options.slow else min(options.clients, 1000)
FLOOD = 20000 if options.slow else 200000  # frames a second at most
# Half packets of one process, as many as its descriptors and one address's ports allow, and processes.
HALVES = 2000 if options.slow else 15000
SOURCES = 7 if options.clients >= 5000 else 1


class Attack(broker.Case):
    # Half packets are to stay.
    settings = {"mqtt": {"connect_timeout_ms": 300000, "packet_timeout_ms": 300000}}

    def attack(self, what, *arguments):
        process = subprocess.Popen(
            [os.path.join(options.binaries, "tests/system/attack"), "--interface",
             self.broker.interface, "--host", ADDRESS, "--mac",
             self.broker.json("port", "list")[0]["mac"], *arguments, what],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=broker.die_with_parent)
        self.addCleanup(process.kill)
        return process

    def end(self, process):
        """Its report, when it has ended."""
        output, _ = process.communicate(timeout=broker.PATIENCE * 3)
        print(output.strip())
        self.assertEqual(process.returncode, 0)
        return json.loads(output.strip().splitlines()[-1])

    def memory(self):
        return self.broker.json("status")["memory"]["arenas_used"]

    def counters_grown(self, before):
        return {name: count - before.get(name, 0)
                for name, count in self.broker.counters().items() if count != before.get(name, 0)}

    def fleet(self, prefix):
        return run(os.path.join(options.binaries, "tests/system/fleet"), "--host", ADDRESS,
                   "--clients", str(WORKING), "--messages", "20", "--window", "4", "--timeout",
                   "120", "--prefix", prefix, check=False, timeout=240)

    def test_clients_work_while_syns_of_invented_addresses_flood_in(self):
        # What that many clients need is there already when the flood begins.
        self.assertEqual(self.fleet("before").returncode, 0)
        broker.wait_for("the clients to be gone",
                        lambda: self.broker.json("status")["connections"] == 0, seconds=90)
        before, memory = self.broker.counters(), self.memory()
        flood = self.attack("syn", "--rate", str(FLOOD))
        broker.wait_for("the flood to arrive", lambda: self.broker.counter("tcp.syns") >
                        before["tcp.syns"] + 1000)
        during = self.fleet("during")
        sent = self.end(flood)["sent"]
        self.assertEqual(during.returncode, 0, during.stdout + during.stderr)
        self.assertEqual(json.loads(during.stdout.splitlines()[-1])["delivered"], WORKING * 20)
        grown = self.counters_grown(before)
        self.assertGreater(grown["tcp.syns"] + grown.get("tcp.drop_syns", 0), 1000 + WORKING)
        self.assertLessEqual(grown["tcp.syns"], sent + 3 * WORKING)
        self.assertEqual(grown["tcp.accepted"], WORKING)
        broker.wait_for("the clients to be gone",
                        lambda: self.broker.json("status")["connections"] == 0, seconds=90)
        self.assertLessEqual(self.memory(), memory * 1.02 + (1 << 20))
        print({name: count for name, count in grown.items() if name.startswith("tcp.")})
        for row in self.broker.json("worker", "list"):
            print({key: row[key] for key in ("worker", "longest_turn_us", "pressure")})

    def test_guessed_numbers_harm_no_connection(self):
        connection = self.wire()
        connection.connect("victim")
        connection.subscribe(("victim/#", 1))
        before = self.broker.counters()
        source_port = connection.socket.getsockname()[1]
        self.end(self.attack("blind", "--source", HOST, "--source-port", str(source_port),
                             "--count", "2000" if options.slow else "50000",
                             "--rate", str(FLOOD // 4)))
        for i in range(10):
            connection.send(wire.publish("victim/x", str(i), 1, identifier=i + 1))
        payloads = []
        while len(payloads) < 10:
            packet = connection.receive()
            if packet.kind == wire.PUBLISH:
                payloads.append(packet.payload)
        self.assertEqual(payloads, [str(i).encode() for i in range(10)])

        def refused():
            grown = self.counters_grown(before)
            return grown if grown.get("tcp.drop_rst", 0) > 100 and \
                grown.get("tcp.drop_syn", 0) > 100 else None
        grown = broker.wait_for("the counters", refused)
        self.assertNotIn("tcp.resets_in", grown)
        self.assertGreater(grown["tcp.drop_challenge"], 100)

    def test_packets_that_never_end_stay_within_their_budget(self):
        """1 KiB each, all counted, and others come and go."""
        memory, halves = self.memory(), []
        for i in range(SOURCES):
            run("ip", "address", "add", f"10.88.0.{16 + i}/24", "dev", self.broker.interface)
            halves.append(self.attack("half", "--source", f"10.88.0.{16 + i}", "--count",
                                      str(HALVES)))
            self.assertEqual(halves[i].stdout.readline(), f"ready {HALVES}\n")
        count = HALVES * SOURCES
        broker.wait_for("all of them", lambda: self.broker.json("status")["connections"] >= count)
        each = (self.memory() - memory) / count
        print(f"{each:.0f} bytes for each of {count} half packets")
        self.assertLess(each, 1024)
        with self.client("in-between") as client:
            client.subscribe(("between/#", 1))
            client.publish("between/x", b"well", 1)
            self.assertEqual(client.payloads(), ["well"])
        for process in halves:
            self.end(process)
        broker.wait_for("them to be gone", lambda: self.broker.json("status")["connections"] == 0,
                        seconds=120)


if __name__ == "__main__":
    broker.main()
