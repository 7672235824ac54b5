# SPDX-License-Identifier: Apache-2.0
"""A broker behind a wire that loses and delays frames (lossy.c)."""

import contextlib
import json
import os
import signal
import subprocess

import broker
from broker import HOST, HOST6, options, run


class LossyBroker(broker.Broker):
    """Between its interface and this side's `lossy0` there is lossy.c with these arguments."""

    def __init__(self, *wire, **others):
        self.wire = wire
        super().__init__(**others)

    def prepare_interface(self):
        with contextlib.suppress(OSError), \
                open(f"/proc/sys/net/ipv6/conf/{self.interface}/disable_ipv6", "w") as switch:
            switch.write("1")
        run("ip", "link", "set", "dev", self.interface, "arp", "off", "up")
        self.start_wire("--inner", self.interface)

    def start_wire(self, *inner):
        self.lossy = subprocess.Popen(
            [os.path.join(options.binaries, "tests/system/lossy"), "--outer", "lossy0", *inner,
             *self.wire], stdout=subprocess.PIPE, text=True,
            preexec_fn=broker.die_with_parent)
        broker.wait_for("lossy0", lambda: run("ip", "link", "show", "dev", "lossy0",
                                              check=False).returncode == 0)
        run("ip", "link", "set", "dev", "lossy0", "up")
        run("ip", "address", "add", f"{HOST}/24", "dev", "lossy0")
        run("ip", "address", "add", f"{HOST6}/64", "dev", "lossy0", "nodad", check=False)

    def report(self):
        self.lossy.send_signal(signal.SIGTERM)
        output, _ = self.lossy.communicate(timeout=10)
        return json.loads(output)

    def stop(self, expect=0):
        self.lossy.kill()
        self.lossy.communicate()
        return super().stop(expect)
