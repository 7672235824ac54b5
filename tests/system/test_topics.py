#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who gets what: filters, retained messages, $SYS, and how far a message travels inside."""

import unittest

import broker
import wire
from broker import options


class Filters(broker.Case):
    settings = {"control": {"sys_interval": 1},
                "mqtt": {"refuse_subscriptions": ["secret/#", "test/nosubscribe"]}}

    def test_wildcards_match_as_section_4_7_says(self):
        matching = {
            "sport/tennis/#": ["sport/tennis", "sport/tennis/a", "sport/tennis/a/b"],
            "sport/+": ["sport/tennis", "sport/"],
            "+/+": ["sport/tennis", "sport/", "/finance", "Sport/tennis"],
            "/+": ["/finance"],
            "+": ["top"],
            "#": ["sport/tennis", "sport/tennis/a", "sport/tennis/a/b", "sport/", "/finance", "top",
                  "Sport/tennis"],
        }
        topics = matching["#"]
        publisher = self.client()
        for wildcard, expected in matching.items():
            with self.subTest(filter=wildcard):
                subscriber = self.client()
                subscriber.subscribe((wildcard, 1), ("wildcard/end", 1))
                for topic in topics:
                    publisher.publish(topic, "x", 1)
                publisher.publish("wildcard/end", "x", 1)
                found = []
                while not found or found[-1] != "wildcard/end":
                    found.append(subscriber.receive()[0].topic)
                self.assertEqual(found[:-1], expected)
                subscriber.close()

    def test_overlapping_subscriptions_deliver_with_the_highest_qos(self):
        subscriber, publisher = self.client(), self.client()
        subscriber.subscribe(("over/#", 1), ("over/+", 2), ("end/of/over", 2))
        publisher.publish("over/lap", "x", 2)
        publisher.publish("end/of/over", "x", 2)
        found = []
        while not found or found[-1].topic != "end/of/over":
            found += subscriber.receive()
        copies = [message.qos for message in found if message.topic == "over/lap"]
        self.assertIn(2, copies)
        self.assertLessEqual(len(copies), 2)

    def test_subscribing_again_replaces_the_subscription(self):
        subscriber, publisher = self.client(), self.client()
        self.assertEqual(subscriber.subscribe(("again/x", 0)), [0])
        self.assertEqual(subscriber.subscribe(("again/x", 2)), [2])
        publisher.publish("again/x", "once", 2)
        publisher.publish("again/x", "end", 2)
        found = subscriber.receive(2)
        self.assertEqual([(m.payload, m.qos) for m in found], [(b"once", 2), (b"end", 2)])

    def test_wildcards_do_not_reach_topics_that_begin_with_a_dollar(self):
        subscriber = self.client()
        subscriber.subscribe(("#", 0), ("+/broker/uptime", 0))
        named = self.client()
        named.subscribe(("$SYS/broker/uptime", 0))
        named.receive(2)  # at least one of them published while both were subscribed
        self.client().publish("dollar/marker", "x")
        subscriber.nothing_before("dollar/marker")

    def test_sys_topics_are_those_of_mosquitto(self):
        subscriber = self.client()
        subscriber.subscribe(("$SYS/broker/#", 0))
        wanted = {"$SYS/broker/version", "$SYS/broker/uptime", "$SYS/broker/clients/connected",
                  "$SYS/broker/clients/total", "$SYS/broker/messages/received",
                  "$SYS/broker/messages/sent", "$SYS/broker/publish/messages/received",
                  "$SYS/broker/subscriptions/count", "$SYS/broker/retained messages/count",
                  "$SYS/broker/bytes/received", "$SYS/broker/heap/current",
                  "$SYS/broker/heap/maximum"}
        values = {}
        while wanted - values.keys() or int(values["$SYS/broker/clients/connected"]) < 1:
            message, = subscriber.receive()
            values[message.topic] = message.payload.decode()

    def test_a_refused_filter_gets_0x80_and_the_others_are_granted(self):
        connection = self.wire()
        connection.connect("refused")
        self.assertEqual(connection.subscribe(("open/#", 1), ("secret/#", 2),
                                              ("test/nosubscribe", 0), ("open", 2)),
                         [1, 0x80, 0x80, 2])

    def test_after_unsubscribe_nothing_comes(self):
        subscriber, publisher = self.client(), self.client()
        subscriber.subscribe(("gone/+", 1), ("gone/marker", 1))
        subscriber.unsubscribe("gone/+")
        publisher.publish("gone/x", "x", 1)
        publisher.publish("gone/marker", "x", 1)
        subscriber.nothing_before("gone/marker")

    def test_a_client_may_publish_to_itself(self):
        client = self.client()
        client.subscribe(("self/x", 2))
        for i in range(50):
            client.publish("self/x", str(i), 2, wait=False)
        self.assertEqual(client.payloads(50), [str(i) for i in range(50)])


