#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that come and go in waves."""

import os

import broker
import footprint
from broker import ADDRESS, options, run


class Reconnects(broker.Case):
    def test_a_fleet_that_comes_and_goes_leaves_no_memory_behind(self):
        """The third wave costs no more memory than the second left."""
        used = []
        for wave in range(3):
            run(os.path.join(options.binaries, "tests/system/fleet"), "--host", ADDRESS,
                "--clients", "400", "--messages", "3", "--prefix", "waves", timeout=120)
            broker.wait_for("the clients to be gone", lambda: self.broker.json("status")
                            ["clients"]["connected"] == 0)
            broker.wait_for("their connections to be gone", lambda: self.broker.json("status")
                            ["connections"] == 0, seconds=90)
            footprint.settled(self.broker)
            used.append(self.broker.json("status")["memory"]["arenas_used"])
        print(used)
        self.assertLessEqual(used[2], used[1] * 1.02)


if __name__ == "__main__":
    broker.main()
