#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a worker does not do: system calls, on a port that needs none."""

import json
import os
import signal
import subprocess
import unittest

import broker
from broker import ADDRESS, options, run


def worker_threads(process):
    """Its threads that run workers, by the kernel's number."""
    found = []
    for task in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{task}/comm") as name:
            if name.read().startswith("rte-worker"):
                found.append(task)
    return found


class MemifBroker(broker.Broker):
    """Its port is a memif; memif_wire.c connects that to an interface for the clients."""

    def __init__(self):
        super().__init__(ready=False)
        memif = os.path.join(self.directory, "memif.sock")
        self.settings["ports"] = [{"kind": "memif", "device": memif, "address": f"{ADDRESS}/24"}]
        self.settings["workers"]["idle"] = "spin"
        self.spawn()
        # memif's client connects once: only to a port that has been started.
        broker.wait_for("the port", lambda: self.alive() and self.ctl("status", check=False).returncode == 0)
        self.wire = subprocess.Popen(
            [os.path.join(options.binaries, "tests/system/memif_wire"), self.interface, memif],
            stdin=subprocess.DEVNULL, preexec_fn=broker.die_with_parent)
        broker.wait_for(self.interface, lambda: self.wire.poll() is None and
                        run("ip", "link", "show", "dev", self.interface, check=False).returncode == 0)
        self.prepare_interface()
        broker.wait_for("an answer to CONNECT", self.answers)

    def ended(self):
        """The wire goes after the broker: DPDK's memif driver takes a port's memory away when its peer
        goes, which a worker in the midst of a burst may not survive."""
        self.wire.kill()
        self.wire.wait(broker.PATIENCE)
        assert not os.path.exists(f"/run/dpdk/wire{self.wire.pid}"), "the wire left its directory"
        broker.wait_for("the wire's interface to go", lambda: run(
            "ip", "link", "show", "dev", self.interface, check=False).returncode != 0)


class RingBroker(broker.Broker):
    """Its port is a ring inside the process: nobody can send it a frame, but ctl reaches the workers."""

    def __init__(self):
        super().__init__(ready=False)
        self.settings["ports"] = [{"kind": "ring", "device": "ring0", "address": f"{ADDRESS}/24"}]
        self.settings["workers"]["idle"] = "spin"
        self.spawn()
        broker.wait_for("ctl", lambda: self.alive() and self.ctl("status", check=False).returncode == 0)


class SystemCalls(unittest.TestCase):
    def calls(self, running, work):
        """What the workers' threads ask of the kernel while work() runs."""
        threads = worker_threads(running.process)
        self.assertEqual(len(threads), running.workers)
        trace = os.path.join(running.directory, "trace")
        tracer = subprocess.Popen(["strace", "-o", trace] + [f"--attach={t}" for t in threads],
                                  stderr=subprocess.PIPE, text=True)
        for _ in threads:
            self.assertIn("attached", tracer.stderr.readline())
        work()
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=broker.PATIENCE)
        with open(trace) as lines:
            return [line for line in lines if "(" in line]

    def test_a_worker_that_spins_on_memif_makes_no_system_call_while_messages_flow(self):
        def work():
            result = json.loads(run(
                os.path.join(options.binaries, "tests/system/fleet"), "--host", ADDRESS, "--clients",
                "20", "--messages", "100", timeout=120).stdout.splitlines()[-1])
            self.assertEqual(result["delivered"], 2000)
        with MemifBroker() as running:
            before = running.counters()
            self.assertEqual(self.calls(running, work), [])
            after = running.counters()
            self.assertGreater(after["ether.rx_packets"], before["ether.rx_packets"])
            self.assertEqual(after["ether.tx_stuck"], before["ether.tx_stuck"])

    def test_a_worker_that_spins_on_a_ring_makes_no_system_call_while_ctl_asks_it(self):
        def turns():
            return [row["turns"] for row in running.json("worker", "list")]

        def work():
            before = turns()
            for i in range(20):
                running.ctl("publish", f"nobody/{i}", "--message", "x", "--qos", "1", "--retain")
                running.ctl("topic", "match", f"nobody/{i}")
                running.ctl("memory", "show")
            self.assertTrue(all(b > a + 100 for a, b in zip(before, turns())))
        with RingBroker() as running:
            self.assertEqual(self.calls(running, work), [])


if __name__ == "__main__":
    broker.main()
