#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The clients that people already have, over the Linux stack."""

import os
import queue
import subprocess
import unittest

import broker
from broker import ADDRESS, ADDRESS6, PORT, options, run


def mosquitto_sub(*words):
    return subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-h", ADDRESS, "-d", "-W", "60",
                             *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            preexec_fn=broker.die_with_parent)


def until_subscribed(process):
    for line in process.stdout:
        if line.startswith("Subscribed"):
            return
    raise AssertionError("mosquitto_sub ended early")


def messages(process):
    """What it printed that is not its own talk about packets."""
    output, _ = process.communicate(timeout=60)
    return [line for line in output.splitlines()
            if not line.startswith(("Client ", "Subscribed"))]


class MosquittoClients(broker.Case):
    def test_publish_and_subscribe_at_every_qos(self):
        for qos in "012":
            with self.subTest(qos=qos):
                subscriber = mosquitto_sub("-t", "greeting/+", "-q", qos, "-C", "1", "-v")
                until_subscribed(subscriber)
                run("mosquitto_pub", "-h", ADDRESS, "-t", "greeting/one", "-m", "hello", "-q", qos)
                self.assertEqual(messages(subscriber), ["greeting/one hello"])

    def test_many_messages_through_one_pipe_stay_in_order(self):
        lines = [str(i) for i in range(500)]
        for qos in "12":
            with self.subTest(qos=qos):
                subscriber = mosquitto_sub("-t", "pipe", "-q", qos, "-C", str(len(lines)))
                until_subscribed(subscriber)
                subprocess.run(["mosquitto_pub", "-h", ADDRESS, "-t", "pipe", "-q", qos, "-l"],
                               input="\n".join(lines) + "\n", text=True, check=True, timeout=60)
                self.assertEqual(messages(subscriber), lines)

    def test_a_retained_message_waits_for_its_subscriber(self):
        run("mosquitto_pub", "-h", ADDRESS, "-t", "kept/value", "-m", "42", "-r", "-q", "1")
        found = run("mosquitto_sub", "-h", ADDRESS, "-t", "kept/#", "-C", "1", "-W", "30",
                    "-F", "%t %p %r")
        self.assertEqual(found.stdout, "kept/value 42 1\n")
        run("mosquitto_pub", "-h", ADDRESS, "-t", "kept/value", "-n", "-r", "-q", "1")

    def test_mqtt_31_is_accepted(self):
        subscriber = mosquitto_sub("-V", "mqttv31", "-i", "old", "-t", "old/topic", "-C", "1")
        until_subscribed(subscriber)
        run("mosquitto_pub", "-V", "mqttv31", "-h", ADDRESS, "-t", "old/topic", "-m", "works")
        self.assertEqual(messages(subscriber), ["works"])

    def test_clients_reach_the_broker_over_ipv6(self):
        subscriber = mosquitto_sub("-t", "six", "-C", "1")
        until_subscribed(subscriber)
        run("mosquitto_pub", "-h", ADDRESS6, "-t", "six", "-m", "over IPv6", "-q", "2")
        self.assertEqual(messages(subscriber), ["over IPv6"])

    def test_a_will_is_published_when_the_client_is_killed(self):
        watcher = self.client()
        watcher.subscribe(("will/killed", 1))
        doomed = mosquitto_sub("-t", "x", "--will-topic", "will/killed", "--will-payload", "gone",
                               "--will-qos", "1")
        until_subscribed(doomed)
        doomed.kill()
        doomed.communicate()
        self.assertEqual(watcher.payloads(), ["gone"])


class Libraries(broker.Case):
    def test_libmosquitto(self):
        """The cases are cmocka's, in libmosquitto_client.c."""
        result = run(os.path.join(options.binaries, "tests/system/libmosquitto_client"),
                     check=False, timeout=120,
                     env={**os.environ, "LINEMQ_ADDRESS": ADDRESS, "LINEMQ_PORT": str(PORT)})
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_mqtt_js(self):
        result = run("node", os.path.join(broker.HERE, "mqttjs_client.js"), ADDRESS, str(PORT),
                     check=False, timeout=120,
                     env={**os.environ, "NODE_PATH": "/usr/share/nodejs"})
        self.assertEqual((result.returncode, result.stdout), (0, "good\n"), result.stderr)

    def test_paho_python_at_every_qos(self):
        subscriber, publisher = self.client(), self.client()
        self.assertEqual(subscriber.subscribe(("paho/0", 0), ("paho/1", 1), ("paho/2", 2)),
                         [0, 1, 2])
        for qos in (0, 1, 2):
            publisher.publish(f"paho/{qos}", f"at {qos}", qos)
        found = {(m.topic, m.payload, m.qos) for m in subscriber.receive(3)}
        self.assertEqual(found, {(f"paho/{q}", f"at {q}".encode(), q) for q in (0, 1, 2)})
        self.assertRaises(queue.Empty, subscriber.messages.get_nowait)


if __name__ == "__main__":
    broker.main()
