#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Hours with real clients over a wire that loses frames: publishers and persistent subscribers that
come and go (python3-paho), a persistent mosquitto_sub, idle devices that only ping, and every
minute a fleet of short-lived ones. Every message carries its publisher and its number; at the end
each subscriber must have all of them, in order, and at QoS 2 once.

    soak.py --binaries BUILD [--workers N] [--minutes M] [--loss PERCENT]

One line a minute, with the broker's resident set; the last line says what was proved, or what was
not, and that is the exit code. It is no part of tests/run.sh: run it before a release.
"""

import argparse
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
parser = argparse.ArgumentParser()
parser.add_argument("--binaries", default="build")
parser.add_argument("--workers", type=int, default=4)
parser.add_argument("--minutes", type=float, default=240)
parser.add_argument("--loss", type=float, default=1.0)
parser.add_argument("--seed", type=int, default=1)
arguments = parser.parse_args()
sys.argv = [sys.argv[0], "--workers", str(arguments.workers), "--binaries",
            os.path.abspath(arguments.binaries)]

import paho.mqtt.client as paho  # noqa: E402

import broker  # noqa: E402  (reads the command line)
from test_network import LossyBroker  # noqa: E402

PUBLISHERS, SUBSCRIBERS, IDLE = 20, 6, 40
RATE = 2.5  # messages a second of each publisher
AWAY = 20   # a subscriber is away for at most so many seconds
DRAIN = 120
failures = []


def fail(what):
    failures.append(what)
    print("FAILED:", what, flush=True)


class Device:
    """A client with a session that outlives its connections."""

    def __init__(self, name, dice):
        self.dice = dice
        self.name = name
        self.paho = paho.Client(name, clean_session=False, protocol=paho.MQTTv311)
        self.paho.reconnect_delay_set(1, 5)
        self.paho.on_connect = self.connected
        self.paho.connect_async(broker.ADDRESS, broker.PORT, keepalive=10)
        self.paho.loop_start()

    def connected(self, _client, _data, _flags, code):
        if code != 0:
            fail(f"{self.name}: CONNACK {code}")

    def vanish(self):
        """Without DISCONNECT; loop_start's thread comes back by itself."""
        connection = self.paho.socket()
        if connection:
            connection.shutdown(2)

    def end(self):
        self.paho.disconnect()
        self.paho.loop_stop()


class Publisher(Device):
    """Pauses from a disconnection until what was under way is acknowledged: paho sends a message
    that is published between TCP's handshake and CONNACK ahead of those that it has to repeat."""

    def __init__(self, number, dice):
        self.sent, self.done, self.last, self.unsettled = 0, threading.Event(), None, False
        self.topic, self.qos = f"soak/{number}/value", 1 + number % 2
        super().__init__(f"soak-publisher-{number}", dice)
        self.paho.on_disconnect = self.disconnected
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def disconnected(self, *_):
        self.unsettled = True

    def work(self):
        while not self.done.wait(self.dice.expovariate(RATE)):
            if self.unsettled and not (self.last is None or self.last.is_published()):
                continue
            self.unsettled = False
            self.last = self.paho.publish(
                self.topic, str(self.sent).ljust(self.dice.randrange(8, 400)), self.qos)
            self.sent += 1
            if self.dice.random() < 0.005:
                self.vanish()


class Subscriber(Device):
    """Checks as it receives: the next number of each topic, or one that was here before (QoS 1)."""

    def __init__(self, number, dice):
        self.qos, self.next, self.duplicates = 1 + number % 2, {}, 0
        self.granted = threading.Event()
        super().__init__(f"soak-subscriber-{number}", dice)
        self.paho.on_message = self.message
        self.paho.on_subscribe = lambda *_: self.granted.set()
        broker.wait_for(self.name, self.paho.is_connected)
        self.paho.subscribe("soak/+/value", self.qos)
        if not self.granted.wait(broker.PATIENCE):
            fail(f"{self.name}: no SUBACK")
        self.back_at = self.leave_at = time.monotonic() + dice.uniform(20, 60)

    def message(self, _client, _data, message):
        number, expected = int(message.payload), self.next.get(message.topic, 0)
        publisher_qos = 1 + int(message.topic.split("/")[1]) % 2
        if number == expected:
            self.next[message.topic] = number + 1
        elif number < expected and min(self.qos, publisher_qos) == 1:
            self.duplicates += 1
        else:
            fail(f"{self.name}: {message.topic}: {number} came, {expected} was next")
            self.next[message.topic] = number + 1

    def turn(self, now):
        if now >= self.leave_at:
            if self.dice.random() < 0.5:
                self.vanish()
            else:
                self.end()
            self.back_at = now + self.dice.uniform(0, AWAY)
            self.leave_at = self.back_at + self.dice.uniform(20, 60)
        elif now >= self.back_at and not self.paho.is_connected():
            self.back_at = self.leave_at
            self.paho.connect_async(broker.ADDRESS, broker.PORT, keepalive=10)
            self.paho.loop_start()


