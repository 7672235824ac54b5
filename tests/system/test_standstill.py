#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A broker that was stopped, as with a machine that is suspended."""

import signal
import time
import unittest

import broker
import wire
from broker import ADDRESS


class Standstill(unittest.TestCase):
    STOPPED = 9  # seconds: longer than each time-out, and those longer than what may stay of it

    def test_a_broker_that_was_stopped_times_nobody_out_for_it(self):
        limits = {"mqtt": {"packet_timeout_ms": 7000, "connect_timeout_ms": 7000}}
        with broker.Broker(settings=limits) as running, wire.Wire(ADDRESS) as silent, \
                wire.Wire(ADDRESS) as subscriber, wire.Wire(ADDRESS) as half, wire.Wire(ADDRESS) as late:
            silent.connect("silent", keep_alive=4)
            subscriber.connect("subscriber", keep_alive=4)
            subscriber.subscribe(("t", 0), ("u", 0))
            half.connect("half", keep_alive=60)
            message, connect = wire.publish("t", b"whole"), wire.connect("late")
            half.send(message[:5])
            late.send(connect[:5])
            silent.ping()
            subscriber.ping()
            running.process.send_signal(signal.SIGSTOP)
            silent.send(wire.publish("u", b"meanwhile"))
            time.sleep(self.STOPPED)
            running.process.send_signal(signal.SIGCONT)
            self.assertIn(b"meanwhile", subscriber.receive(wire.PUBLISH).body)
            silent.ping()
            half.send(message[5:])
            self.assertIn(b"whole", subscriber.receive(wire.PUBLISH).body)
            late.send(connect[5:])
            late.receive(wire.CONNACK)
            for name in ("mqtt.keep_alive_timeout", "mqtt.packet_timeout", "mqtt.connect_timeout"):
                self.assertEqual(running.counter(name), 0)
            broker.wait_for("a word about it", lambda: "stood still" in running.log())
            # And time goes on: who stays silent now goes.
            self.assertTrue(silent.closed())


if __name__ == "__main__":
    broker.main()
