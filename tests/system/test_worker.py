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
        broker.wait_for("the wire's interface to go", lambda: run(
            "ip", "link", "show", "dev", self.interface, check=False).returncode != 0)

    def worker_threads(self):
        """The threads of the process that run workers, by the kernel's number."""
        found = []
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/comm") as name:
                if name.read().startswith("rte-worker"):
                    found.append(task)
        return found


class SystemCalls(unittest.TestCase):
    def test_a_worker_that_spins_on_memif_makes_no_system_call_while_messages_flow(self):
        with MemifBroker() as running:
            threads = running.worker_threads()
            self.assertEqual(len(threads), running.workers)
            trace = os.path.join(running.directory, "trace")
            before = running.counters()
            tracer = subprocess.Popen(["strace", "-o", trace] + [f"--attach={t}" for t in threads],
                                      stderr=subprocess.PIPE, text=True)
            for _ in threads:
                self.assertIn("attached", tracer.stderr.readline())
            result = json.loads(run(
                os.path.join(options.binaries, "tests/system/fleet"), "--host", ADDRESS, "--clients",
                "20", "--messages", "100", timeout=120).stdout.splitlines()[-1])
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=broker.PATIENCE)
            self.assertEqual(result["delivered"], 2000)
            after = running.counters()
            self.assertGreater(after["ether.rx_packets"], before["ether.rx_packets"])
            self.assertEqual(after["ether.tx_stuck"], before["ether.tx_stuck"])
            with open(trace) as lines:
                calls = [line for line in lines if "(" in line]
            self.assertEqual(calls, [])


if __name__ == "__main__":
    broker.main()
