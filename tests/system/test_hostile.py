#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Malformed, truncated, oversized and out-of-state input: it costs its own connection, with a named
counter, and nobody else anything."""

import itertools
import time
import unittest

import broker
import wire
from broker import options

CONNECT = wire.connect("hostile")


def raw(kind, flags, body):
    return wire.packet(kind, flags, body)


# What is sent as the first packet.
FIRST = {
    "packet type 0": b"\x00\x00",
    "packet type 15": b"\xf0\x00",
    "PUBLISH before CONNECT": wire.publish("a", "b"),
    "PINGREQ before CONNECT": b"\xc0\x00",
    "text of another protocol": b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n",
    "CONNECT with flags in its header": b"\x11" + CONNECT[1:],
    "CONNECT with the reserved flag": raw(1, 0, wire.text("MQTT") + b"\x04\x03\0\0" + wire.text("x")),
    "CONNECT of another protocol name": wire.connect("hostile", name="MQXX"),
    "CONNECT that ends in its client identifier": raw(1, 0, wire.text("MQTT") + b"\x04\x02\0\0\0\x09x"),
    "CONNECT with bytes left over": raw(1, 0, wire.text("MQTT") + b"\x04\x02\0\0" + wire.text("x") + b"y"),
    "CONNECT with will QoS 3": raw(1, 0, wire.text("MQTT") + b"\x04\x1e\0\0" + wire.text("x")
                                   + wire.text("t") + wire.text("m")),
    "CONNECT with will QoS and no will": raw(1, 0, wire.text("MQTT") + b"\x04\x0a\0\0" + wire.text("x")),
    "CONNECT with a password and no user": raw(1, 0, wire.text("MQTT") + b"\x04\x42\0\0" + wire.text("x")
                                               + wire.text("p")),
    "CONNECT with a client identifier that is not UTF-8": wire.connect(b"\xff\xfe"),
    "CONNECT with U+0000 in its client identifier": wire.connect("a\0b"),
    "CONNECT with a wildcard as will topic": wire.connect("hostile", will=("a/#", "m", 0, False)),
    "a length of five bytes": b"\x10\xff\xff\xff\xff\x7f",
}
# What is sent after a CONNECT that was accepted.
LATER = {
    "a second CONNECT": CONNECT,
    "CONNACK to the server": b"\x20\x02\0\0",
    "SUBACK to the server": b"\x90\x03\0\x01\0",
    "PINGRESP to the server": b"\xd0\x00",
    "PUBLISH at QoS 3": b"\x36" + wire.publish("t", "x", 1)[1:],
    "PUBLISH at QoS 0 with DUP": b"\x38" + wire.publish("t", "x")[1:],
    "PUBLISH to a filter with #": wire.publish("a/#", "x"),
    "PUBLISH to a filter with +": wire.publish("a/+/b", "x"),
    "PUBLISH to an empty topic": wire.publish("", "x"),
    "PUBLISH with packet identifier 0": wire.publish("t", "x", 1, identifier=0),
    "PUBLISH whose topic is longer than the packet": b"\x30\x04\x00\x09ab",
    "PUBLISH without room for its identifier": b"\x32\x03\x00\x01t",
    "PUBLISH to a topic that is not UTF-8": wire.publish(b"a\xc3\x28", "x"),
    "PUBLISH to a topic with a surrogate": wire.publish(b"a\xed\xa0\x80", "x"),
    "PUBLISH to a topic with U+0000": wire.publish("a\0b", "x"),
    "PUBLISH to a topic that is too long": wire.publish("t" * 2000, "x"),
    "PUBLISH to a topic with too many levels": wire.publish("/".join("a" * 200), "x"),
    "PUBACK of one byte": b"\x40\x01\x00",
    "PUBREL with wrong flags": b"\x60\x02\x00\x01",
    "SUBSCRIBE with wrong flags": b"\x80" + wire.subscribe(("a", 0))[1:],
    "SUBSCRIBE without a filter": b"\x82\x02\x00\x01",
    "SUBSCRIBE with QoS 3": wire.subscribe(("a", 3)),
    "SUBSCRIBE with packet identifier 0": wire.subscribe(("a", 0), identifier=0),
    "SUBSCRIBE to a bad wildcard": wire.subscribe(("a#", 0)),
    "SUBSCRIBE to # in the middle": wire.subscribe(("a/#/b", 0)),
    "SUBSCRIBE to an empty filter": wire.subscribe(("", 0)),
    "SUBSCRIBE cut short": b"\x82\x05\x00\x01\x00\x04a",
    "UNSUBSCRIBE without a filter": b"\xa2\x02\x00\x01",
    "UNSUBSCRIBE with wrong flags": b"\xa0" + wire.unsubscribe("a")[1:],
    "PINGREQ with a body": b"\xc0\x01\x00",
    "DISCONNECT with flags": b"\xe1\x00",
    "a packet larger than allowed": b"\x30\x80\x80\x80\x7f",
}


# QoS of a message, how it is acknowledged (None: not at all), and what then comes out of state.
WRONG_ACKS = [(1, None, wire.PUBREC), (1, None, wire.PUBCOMP), (2, None, wire.PUBACK),
              (2, None, wire.PUBCOMP), (2, wire.PUBREC, wire.PUBACK)]


class Malformed(broker.Case):
    settings = {"mqtt": {"packet_size": 300000, "connect_timeout_ms": 1500,
                         "packet_timeout_ms": 1500}}

    def drops(self):
        return {row["name"]: row["count"] for row in self.broker.json("drops")}

    def counted(self, before):
        """The drop counters that moved; a worker publishes them now and then."""
        def moved():
            return {name: count - before.get(name, 0) for name, count in self.drops().items()
                    if count != before.get(name, 0)}
        return broker.wait_for("a drop counter to move", moved)

    def setUp(self):
        super().setUp()
        self.witness = self.wire()
        self.witness.connect(f"witness-{self._testMethodName}")
        self.witness.subscribe(("witness/#", 1))

    def witness_is_well(self):
        self.witness.send(wire.publish("witness/self", "well"))
        self.assertEqual(self.witness.receive(wire.PUBLISH).payload, b"well")

    def messages(self, connection, count):
        """The payloads of so many messages and, before or among them, one SUBACK (MQTT-3.8.4)."""
        found = [connection.receive() for _ in range(count + 1)]
        self.assertEqual(sum(p.kind == wire.SUBACK for p in found), 1)
        return [p.payload for p in found if p.kind == wire.PUBLISH]

    def hostile(self, name, before_connect, data):
        with self.subTest(name):
            before = self.drops()
            connection = self.wire()
            if not before_connect:
                connection.connect("hostile")
            connection.send(data)
            self.assertTrue(connection.closed())
            moved = self.counted(before)
            self.assertTrue(any(counter.startswith("mqtt.") for counter in moved), moved)
            self.witness_is_well()

    def test_a_bad_first_packet_closes_its_connection_and_is_counted(self):
        for name, data in FIRST.items():
            self.hostile(name, True, data)

    def test_a_bad_later_packet_closes_its_connection_and_is_counted(self):
        for name, data in LATER.items():
            self.hostile(name, False, data)

    def test_half_a_connect_is_closed_after_its_time(self):
        before = self.drops()
        began = time.monotonic()
        connection = self.wire()
        connection.send(CONNECT[:7])
        self.assertTrue(connection.closed())
        self.assertGreater(time.monotonic() - began, 1.0)
        self.counted(before)

    def test_half_a_packet_is_closed_after_its_time(self):
        before = self.drops()
        began = time.monotonic()
        connection = self.wire()
        connection.connect("half")
        connection.send(wire.publish("half/topic", "x" * 1000)[:500])
        self.assertTrue(connection.closed())
        self.assertGreater(time.monotonic() - began, 1.0)
        self.counted(before)

    def test_many_half_packets_do_not_stop_the_others(self):
        halves = []
        for i in range(200 if options.slow else 1000):
            connection = self.wire()
            connection.send(wire.connect(f"half-{i}"), wire.publish("half/topic", "x" * 1000)[:900])
            halves.append(connection)
        self.witness_is_well()
        for connection in halves:
            connection.receive(wire.CONNACK)
            self.assertTrue(connection.closed())
            connection.close()
        self.witness_is_well()

    def test_a_packet_byte_by_byte_is_a_packet(self):
        connection = self.wire()
        for byte in wire.connect("slowly") + wire.subscribe(("slow/#", 0)) + \
                wire.publish("slow/x", "whole"):
            connection.send(bytes([byte]))
        connection.receive(wire.CONNACK)
        self.assertEqual(self.messages(connection, 1), [b"whole"])

    def test_many_packets_in_one_segment_are_all_handled(self):
        connection = self.wire()
        connection.send(wire.connect("at-once"), wire.subscribe(("many/#", 0)),
                        *(wire.publish("many/x", str(i)) for i in range(100)))
        connection.receive(wire.CONNACK)
        self.assertEqual(self.messages(connection, 100), [str(i).encode() for i in range(100)])

    def test_acknowledgements_of_nothing_change_nothing(self):
        for clean in (True, False):
            self.acknowledge_nothing(clean)

    def acknowledge_nothing(self, clean):
        before = self.drops()
        connection = self.wire()
        connection.connect("acknowledges", clean=clean)
        for kind in (wire.PUBACK, wire.PUBREC, wire.PUBCOMP):
            connection.send(wire.acknowledgement(kind, 777))
        # A PUBREL for an unknown identifier is answered, so that the client can forget it; a PUBREC
        # as well. A persistent session answers the one on the worker, the other on its shard.
        connection.send(wire.acknowledgement(wire.PUBREL, 778))
        found = {(answer.kind, answer.identifier)
                 for answer in (connection.receive(), connection.receive())}
        self.assertEqual(found, {(wire.PUBREL, 777), (wire.PUBCOMP, 778)})
        connection.ping()
        self.assertIn("mqtt.unknown_ack" if clean else "control.ack_unknown",
                      self.counted(before))
        connection.send(wire.packet(wire.DISCONNECT, 0))

    def test_an_acknowledgement_of_the_wrong_type_closes_and_harms_no_session(self):
        publisher = self.client()
        for clean, (qos, first, wrong) in itertools.product((True, False), WRONG_ACKS):
            with self.subTest(clean=clean, qos=qos, first=first, wrong=wrong):
                name = "wrong-ack"
                connection = self.wire()
                connection.connect(name, clean=clean)
                connection.subscribe(("wrong/ack", 2))
                publisher.publish("wrong/ack", "x", qos)
                message = connection.receive(wire.PUBLISH)
                before = self.drops()
                if first:
                    connection.send(wire.acknowledgement(first, message.identifier))
                    connection.receive(wire.PUBREL)
                connection.send(wire.acknowledgement(wrong, message.identifier))
                self.assertTrue(connection.closed())
                moved = self.counted(before)
                self.assertIn("mqtt.wrong_ack" if clean else "control.wrong_ack", moved)
                if not clean:
                    connection = self.wire()
                    self.assertTrue(connection.connect(name, clean=False))
                    again = connection.receive(wire.PUBREL if first else wire.PUBLISH)
                    self.assertEqual(again.identifier, message.identifier)
                    connection.send(wire.packet(wire.DISCONNECT, 0))
                connection = self.wire()
                self.assertEqual(connection.connect(name), False)
                connection.send(wire.packet(wire.DISCONNECT, 0))
                self.assertTrue(connection.closed())

    def test_large_payloads_arrive_whole(self):
        connection = self.wire()
        connection.connect("large")
        connection.subscribe(("large/#", 1))
        publisher = self.client()
        for size in (1, 1459, 1460, 65535, 65536, 256 * 1024, 299900):
            with self.subTest(size=size):
                payload = bytes(i * 7 % 251 for i in range(size))
                publisher.publish("large/x", payload, 1)
                found = connection.receive(wire.PUBLISH)
                self.assertTrue(found.payload == payload)
                connection.send(wire.acknowledgement(wire.PUBACK, found.identifier))

    def test_a_subscriber_that_reads_nothing_hurts_only_itself(self):
        """QoS 0 to it is dropped with a counter once its send queue is full."""
        lazy = self.wire()
        lazy.connect("lazy")
        lazy.subscribe(("flood/#", 0))
        eager = self.client()
        eager.subscribe(("flood/end", 1))
        before = self.drops()
        publisher = self.client()
        payload = "x" * 60000
        for _ in range(200):
            publisher.publish("flood/data", payload, 1)
        publisher.publish("flood/end", "end", 1)
        eager.nothing_before("flood/end")
        self.counted(before)
        self.witness_is_well()


class ManyFilters(broker.Case):
    settings = {"mqtt": {"filters": 20000, "subscriptions": 20000}}

    def test_one_subscribe_may_have_as_many_filters_as_configured(self):
        for clean in (True, False):
            with self.subTest(clean=clean):
                connection = self.wire()
                connection.connect("many", clean=clean)
                codes = connection.subscribe(*((f"many/{i}", 0) for i in range(20000)))
                granted = codes.count(0)
                self.assertEqual((len(codes), granted + codes.count(0x80)), (20000, 20000))
                self.assertGreaterEqual(granted, 4000)
                broker.wait_for("room for one more",
                                lambda: connection.subscribe(("many/19999", 0)) == [0])
                for i in (0, granted - 1, 19999):
                    connection.send(wire.publish(f"many/{i}", "there"))
                    self.assertEqual(connection.receive(wire.PUBLISH).topic, f"many/{i}")
                connection.send(wire.subscribe(*((f"many/{i}", 0) for i in range(20001))))
                self.assertTrue(connection.closed())
                with self.wire() as again:
                    again.connect("many")


class ShortMemory(broker.Case):
    """Half packets that would fill the memory of every worker many times over."""

    settings = {"workers": {"memory_mib": 64}, "mqtt": {"packet_timeout_ms": 600000}}
    HALVES = 150 if options.slow else 600  # times 270,000 bytes

    def partial_bytes(self):
        return [row["partial_bytes"] for row in self.broker.json("memory", "show")["workers"]]

    def works(self, old, number):
        """An old client, and one that has just come, are served as if nothing were the matter."""
        new = self.wire()
        new.connect(f"new-{number}")
        new.subscribe((f"works/{number}", 1))
        for client in (old, new):
            client.send(wire.publish(f"works/{number}", f"{number}", 1, identifier=9))
        for client, kinds in ((old, {wire.PUBACK: 1}), (new, {wire.PUBACK: 1, wire.PUBLISH: 2})):
            found = [client.receive().kind for _ in range(sum(kinds.values()))]
            self.assertEqual({kind: found.count(kind) for kind in kinds}, kinds)
        new.close()

    def test_half_packets_hold_their_budget_and_no_more(self):
        large = wire.publish("half/large", bytes(1000000), 1, identifier=1)
        old = self.wire()
        old.connect("old")
        honest = self.wire()
        honest.connect("honest")
        sent = 0
        before = self.broker.counter("mqtt.limit_partial")
        for i in range(self.HALVES):
            half = self.wire()
            half.connect(f"half-{i}")
            half.send(large[:270000])
            if sent < len(large):  # goes on, slower than the others
                honest.send(large[sent:sent + 20000])
                sent += 20000
            if i % 50 == 49:
                self.works(old, i)
                for held in self.partial_bytes():
                    self.assertLessEqual(held, 16 << 20)
        self.assertEqual(honest.receive(wire.PUBACK).identifier, 1)
        self.works(old, "after")
        broker.wait_for("half packets to be given up",
                        lambda: self.broker.counter("mqtt.limit_partial") > before)
        names = {row["name"] for row in self.broker.json("drops")}
        self.assertNotIn("mqtt.no_memory_close", names)
        self.assertNotIn("tcp.drop_pressure", names)
        # A large one that comes now takes the place of those that wait.
        late = self.wire()
        late.connect("late")
        late.send(large)
        self.assertEqual(late.receive(wire.PUBACK).identifier, 1)


if __name__ == "__main__":
    broker.main()
