#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sessions: what is kept, what is taken over, what is said when a client is gone."""

import threading
import time
import unittest

import broker
import wire
from broker import options


class PersistentSessions(broker.Case):
    def away(self, name, *filters):
        """A client with a persistent session that has subscribed and left."""
        client = self.client(name, clean=False)
        self.assertFalse(client.session_present)
        client.subscribe(*filters)
        client.close()

    def forget(self, name):
        self.client(name, clean=True).close()

    def test_messages_wait_for_a_client_that_is_away(self):
        for qos in (1, 2):
            with self.subTest(qos=qos):
                name = f"away-{qos}"
                self.away(name, (f"queue/{qos}/#", qos))
                publisher = self.client()
                for i in range(200):
                    publisher.publish(f"queue/{qos}/x", str(i), qos, wait=i == 199)
                back = self.client(name, clean=False)
                self.assertTrue(back.session_present)
                self.assertEqual(back.payloads(200), [str(i) for i in range(200)])
                publisher.publish(f"queue/{qos}/x", "live", qos)
                self.assertEqual(back.payloads(), ["live"])
                back.close()
                self.forget(name)

    def test_qos_0_is_not_kept_for_a_client_that_is_away(self):
        self.away("away-zero", ("zero/#", 1))
        publisher = self.client()
        before = self.broker.counter("control.qos0_offline")
        publisher.publish("zero/lost", "x", 0)
        publisher.publish("zero/kept", "x", 1)
        broker.wait_for("the message to reach the session while its client is away",
                        lambda: self.broker.counter("control.qos0_offline") > before)
        back = self.client("away-zero", clean=False)
        self.assertEqual([message.topic for message in back.receive()], ["zero/kept"])
        back.close()
        self.forget("away-zero")

    def test_bursts_of_qos_0_come_whole_to_persistent_sessions_that_read(self):
        subscribers, messages = (10, 500) if options.slow else (50, 2000)
        readers = []
        for i in range(subscribers):
            reader = self.wire()
            reader.connect(f"burst-{i}", clean=False)
            reader.subscribe(("burst", 0))
            readers.append(reader)
        received = {reader: [] for reader in readers}

        def read(reader):
            while len(received[reader]) < messages:
                received[reader].append(int(reader.receive(wire.PUBLISH).payload))

        threads = [threading.Thread(target=read, args=(reader,)) for reader in readers]
        for thread in threads:
            thread.start()
        publisher = self.wire()
        publisher.connect("burst-publisher")
        for first in range(0, messages, 200):
            publisher.send(*(wire.publish("burst", f"{first + i:020}") for i in range(200)))
        publisher.ping()
        for thread in threads:
            thread.join()
        for reader in readers:
            self.assertEqual(received[reader], list(range(messages)))
            reader.send(wire.packet(wire.DISCONNECT, 0))
            self.forget(reader.client_id)
        self.assertEqual(self.broker.counter("control.qos0_busy"), 0)

    def test_qos_0_and_1_of_one_publisher_come_in_order(self):
        reader = self.wire()
        reader.connect("mixed", clean=False)
        reader.subscribe(("mixed", 1))
        publisher = self.wire()
        publisher.connect("mixed-publisher")
        publisher.send(*(wire.publish("mixed", str(i), i % 2, identifier=i + 1)
                         for i in range(400)))
        for i in range(400):
            found = reader.receive(wire.PUBLISH)
            self.assertEqual(int(found.payload), i)
            if found.qos:
                reader.send(wire.acknowledgement(wire.PUBACK, found.identifier))
        reader.send(wire.packet(wire.DISCONNECT, 0))
        self.forget("mixed")

    def test_a_clean_connect_ends_the_session(self):
        self.away("ends", ("ends/#", 1))
        clean = self.client("ends", clean=True)
        self.assertFalse(clean.session_present)
        clean.close()
        again = self.client("ends", clean=False)
        self.assertFalse(again.session_present)
        publisher = self.client()
        publisher.publish("ends/x", "x", 1)
        again.subscribe(("marker/ends", 1))
        publisher.publish("marker/ends", "x", 1)
        again.nothing_before("marker/ends")
        again.close()
        self.forget("ends")

    def test_what_was_not_acknowledged_comes_again_with_dup_and_the_same_identifier(self):
        connection = self.wire()
        connection.connect("redelivery", clean=False)
        connection.subscribe(("redelivery/#", 2))
        publisher = self.client()
        publisher.publish("redelivery/1", "one", 1)
        publisher.publish("redelivery/2", "two", 2)
        first = [connection.receive(wire.PUBLISH) for _ in range(2)]
        self.assertEqual([p.dup for p in first], [False, False])
        connection.abort()

        connection = self.wire()
        self.assertTrue(connection.connect("redelivery", clean=False))
        second = [connection.receive(wire.PUBLISH) for _ in range(2)]
        self.assertEqual([(p.topic, p.payload, p.qos, p.identifier) for p in second],
                         [(p.topic, p.payload, p.qos, p.identifier) for p in first])
        self.assertEqual([p.dup for p in second], [True, True])
        connection.send(wire.acknowledgement(wire.PUBACK, second[0].identifier),
                        wire.acknowledgement(wire.PUBREC, second[1].identifier))
        self.assertEqual(connection.receive(wire.PUBREL).identifier, second[1].identifier)
        connection.abort()

        # After PUBREC the message itself never comes again, only PUBREL.
        connection = self.wire()
        self.assertTrue(connection.connect("redelivery", clean=False))
        self.assertEqual(connection.receive(wire.PUBREL).identifier, second[1].identifier)
        connection.send(wire.acknowledgement(wire.PUBCOMP, second[1].identifier))
        connection.ping()
        connection.send(wire.packet(wire.DISCONNECT, 0))
        self.forget("redelivery")

    def test_a_qos_2_message_sent_twice_is_delivered_once(self):
        subscriber = self.client()
        subscriber.subscribe(("once/#", 2))
        connection = self.wire()
        connection.connect("sends-twice", clean=False)
        message = dict(topic="once/x", payload="once", qos=2, identifier=7)
        connection.send(wire.publish(**message))
        connection.receive(wire.PUBREC)
        connection.send(wire.publish(**message, dup=True))
        connection.receive(wire.PUBREC)
        connection.abort()
        connection = self.wire()
        self.assertTrue(connection.connect("sends-twice", clean=False))
        connection.send(wire.publish(**message, dup=True))
        connection.receive(wire.PUBREC)
        connection.send(wire.acknowledgement(wire.PUBREL, 7))
        connection.receive(wire.PUBCOMP)
        connection.send(wire.publish("once/marker", "", 2, 8))
        connection.receive(wire.PUBREC)
        connection.send(wire.acknowledgement(wire.PUBREL, 8))
        connection.receive(wire.PUBCOMP)
        self.assertEqual(subscriber.receive()[0].payload, b"once")
        subscriber.nothing_before("once/marker")
        connection.send(wire.packet(wire.DISCONNECT, 0))
        self.forget("sends-twice")