def resident_kib(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def fleet(minute):
    result = broker.run(os.path.join(broker.options.binaries, "tests/system/fleet"), "--host",
                        broker.ADDRESS, "--clients", "100", "--messages", "20", "--qos-publish", "1",
                        "--qos-subscribe", "1", "--prefix", f"fleet{minute}", "--timeout", "90",
                        timeout=200, check=False)
    if result.returncode != 0:
        fail(f"fleet of minute {minute}: {result.stdout}{result.stderr}")


def check_mosquitto(text, publishers):
    """mosquitto_sub printed TOPIC NUMBER lines at QoS 1."""
    following = {}
    for line in text.splitlines():
        topic, number = line.split()[:2]
        expected = following.get(topic, 0)
        if int(number) > expected:
            fail(f"mosquitto_sub: {topic}: {number} came, {expected} was next")
        following[topic] = max(expected, int(number) + 1)
    for publisher in publishers:
        if following.get(publisher.topic, 0) != publisher.sent:
            fail(f"mosquitto_sub: {publisher.topic}: {following.get(publisher.topic, 0)} of "
                 f"{publisher.sent}")


def main():
    dice = random.Random(arguments.seed)
    LossyBroker.loss = arguments.loss
    settings = {"mqtt": {"queued": 100000}}
    with LossyBroker(settings=settings) as running:
        idle = [Device(f"soak-idle-{i}", dice) for i in range(IDLE)]
        subscribers = [Subscriber(i, random.Random(dice.random())) for i in range(SUBSCRIBERS)]
        printed = running.file("mosquitto_sub", "")
        with open(printed, "w") as out:
            mosquitto = subprocess.Popen(
                ["mosquitto_sub", "-h", broker.ADDRESS, "-i", "soak-mosquitto", "-c", "-q", "1",
                 "-k", "10", "-t", "soak/+/value", "-v"], stdout=out,
                preexec_fn=broker.die_with_parent)
        broker.wait_for("mosquitto_sub", lambda: "soak-mosquitto" in
                        running.ctl("sub", "list").stdout)
        publishers = [Publisher(i, random.Random(dice.random())) for i in range(PUBLISHERS)]

        began, minute, first_kib = time.monotonic(), 0, 0
        while time.monotonic() < began + arguments.minutes * 60:
            time.sleep(0.25)
            running.alive()
            now = time.monotonic()
            for subscriber in subscribers:
                subscriber.turn(now)
            if now >= began + (minute + 1) * 60:
                minute += 1
                fleet(minute)
                kib = resident_kib(running.process)
                first_kib = first_kib or kib
                print(f"minute {minute}: {sum(p.sent for p in publishers)} sent, "
                      f"{sum(sum(s.next.values()) for s in subscribers)} received, "
                      f"{sum(s.duplicates for s in subscribers)} again, resident {kib} KiB",
                      flush=True)

        for publisher in publishers:
            publisher.done.set()
        for publisher in publishers:
            publisher.thread.join()
        end = time.monotonic() + DRAIN
        missing = True
        while missing and time.monotonic() < end:
            time.sleep(0.25)
            for subscriber in subscribers:
                subscriber.leave_at = float("inf")
                subscriber.turn(time.monotonic() + AWAY)
            missing = [f"{s.name}: {p.topic}: {s.next.get(p.topic, 0)} of {p.sent}"
                       for s in subscribers for p in publishers
                       if s.next.get(p.topic, 0) != p.sent]
        for line in missing:
            fail(line)
        mosquitto.terminate()
        mosquitto.wait()
        with open(printed) as text:
            check_mosquitto(text.read(), publishers)
        sent = sum(publisher.sent for publisher in publishers)
        kib = resident_kib(running.process)
        counters = running.counters()
        wire = running.report()
        for device in idle + subscribers + publishers:
            device.end()
        names = ("tcp.retransmissions", "tcp.retransmission_timeouts", "tcp.fast_retransmits")
        print({name: counters[name] for name in names if name in counters}, wire)
        print(f"{sent} messages to {SUBSCRIBERS + 1} subscribers in {minute} minutes, resident set "
              f"{first_kib} KiB after the first and {kib} KiB at the end: "
              f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