class Retained(broker.Case):
    def tearDown(self):
        client = self.client("cleaner")
        for topic in ("r/a", "r/b", "r/b/c", "r/deep/er/still"):
            client.publish(topic, b"", 1, retain=True)

    def test_a_new_subscription_gets_what_is_retained_with_the_flag(self):
        publisher = self.client()
        for topic in ("r/a", "r/b", "r/b/c"):
            publisher.publish(topic, topic, 1, retain=True)
        for wildcard, topics in (("r/a", ["r/a"]), ("r/+", ["r/a", "r/b"]),
                                 ("r/#", ["r/a", "r/b", "r/b/c"]), ("+/b/#", ["r/b", "r/b/c"])):
            with self.subTest(filter=wildcard):
                subscriber = self.client()
                subscriber.subscribe((wildcard, 1))
                found = subscriber.receive(len(topics))
                self.assertEqual(sorted(m.topic for m in found), topics)
                self.assertTrue(all(m.retain and m.qos == 1 for m in found))
                publisher.publish("r/a" if wildcard != "+/b/#" else "r/b", "end", 1)
                self.assertFalse(subscriber.receive()[0].retain)
                subscriber.close()

    def test_a_live_message_comes_without_the_flag(self):
        subscriber, publisher = self.client(), self.client()
        subscriber.subscribe(("r/#", 1))
        publisher.publish("r/a", "live", 1, retain=True)
        self.assertFalse(subscriber.receive()[0].retain)

    def test_an_empty_message_deletes_it_and_is_delivered_itself(self):
        publisher, watcher = self.client(), self.client()
        watcher.subscribe(("r/a", 1))
        publisher.publish("r/a", "value", 1, retain=True)
        publisher.publish("r/a", b"", 1, retain=True)
        self.assertEqual(watcher.payloads(2), ["value", ""])
        late = self.client()
        late.subscribe(("r/#", 1))
        publisher.publish("r/marker", "x", 1)
        late.nothing_before("r/marker")

    def test_the_newest_message_replaces_the_one_before(self):
        publisher = self.client()
        for i in range(20):
            publisher.publish("r/deep/er/still", str(i), 1, retain=True)
        subscriber = self.client()
        subscriber.subscribe(("r/deep/#", 0))
        message, = subscriber.receive()
        self.assertEqual((message.payload, message.qos), (b"19", 0))


class Routes(broker.Case):
    """Which threads a message visits, and what holds while routes change."""

    settings = {"control": {"sys_interval": 0}}

    def test_a_subscription_works_from_its_suback_on(self):
        publisher = self.client()
        for i in range(100):
            subscriber = self.wire()
            subscriber.connect(f"fresh-{i}")
            subscriber.subscribe((f"fresh/{i}", 1))
            publisher.publish(f"fresh/{i}", str(i), 1, wait=False)
            self.assertEqual(subscriber.receive(wire.PUBLISH).payload, str(i).encode())
            subscriber.send(wire.packet(wire.DISCONNECT, 0))
            subscriber.close()

    def test_many_subscribers_on_all_workers_get_everything_in_order(self):
        subscribers = [self.client() for _ in range(16)]
        for number, subscriber in enumerate(subscribers):
            subscriber.subscribe(("fan/#" if number % 2 else "fan/out", number % 3))
        publisher = self.client()
        count = 100 if options.slow else 400
        for i in range(count):
            publisher.publish("fan/out", str(i), 1, wait=i % 50 == 49)
        for subscriber in subscribers:
            self.assertEqual(subscriber.payloads(count), [str(i) for i in range(count)])

    @unittest.skipIf(options.workers < 2, "with one worker there is nowhere else to go")
    def test_a_publish_visits_only_workers_that_may_match(self):
        name = self._testMethodName

        def make():
            return self.client(f"{name}-{len(self.clients)}")

        subscriber = self.broker.on_worker(0, make)
        here, there = self.broker.on_worker(0, make), self.broker.on_worker(1, make)
        subscriber.subscribe(("visit/one", 1))
        for publisher, topic, visits in ((there, "visit/one", 20), (here, "visit/one", 0),
                                         (there, "visit/none", 0), (here, "visit/none", 0)):
            with self.subTest(topic=topic, publisher="other worker" if publisher is there else
                              "same worker"):
                before = self.broker.counter("topics.mail_publish")
                for i in range(20):
                    publisher.publish(topic, str(i), 1)
                if topic == "visit/one":
                    subscriber.receive(20)
                self.assertEqual(self.broker.counter("topics.mail_publish") - before, visits)
        subscriber.unsubscribe("visit/one")
        before = self.broker.counter("topics.mail_publish")
        there.publish("visit/one", "x", 1)
        self.assertEqual(self.broker.counter("topics.mail_publish"), before)


if __name__ == "__main__":
    broker.main()
