#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an idle device costs."""

import unittest

import broker
import footprint


class Footprint(unittest.TestCase):
    """Counted bytes, not the resident set, which depends on the machine. With so few devices the
    spans that a thread has begun to fill weigh more than with many."""
    DEVICES = 15000

    def cost(self, persistent):
        costs = footprint.cost(self.DEVICES, 1, persistent)
        footprint.print_costs(costs)
        return costs["sum"]

    def test_an_idle_device_costs_at_most_512_bytes(self):
        self.assertLessEqual(self.cost(persistent=False), 512)

    def test_with_a_persistent_session_it_costs_at_most_640(self):
        self.assertLessEqual(self.cost(persistent=True), 640)


if __name__ == "__main__":
    broker.main()
