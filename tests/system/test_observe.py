#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Looking inside: captures and traces of real traffic."""

import os
import shutil
import socket
import stat
import struct
import subprocess
import tempfile
import time
import unittest

import broker
import pcapng
import wire
from broker import ADDRESS, ADDRESS6, HOST, HOST6, options, wait_for

SYN, FIN, ACK = 2, 1, 16


class Capture(broker.Case):
    def start(self, *words):
        """Starts a capture; the path of its file. It is stopped when the test ends."""
        path = os.path.join(self.broker.directory, f"{self._testMethodName}.pcapng")
        row, = self.broker.json("capture", "start", path, *words)
        self.assertEqual((row["state"], row["file"]), ("running", path))
        self.number = row["capture"]
        self.addCleanup(self.broker.ctl, "capture", "stop", str(self.number))
        return path

    def stop(self):
        row, = self.broker.json("capture", "stop", str(self.number))
        self.assertEqual((row["state"], row["missed"]), ("ended", 0))
        return row

    def test_a_conversation_is_there_whole_and_in_order_of_time(self):
        path = self.start("--port", str(broker.PORT), "--payload")
        before = time.time()
        client = self.client("talks", username="me", password="secret")
        client.subscribe(("talks/#", 1))
        client.publish("talks/x", "hello", qos=1)
        client.receive()
        client.close()
        port = None
        row = self.stop()
        interfaces, packets, statistics = pcapng.read(path)
        self.assertEqual(interfaces, [self.broker.interface])
        self.assertEqual(statistics, {"written": row["packets"], "missed": 0})
        self.assertEqual((len(packets), os.path.getsize(path)), (row["packets"], row["bytes"]))
        connect = wire.connect("talks", keep_alive=60, username="me", password="secret")
        first = next(p for p in packets if connect in p.payload)
        port = first.source_port
        talk = [p for p in packets if p.client_port == port]
        self.assertEqual([(p.direction, p.flags) for p in talk[:2]],
                         [("in", SYN), ("out", SYN | ACK)])
        # The host may put the ACK on the queue of another worker than the CONNECT, which runs later.
        self.assertIn(("in", ACK, talk[0].seq + 1, b""),
                      [(p.direction, p.flags, p.seq, p.payload) for p in talk])
        for direction, source in (("in", HOST), ("out", ADDRESS)):
            self.assertEqual({p.source for p in talk if p.direction == direction}, {source})
        sent = b"".join(p.payload for p in talk if p.direction == "out")
        self.assertTrue(sent.startswith(b"\x20\x02\x00\x00"), sent)
        self.assertIn(b"talks/x", sent)
        self.assertTrue(any(p.flags & FIN for p in talk))
        times = [p.time for p in talk]
        self.assertTrue(before - 2 < times[0] < time.time() + 2, (before, times[0]))
        self.assertTrue(all(b - a > -0.01 for a, b in zip(times, times[1:])), times)

    def test_without_payload_no_word_of_a_client_is_in_the_file(self):
        path = self.start()
        client = self.client("my-name-is-private", username="me-too", password="my-password")
        client.subscribe(("private/topic", 0))
        client.publish("private/topic", "private-message")
        client.receive()
        client.close()
        self.stop()
        with open(path, "rb") as file:
            content = file.read()
        for word in (b"my-name-is", b"me-too", b"my-password", b"private"):
            self.assertNotIn(word, content)
        _, packets, _ = pcapng.read(path)
        talk = [p for p in packets if p.tcp]
        self.assertGreater(len(talk), 8)
        self.assertEqual({p.payload for p in talk}, {b""})
        self.assertTrue(any(p.wire_len > len(p.data) for p in talk))

    def test_a_client_is_followed_to_its_next_connection_and_nobody_else(self):
        other = self.client("not-wanted")
        other.subscribe(("follow/#", 0))
        client = self.client("wanted")
        path = self.start("--client", "wanted", "--payload")
        client.publish("follow/first", "1", qos=1)
        client.close()
        ports = set()
        for worker in range(self.broker.workers):
            again = self.broker.on_worker(worker, lambda: self.client("wanted"))
            ports.add(again.paho.socket().getsockname()[1])
            again.publish("follow/again", str(worker), qos=1)
            again.close()
        other.receive(1 + self.broker.workers)
        self.stop()
        _, packets, _ = pcapng.read(path)
        received = b"".join(p.payload for p in packets if p.direction == "in")
        self.assertIn(b"follow/first", received)
        self.assertEqual(received.count(b"follow/again"), self.broker.workers)
        self.assertIn(wire.connect("wanted", keep_alive=60), received)
        self.assertLessEqual(ports, {p.client_port for p in packets})
        self.assertNotIn(b"not-wanted", received)
        sent = b"".join(p.payload for p in packets if p.direction == "out")
        self.assertNotIn(b"follow/", sent)  # those went to the other one
        self.assertGreaterEqual(sent.count(b"\x20\x02\x00\x00"), self.broker.workers)

    def test_a_client_may_connect_after_the_capture_has_begun(self):
        path = os.path.join(self.broker.directory, "later.pcapng")
        started = self.broker.ctl("capture", "start", path, "--client", "later", "--payload")
        self.assertIn("not connected", started.stderr)
        self.client("later").publish("later/x", "y", qos=1)
        self.broker.ctl("capture", "stop")
        received = b"".join(p.payload for p in pcapng.read(path)[1] if p.direction == "in")
        self.assertIn(wire.connect("later", keep_alive=60), received)
        self.assertIn(b"later/x", received)

    def test_addresses_are_told_apart_by_prefix(self):
        path = self.start("--address", "fd88::/64")
        self.client("six", address=ADDRESS6).publish("six", "6", qos=1)
        self.client("four").publish("four", "4", qos=1)
        self.stop()
        _, packets, _ = pcapng.read(path)
        tcp = [p for p in packets if p.tcp]
        self.assertEqual({p.source for p in tcp}, {HOST6, ADDRESS6})
        self.assertEqual({p.direction for p in tcp}, {"in", "out"})

    def test_a_worker_by_itself_shows_its_connections(self):
        worker = self.broker.workers - 1
        path = self.start("--worker", str(worker), "--port", str(broker.PORT), "--payload")
        client = self.broker.on_worker(worker, lambda: self.client("on-worker"))
        client.publish("on/worker", "x", qos=1)
        self.stop()
        port = client.paho.socket().getsockname()[1]
        talk = [p for p in pcapng.read(path)[1] if p.client_port == port]
        self.assertIn(b"on/worker", b"".join(p.payload for p in talk if p.direction == "in"))
        self.assertIn(b"\x20\x02", b"".join(p.payload for p in talk if p.direction == "out"))
        missing = self.broker.ctl("capture", "start", path + "2", "--worker", "31", check=False)
        self.assertEqual(missing.returncode, 4)

    def test_limits_end_it_by_themselves(self):
        client = self.client("limited")
        for words, limit in ((("--packets", "5"), "packets"), (("--bytes", "4096"), "bytes"),
                             (("--seconds", "1"), "seconds")):
            with self.subTest(limit=limit):
                path = os.path.join(self.broker.directory, f"limit-{limit}.pcapng")
                row, = self.broker.json("capture", "start", path, "--payload", *words)
                number = str(row["capture"])

                def ended():
                    client.publish("limited", "x" * 100, qos=1)
                    status = self.broker.json("capture", "status", number)
                    return status["state"] == "ended" and status

                status = wait_for(f"the limit of {limit}", ended)
                self.assertIsNotNone(status["reason"])
                _, packets, _ = pcapng.read(path)
                self.assertEqual(len(packets), status["packets"])
                if limit == "packets":
                    self.assertEqual(len(packets), 5)
                self.assertLess(status["bytes"], status["bytes_max"] + 500)

    def test_the_file_is_its_owners_and_never_overwritten(self):
        path = self.start()
        status = os.stat(path)
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
        self.assertEqual((status.st_uid, status.st_gid), (os.geteuid(), os.getegid()))
        self.stop()
        size = os.path.getsize(path)
        again = self.broker.ctl("capture", "start", path, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("never overwrites", again.stderr)
        self.assertEqual(os.path.getsize(path), size)
        os.symlink("/etc/linemq-made-by-a-test", path + ".link")
        for name in (path + ".link", "/no/such/directory/x.pcapng", self.broker.directory):
            self.assertEqual(self.broker.ctl("capture", "start", name, check=False).returncode, 1)
        self.assertFalse(os.path.exists("/etc/linemq-made-by-a-test"))

    def test_a_relative_file_is_made_where_ctl_runs(self):
        self.broker.ctl("capture", "start", "relative.pcapng", cwd=self.broker.directory)
        self.broker.ctl("capture", "stop")
        pcapng.read(os.path.join(self.broker.directory, "relative.pcapng"))

    def test_follow_prints_as_it_goes_and_takes_the_capture_with_it(self):
        path = os.path.join(self.broker.directory, "follow.pcapng")
        ctl = subprocess.Popen(
            [os.path.join(options.binaries, "ctl"), "--socket", self.broker.socket, "capture",
             "start", path, "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=broker.die_with_parent)
        self.addCleanup(ctl.communicate)
        self.addCleanup(ctl.kill)
        self.assertIn("PACKETS", ctl.stdout.readline())
        self.assertIn("running", ctl.stdout.readline())
        self.client("followed").publish("followed", "x", qos=1)
        number = self.broker.json("capture", "list")[0]["capture"]
        ctl.kill()
        status = wait_for("the end of the capture", lambda: (
            lambda row: row["state"] == "ended" and row)(
                self.broker.json("capture", "status", str(number))))
        self.assertIn("gone", status["reason"])
        self.assertGreater(len(pcapng.read(path)[1]), 5)

    def test_several_run_at_once_and_the_next_is_told_why_not(self):
        self.broker.ctl("capture", "stop", check=False)
        paths = [os.path.join(self.broker.directory, f"several-{i}") for i in range(5)]
        numbers = [str(self.broker.json("capture", "start", path)[0]["capture"])
                   for path in paths[:4]]
        refused = self.broker.ctl("capture", "start", paths[4], check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("4 captures run already", refused.stderr)
        self.assertFalse(os.path.exists(paths[4]))
        self.client("several").publish("several", "x", qos=1)
        for number in numbers:
            self.broker.ctl("capture", "stop", number)
        counts = {len(pcapng.read(path)[1]) for path in paths[:4]}
        self.assertGreater(min(counts), 5)
        rows = {str(row["capture"]): row["state"] for row in self.broker.json("capture", "list")}
        self.assertEqual({rows[number] for number in numbers}, {"ended"})

    def test_missed_frames_stand_with_the_worker(self):
        row = self.broker.json("worker", "list")[0]
        self.assertEqual(row["capture_missed"], 0)
        self.assertGreater(row["longest_turn_us"], 0)


class Trace(broker.Case):
    def cut(self):
        """Nothing more reaches the broker until mend()."""
        broker.run("ip", "route", "add", "blackhole", f"{ADDRESS}/32")

    def mend(self):
        broker.run("ip", "route", "del", "blackhole", f"{ADDRESS}/32", check=False)

    def trace(self, client_id):
        return self.broker.json("client", "trace", client_id)

    def test_a_client_that_never_came_has_no_trace(self):
        self.assertEqual(self.broker.ctl("client", "trace", "nobody", check=False).returncode, 4)

    def test_the_events_of_an_outage_are_there_also_when_the_client_has_gone(self):
        client = self.client("troubled")
        client.subscribe(("troubled", 1))
        self.addCleanup(self.mend)
        self.cut()
        self.broker.ctl("publish", "troubled", "--message", "x", "--qos", "1")

        def retransmissions():
            return self.broker.json("client", "show", "troubled")["tcp"]["retransmissions"] >= 2

        wait_for("retransmissions", retransmissions)
        self.mend()
        client.receive()
        wait_for("the ACK", lambda: any(
            row["event"] == "ack_in" for row in self.trace("troubled")))
        rows = self.trace("troubled")
        names = [row["event"] for row in rows]
        first = names.index("tcp.retransmissions")
        timeout = names.index("tcp.retransmission_timeouts")  # a tail loss probe may come before
        self.assertEqual(names[timeout + 1:timeout + 3], ["segment_out", "tcp.retransmissions"])
        self.assertEqual(names[0], "begin")
        self.assertEqual(rows[0]["values"]["port"], client.paho.socket().getsockname()[1])
        self.assertEqual(rows[first]["in_flight_bytes"], rows[first]["values"]["len"])
        times = [row["at_us"] for row in rows]
        self.assertEqual(times, sorted(times))
        client.close()
        wait_for("the end", lambda: self.trace("troubled")[-1]["event"] == "closed")
        # A second connection has a trace of its own, behind the first.
        again = self.client("troubled")
        again.subscribe(("troubled", 1))
        self.cut()
        self.broker.ctl("publish", "troubled", "--message", "x", "--qos", "1")
        wait_for("a second trace", lambda: any(
            row["connection"] == 2 and row["event"] == "tcp.retransmissions"
            for row in self.trace("troubled")))
        self.mend()
        text = self.broker.ctl("client", "trace", "troubled").stdout
        self.assertIn("tcp.retransmissions", text)

    def test_drops_stand_with_the_connection_that_they_happened_to(self):
        connection = self.wire()
        connection.connect("dropped")
        port = connection.socket.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
            header = struct.pack("!HHIIBBHHH", port, broker.PORT, 1, 0, 5 << 4, 2, 1000, 0, 0)
            pseudo = (socket.inet_aton(HOST) + socket.inet_aton(ADDRESS)
                      + struct.pack("!BBH", 0, 6, len(header)))
            total = sum(struct.unpack(f"!{len(pseudo + header) // 2}H", pseudo + header))
            total = (total & 0xffff) + (total >> 16)
            total = ~((total & 0xffff) + (total >> 16)) & 0xffff
            raw.sendto(header[:16] + struct.pack("!H", total) + header[18:], (ADDRESS, 0))
        drop, = wait_for("the drop", lambda: [
            drop for drop in self.broker.json("client", "show", "dropped")["tcp"]["drops"]
            if drop["name"] == "tcp.drop_syn"])
        self.assertEqual(drop["count"], 1)
        self.assertIn("tcp.drop_syn", [row["event"] for row in self.trace("dropped")])


class End(unittest.TestCase):
    def test_a_broker_that_stops_completes_its_files(self):
        directory = tempfile.mkdtemp(prefix="linemq-test.")
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "stop.pcapng")
        with broker.Broker() as one:
            one.ctl("capture", "start", path)
            with broker.Client("last") as client:
                client.publish("last", "x", qos=1)
        _, packets, statistics = pcapng.read(path)
        self.assertEqual(statistics["written"], len(packets))
        self.assertGreater(len(packets), 5)


if __name__ == "__main__":
    broker.main()
