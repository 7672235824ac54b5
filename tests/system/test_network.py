#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The broker as a station on the network: what lies under MQTT."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import unittest

import broker
import wire
from broker import ADDRESS, ADDRESS6, HOST, HOST6, options, run


class Station(broker.Case):
    def test_it_answers_ping(self):
        for address, sizes in ((ADDRESS, (56, 1400)), (ADDRESS6, (56, 1400))):
            for size in sizes:
                with self.subTest(address=address, size=size):
                    found = run("ping", "-n", "-c", "3", "-i", "0.1", "-W", "5", "-s", str(size), address)
                    self.assertIn("3 received", found.stdout)

    def test_it_answers_arp_and_neighbour_solicitations_again(self):
        for address in (ADDRESS, ADDRESS6):
            run("ip", "neighbour", "flush", "dev", self.broker.interface)
            run("ping", "-n", "-c", "1", "-W", "5", address)
            found = run("ip", "neighbour", "show", address).stdout
            self.assertIn("lladdr", found)

    def test_a_closed_port_refuses_at_once(self):
        for family, address in ((socket.AF_INET, ADDRESS), (socket.AF_INET6, ADDRESS6)):
            with self.subTest(address=address), socket.socket(family) as connection:
                connection.settimeout(10)
                self.assertRaises(ConnectionRefusedError, connection.connect, (address, 1884))

    def test_a_connection_that_says_nothing_costs_no_other_anything(self):
        """A completed handshake alone is not yet a connection inside."""
        silent = [self.wire() for _ in range(300)]
        client = self.wire()
        client.connect("speaks")
        client.ping()
        self.assertEqual(len(silent), 300)

    def test_orderly_and_abortive_close_are_seen(self):
        before = self.broker.json("status")["clients"]["connected"]
        for end in ("close", "abort"):
            connection = self.wire()
            connection.connect(f"ends-by-{end}")
            broker.wait_for("the client to be there",
                            lambda: self.broker.json("status")["clients"]["connected"] == before + 1)
            getattr(connection, end)()
            broker.wait_for("the client to be gone",
                            lambda: self.broker.json("status")["clients"]["connected"] == before)

    def test_a_half_closed_client_still_gets_its_answer(self):
        connection = self.wire()
        connection.send(wire.connect("half-closed"), wire.packet(wire.PINGREQ, 0))
        connection.socket.shutdown(socket.SHUT_WR)
        connection.receive(wire.CONNACK)
        connection.receive(wire.PINGRESP)
        self.assertTrue(connection.closed())


class LossyBroker(broker.Broker):
    """Between its interface and this side there is lossy.c, which drops frames both ways."""

    loss, seed = 1.0, 20240229

    def prepare_interface(self):
        with contextlib.suppress(OSError), \
                open(f"/proc/sys/net/ipv6/conf/{self.interface}/disable_ipv6", "w") as switch:
            switch.write("1")
        run("ip", "link", "set", "dev", self.interface, "arp", "off", "up")
        self.lossy = subprocess.Popen(
            [os.path.join(options.binaries, "tests/system/lossy"), "--outer", "lossy0", "--inner",
             self.interface, "--loss", str(self.loss), "--seed", str(self.seed)],
            stdout=subprocess.PIPE, text=True, preexec_fn=broker.die_with_parent)
        broker.wait_for("lossy0", lambda: run("ip", "link", "show", "dev", "lossy0",
                                              check=False).returncode == 0)
        run("ip", "link", "set", "dev", "lossy0", "up")
        run("ip", "address", "add", f"{HOST}/24", "dev", "lossy0")
        run("ip", "address", "add", f"{HOST6}/64", "dev", "lossy0", "nodad")

    def report(self):
        self.lossy.send_signal(signal.SIGTERM)
        output, _ = self.lossy.communicate(timeout=10)
        return json.loads(output)

    def stop(self, expect=0):
        self.lossy.kill()
        self.lossy.communicate()
        return super().stop(expect)


class Loss(unittest.TestCase):
    def test_nothing_is_lost_over_a_wire_that_loses_one_frame_in_a_hundred_both_ways(self):
        with LossyBroker() as lossy:
            messages = 100 if options.slow else 300
            for qos in (1, 2):
                result = json.loads(run(
                    os.path.join(options.binaries, "tests/system/fleet"), "--host", ADDRESS,
                    "--clients", "50", "--messages", str(messages), "--qos-publish", str(qos),
                    "--qos-subscribe", str(qos), "--payload", "700", "--prefix", f"lossy{qos}",
                    "--timeout", "90", timeout=200).stdout.splitlines()[-1])
                self.assertEqual(result["delivered"], 50 * messages)
            large = wire.Wire(ADDRESS, timeout=90)
            large.connect("large")
            large.subscribe(("large", 1))
            payload = bytes(i * 7 % 251 for i in range(400000))
            large.send(wire.publish("large", payload, 1))
            found = {packet.kind: packet for packet in (large.receive(), large.receive())}
            self.assertEqual(set(found), {wire.PUBACK, wire.PUBLISH})
            self.assertTrue(found[wire.PUBLISH].payload == payload)
            large.close()
            report = lossy.report()
            for direction in report.values():
                share = direction["dropped"] / (direction["dropped"] + direction["carried"])
                self.assertGreater(share, 0.005, report)
            counters = lossy.counters()
            print({name: counters[name] for name in counters if "retrans" in name}, report)


if __name__ == "__main__":
    broker.main()