class Takeover(broker.Case):
    def test_the_old_connection_is_closed(self):
        old = self.wire()
        old.connect("same-name")
        new = self.wire()
        new.connect("same-name")
        self.assertTrue(old.closed())
        new.ping()

    def test_nothing_in_flight_is_lost_when_a_client_is_taken_over_again_and_again(self):
        """One subscriber is taken over while messages stream to it; with several workers the new
        connection is mostly on another one. Everything arrives, first copies in order."""
        total, name = (1000 if options.slow else 4000), "moves"
        first = self.wire()
        first.connect(name, clean=False)
        first.subscribe(("stream/#", 1))
        publisher = self.client()

        seen = set()

        def stream():
            for i in range(total):
                info = publisher.publish("stream/x", str(i), 1, wait=False)
                if i % 100 == 99:
                    info.wait_for_publish(broker.PATIENCE)
                    # Never more ahead than a session's queue holds.
                    broker.wait_for("the subscriber", lambda: i - len(seen) < 500, 60)

        thread = threading.Thread(target=stream, daemon=True)
        thread.start()
        fresh, connection, takeovers = [], first, 0
        end = time.monotonic() + 120
        while len(seen) < total and time.monotonic() < end:
            # Read some, leave the last ones unacknowledged, take over from a new connection.
            waiting = []
            for _ in range(37):
                found = connection.receive(wire.PUBLISH)
                number = int(found.payload)
                if number not in seen:
                    seen.add(number)
                    fresh.append(number)
                waiting.append(found.identifier)
                if len(waiting) > 8:
                    connection.send(wire.acknowledgement(wire.PUBACK, waiting.pop(0)))
                if len(seen) == total:
                    break
            following = self.wire()
            self.assertTrue(following.connect(name, clean=False))
            takeovers += 1
            connection.close()
            connection = following
        thread.join()
        self.assertEqual(len(seen), total)
        self.assertEqual(fresh, sorted(fresh), "first copies came out of order")
        self.assertGreater(takeovers, 10)
        connection.close()
        self.client(name, clean=True).close()

    def test_the_will_of_the_connection_that_is_taken_over_is_published(self):
        watcher = self.client()
        watcher.subscribe(("taken/will", 1))
        old = self.wire()
        old.connect("with-will", will=("taken/will", "displaced", 1, False))
        new = self.wire()
        new.connect("with-will")
        self.assertEqual(watcher.payloads(), ["displaced"])


