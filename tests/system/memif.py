# SPDX-License-Identifier: Apache-2.0
"""linemqd on memif, and the load generator at the other end of it; for system tests and the bench.

The broker ends before its generator: DPDK 22.11's memif may crash the one whose peer leaves first.
"""

import contextlib
import json
import os
import subprocess

import broker


class MemifBroker(broker.Broker):
    """linemqd with a memif port in its directory."""

    def __init__(self, workers=None, settings=None):
        super().__init__(workers=workers, settings=settings, interface="none", ready=False)
        self.memif = os.path.join(self.directory, "memif.sock")
        self.settings["ports"] = [{"kind": "memif", "device": self.memif,
                                   "address": f"{broker.ADDRESS}/24"}]
        self.load_log = os.path.join(self.directory, "loadgen.log")
        self.generators = []
        self.start()

    def start(self):
        self.spawn()
        broker.wait_for("the broker's sockets", lambda: self.alive() and
                        os.path.exists(self.socket) and os.path.exists(self.memif))
        return self

    def ended(self):
        for generator in self.generators:
            generator.communicate("")
            assert generator.returncode in (0, 1), f"the generator ended with {generator.returncode}"
        with contextlib.suppress(FileNotFoundError), open(self.load_log) as errors:
            log = errors.read()
            assert "Sanitizer" not in log and "runtime error:" not in log, log

    def load(self, scenario=None, *settings, cpu=None):
        """Runs a scenario to its end and returns its result. One run a broker."""
        command = [os.path.join(broker.options.binaries, "loadgen"), "--linger", "--quiet",
                   "--json", "-", "--ctl", self.socket, "--set", f"port.device={self.memif}",
                   "--set", f"port.queues={self.workers}"]
        # A CPU of its own is polled without a pause.
        command += ["--set", f"port.cpu={cpu}" if cpu is not None else "port.nap_us=50"]
        for setting in settings:
            command += ["--set", setting]
        if scenario is not None:
            command.append(scenario)
        with open(self.load_log, "w") as errors:
            generator = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=errors, text=True,
                                         preexec_fn=broker.die_with_parent)
        self.generators.append(generator)
        lines = []
        for line in generator.stdout:
            lines.append(line)
            if line == "}\n":
                return json.loads("".join(lines))
        generator.wait(broker.PATIENCE)
        with open(self.load_log) as errors:
            raise AssertionError(f"the generator ended with {generator.returncode}:\n"
                                 f"{errors.read()}")
