#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The broker as a station on the network: what lies under MQTT."""

import json
import os
import socket
import time
import unittest

import broker
import wire
from broker import ADDRESS, ADDRESS6, HOST, Broker, options, run
from lossy import LossyBroker


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


def round_trip():
    with wire.Wire(ADDRESS) as connection:
        connection.connect("round-trip")
        connection.subscribe(("round/trip", 0))
        connection.send(wire.publish("round/trip", b"there and back"))
        return connection.receive(wire.PUBLISH).payload


class Queues(unittest.TestCase):
    def test_more_workers_than_a_port_has_queues_share_them(self):
        for workers in (5, 8 if options.slow else 30):
            with self.subTest(workers=workers), \
                    Broker(workers=workers, settings={"workers": {"memory_mib": 64}}):
                for _ in range(8):  # connections, of different workers
                    self.assertEqual(round_trip(), b"there and back")


class PacketBroker(Broker):
    """On one end of a veth pair, through packet sockets; this side is the other end."""

    def __init__(self, **options_):
        super().__init__(ready=False, interface="none")
        self.settings["ports"][0].update({"kind": "af_packet", "device": "lqwire0"})

    def start(self):
        run("ip", "link", "add", "lqwire0", "type", "veth", "peer", "lqwire1")
        run("ip", "link", "set", "lqwire0", "up")
        run("ip", "link", "set", "lqwire1", "up")
        run("ip", "address", "add", f"{HOST}/24", "dev", "lqwire1")
        self.spawn()
        broker.wait_for("an answer to CONNECT", self.answers)
        return self

    def stop(self, expect=0):
        super().stop(expect)
        run("ip", "link", "delete", "lqwire0")


class Interface(unittest.TestCase):
    def test_a_second_broker_on_an_interface_is_refused_and_the_first_goes_on(self):
        with PacketBroker().start() as first:
            for kind in ("af_packet", "af_xdp"):
                with self.subTest(kind=kind):
                    second = PacketBroker()
                    second.settings["ports"][0].update(
                        {"kind": kind, "address": "10.88.0.3/24", "address6": "fd88::3/64"})
                    second.spawn()
                    self.assertEqual(second.process.wait(broker.PATIENCE), 1)
                    self.assertIn("port lqwire0: another LineMQ runs on this interface",
                                  second.log())
                    second.kill()
                    self.assertTrue(first.answers())

    def test_a_link_going_and_coming_is_logged_and_addresses_are_announced_again(self):
        address = socket.inet_aton(ADDRESS)
        with PacketBroker().start() as running:
            run("ip", "link", "set", "lqwire1", "down")
            broker.wait_for("link down", lambda: "port lqwire0: link down" in running.log())
            run("ip", "link", "set", "lqwire1", "up")
            with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as arp:
                arp.settimeout(broker.PATIENCE)
                arp.bind(("lqwire1", 0x0806))
                while True:
                    frame = arp.recv(2048)
                    if (frame[14:18], frame[24:28]) == (address, address):
                        break
            broker.wait_for("link up", lambda: "port lqwire0: link up" in running.log())
            self.assertEqual(running.log().count("link down"), 1)

    def test_an_interface_that_is_deleted_is_logged_and_keeps_no_worker_busy(self):
        def turns():
            return sum(row["turns"] for row in running.json("worker", "list"))

        def rests():
            before, began = turns(), time.monotonic()
            broker.wait_for("a fifth of a second", lambda: time.monotonic() > began + 0.2)
            return (turns() - before) / (time.monotonic() - began) < 5000 * running.workers
        with Broker() as running:
            run("ip", "link", "delete", running.interface)
            broker.wait_for("a warning", lambda: f"port {running.interface}: link down" in
                            running.log())
            # Not at once: frames on their way out are tried for a while.
            broker.wait_for("workers at rest", rests)


class Loss(unittest.TestCase):
    def test_nothing_is_lost_over_a_wire_that_loses_one_frame_in_a_hundred_both_ways(self):
        with LossyBroker("--loss", "1", "--seed", "20240229") as lossy:
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