class Wills(broker.Case):
    def watcher(self, topic):
        watcher = self.client()
        watcher.subscribe((topic, 2))
        return watcher

    def test_a_will_is_published_after_reset_and_after_close(self):
        watcher = self.watcher("will/+")
        for end in ("abort", "close"):
            connection = self.wire()
            connection.connect(f"will-{end}", will=(f"will/{end}", "gone", 2, False))
            getattr(connection, end)()
            message, = watcher.receive()
            self.assertEqual((message.topic, message.payload, message.qos),
                             (f"will/{end}", b"gone", 2))

    def test_no_will_after_disconnect(self):
        watcher = self.watcher("polite/#")
        connection = self.wire()
        connection.connect("polite", will=("polite/will", "gone", 1, False))
        connection.send(wire.packet(wire.DISCONNECT, 0))
        self.assertTrue(connection.closed())
        self.client().publish("polite/marker", "", 1)
        watcher.nothing_before("polite/marker")

    def test_a_retained_will_is_kept(self):
        watcher = self.watcher("kept/will")
        connection = self.wire()
        connection.connect("kept", will=("kept/will", "last words", 1, True))
        connection.abort()
        watcher.receive()
        late = self.client()
        late.subscribe(("kept/will", 1))
        message, = late.receive()
        self.assertEqual((message.payload, message.retain), (b"last words", True))
        late.publish("kept/will", b"", 1, retain=True)

    def test_keep_alive_ends_a_silent_connection_after_one_and_a_half_times_it(self):
        watcher = self.watcher("silent/will")
        connection = self.wire()
        began = time.monotonic()
        connection.connect("silent", keep_alive=1, will=("silent/will", "silence", 1, False))
        self.assertTrue(connection.closed())
        took = time.monotonic() - began
        self.assertEqual(watcher.payloads(), ["silence"])
        self.assertGreaterEqual(took, 1.4)
        self.assertLess(took, 6)

    def test_ping_keeps_a_connection_alive(self):
        connection = self.wire()
        connection.connect("pings", keep_alive=1)
        for _ in range(6):
            time.sleep(0.5)  # the passing of time is what is tested
            connection.ping()


class Identifiers(broker.Case):
    def test_an_empty_client_identifier_with_a_clean_session_is_given_one(self):
        self.wire().connect("")
        self.wire().connect("")
        self.assertFalse(self.wire().connect("", clean=True))

    def test_an_empty_client_identifier_without_clean_session_is_refused(self):
        connection = self.wire()
        connection.connect("", clean=False, expect=2)
        self.assertTrue(connection.closed())

    def test_an_unknown_protocol_level_is_refused_with_code_1(self):
        connection = self.wire()
        connection.connect("level", level=9, expect=1)
        self.assertTrue(connection.closed())


if __name__ == "__main__":
    broker.main()
