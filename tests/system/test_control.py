#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Administration: ctl, configuration mistakes, logins, logs, start and end."""

import json
import os
import signal
import socket
import subprocess
import time
import unittest

import broker
import wire
from broker import ADDRESS, Broker, options, run

LINEMQD = os.path.join(options.binaries, "linemqd")
CTL = os.path.join(options.binaries, "ctl")


class Ctl(broker.Case):
    def test_every_command_prints_for_people_and_as_json(self):
        client = self.client("shown")
        client.subscribe(("shown/+", 1))
        for words in (["status"], ["client", "list"], ["client", "show", "shown"], ["sub", "list"],
                      ["topic", "match", "shown/x"], ["worker", "list"], ["port", "list"],
                      ["memory", "show"], ["drops"], ["counters"], ["config", "show"],
                      ["log", "level"], ["version"]):
            with self.subTest(command=" ".join(words)):
                plain = self.broker.ctl(*words)
                self.assertTrue(plain.stdout.strip() or words == ["drops"])
                json.loads(self.broker.ctl(*words, "--json").stdout)

    def test_status_counts_clients_and_workers(self):
        self.client("counted")
        status = self.broker.json("status")
        self.assertGreaterEqual(status["clients"]["connected"], 1)
        self.assertEqual(status["workers"]["count"], self.broker.workers)
        self.assertEqual(len(self.broker.json("worker", "list")), self.broker.workers)

    def test_client_show_knows_the_connection(self):
        connection = self.wire()
        connection.connect("looked-at", keep_alive=17)
        connection.subscribe(("looked/at", 1))
        shown = self.broker.json("client", "show", "looked-at")
        self.assertEqual((shown["client"], shown["state"], shown["session"], shown["keep_alive"],
                          shown["address"], shown["port"], shown["local_port"]),
                         ("looked-at", "connected", "clean", 17, broker.HOST,
                          connection.socket.getsockname()[1], broker.PORT))
        self.assertEqual(shown["tcp"]["state"].upper().replace("-", "_"), "ESTABLISHED")

    def test_client_kick_closes_and_an_unknown_client_is_code_4(self):
        connection = self.wire()
        connection.connect("kicked")
        self.broker.ctl("client", "kick", "kicked")
        self.assertTrue(connection.closed())
        for words in (["client", "kick", "nobody"], ["client", "show", "nobody"]):
            self.assertEqual(self.broker.ctl(*words, check=False).returncode, 4)

    def test_publish_reaches_subscribers_and_topic_match_foretells_them(self):
        subscriber = self.client("hears")
        subscriber.subscribe(("from/ctl/+", 2))
        found = self.broker.json("topic", "match", "from/ctl/x")
        self.assertEqual([(r["client"], r["filter"], r["qos"]) for r in found],
                         [("hears", "from/ctl/+", 2)])
        self.broker.ctl("publish", "from/ctl/x", "--message", "hello", "--qos", "1")
        message, = subscriber.receive()
        self.assertEqual((message.payload, message.qos), (b"hello", 1))
        self.broker.ctl("publish", "from/ctl/kept", "--message", "kept", "--retain")
        subscriber.receive()
        late = self.client()
        late.subscribe(("from/ctl/kept", 0))
        self.assertTrue(late.receive()[0].retain)
        self.broker.ctl("publish", "from/ctl/kept", "--message", "", "--retain")

    def test_sub_list_shows_clean_and_persistent_sessions(self):
        clean, persistent = self.client("clean"), self.client("persistent", clean=False)
        clean.subscribe(("a/b", 1))
        persistent.subscribe(("a/#", 2))
        persistent.close()
        rows = {(r["client"], r["filter"], r["qos"]) for r in self.broker.json("sub", "list")}
        self.assertLessEqual({("clean", "a/b", 1), ("persistent", "a/#", 2)}, rows)
        self.client("persistent").close()

    def test_drops_are_named_and_explained(self):
        connection = self.wire()
        connection.send(b"\xf0\x00")
        connection.closed()
        rows = broker.wait_for("a drop", lambda: self.broker.json("drops"))
        for row in rows:
            self.assertRegex(row["name"], r"^[a-z0-9]+\.[a-z0-9_]+$")
            self.assertTrue(row["text"].endswith("."), row)

    def test_exit_codes(self):
        def code(*words):
            return self.broker.ctl(*words, check=False).returncode
        self.assertEqual(code("status"), 0)
        self.assertEqual(code("config", "check", "/nonexistent.yaml"), 1)
        self.assertEqual(code("publish", "a", "--file", "/nonexistent"), 1)
        self.assertEqual(code("nonsense"), 2)
        self.assertEqual(code("client", "kick", "nobody", "--watch", "1"), 2)
        self.assertEqual(code("client", "show", "nobody"), 4)
        self.assertEqual(code("client", "list", "--limit", "many"), 2)
        self.assertEqual(code("publish", "wild/#", "--message", "x"), 2)
        self.assertEqual(run(CTL, "--socket", "/nonexistent/ctl.sock", "status",
                             check=False).returncode, 3)

    def test_help_needs_no_broker(self):
        for words in (["help"], ["--help"], ["help", "client"], ["help", "client", "list"]):
            found = run(CTL, "--socket", "/nonexistent/ctl.sock", *words)
            self.assertIn("ctl", found.stdout)

    def test_watch_prints_again(self):
        process = subprocess.Popen([CTL, "--socket", self.broker.socket, "status", "--json",
                                    "--watch", "0.1"], stdout=subprocess.PIPE, text=True,
                                   preexec_fn=broker.die_with_parent)
        seen = 0
        for line in process.stdout:
            seen += '"version"' in line
            if seen == 3:
                break
        process.terminate()
        process.communicate()
        self.assertEqual(seen, 3)

    def test_log_level_is_set_while_running(self):
        self.broker.ctl("log", "level", "debug")
        self.assertEqual(self.broker.json("log", "level")["level"], "debug")
        self.broker.ctl("log", "level", "info")
        self.assertEqual(self.broker.json("log", "level")["level"], "info")


class Configuration(unittest.TestCase):
    def check(self, text):
        """The exit code of linemqd --check, its messages, and that ctl config check agrees."""
        path = os.path.join(self.directory, "bad.yaml")
        with open(path, "w") as out:
            out.write(text)
        found = run(LINEMQD, "--check", path, check=False)
        other = run(CTL, "config", "check", path, check=False)
        self.assertEqual(found.returncode, other.returncode)
        return found.returncode, found.stdout + found.stderr, path

    def setUp(self):
        self.unstarted = Broker(ready=False)
        self.addCleanup(self.unstarted.kill)
        self.directory = self.unstarted.directory

    def test_mistakes_are_named_with_file_line_and_what_would_be_right(self):
        for text, line, words in (
                ("workers:\n  cuont: 2\n", 2, ["cuont"]),
                ("workers:\n  count: many\n", 2, ["count", "many"]),
                ("workers:\n  count: 1000\n", 2, ["count", "1000"]),
                ("control:\n  sys_interval: -1\n", 2, ["sys_interval"]),
                ("listeners:\n  - port: 70000\n", 2, ["port", "70000", "65535"]),
                ("ports:\n  - kind: tapp\n    device: x\n", 2, ["kind", "tapp", "tap"]),
                ("ports:\n  - kind: tap\n    device: x\n    address: 10.0.0.300/24\n", 4,
                 ["address", "10.0.0.300/24"]),
                ("nonsense: 1\n", 1, ["nonsense"]),
                ("log:\n  level: loud\n", 2, ["level", "loud", "debug"])):
            with self.subTest(text=text):
                code, messages, path = self.check(text)
                self.assertEqual(code, 1)
                self.assertIn(f"{path}:{line}:", messages)
                for word in words:
                    self.assertIn(word, messages)

    def test_all_mistakes_are_named_at_once(self):
        _, messages, path = self.check("workers:\n  cuont: 2\nlog:\n  level: loud\n")
        self.assertIn(f"{path}:2:", messages)
        self.assertIn(f"{path}:4:", messages)

    def test_a_file_that_is_not_yaml_is_refused(self):
        code, messages, path = self.check("workers: [1, 2\nports: {\n")
        self.assertEqual(code, 1)
        self.assertIn(path, messages)

    def test_nothing_starts_with_a_mistake(self):
        self.unstarted.settings["mqtt"] = {"packet_size": 1}
        self.unstarted.spawn()
        self.assertEqual(self.unstarted.process.wait(broker.PATIENCE), 1)
        self.assertIn("packet_size", self.unstarted.log())
        self.assertFalse(os.path.exists(self.unstarted.socket))
        self.assertNotEqual(run("ip", "link", "show", "dev", "linemq0", check=False).returncode, 0)

    def test_what_is_printed_is_a_configuration(self):
        printed = run(LINEMQD, "--print").stdout
        code, messages, _ = self.check(printed)
        self.assertEqual(code, 0, messages)

    def test_the_reference_names_every_section(self):
        reference = run(LINEMQD, "--reference").stdout
        for section in ("workers", "ports", "listeners", "auth", "mqtt", "tcp", "control", "log"):
            self.assertIn(section, reference)

    def test_wrong_usage_is_code_2(self):
        self.assertEqual(run(LINEMQD, "--nonsense", check=False).returncode, 2)
        self.assertEqual(run(LINEMQD, "extra", check=False).returncode, 2)

    def test_a_configuration_may_come_through_a_pipe(self):
        for text, code, words in (("log:\n  level: info\n", 0, "good"),
                                  ("nonsense: 1\n", 1, "nonsense"), ("", 0, "good")):
            found = subprocess.run([LINEMQD, "--check", "/dev/stdin"], input=text, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   timeout=broker.PATIENCE)
            self.assertEqual((found.returncode, words in found.stdout), (code, True), found.stdout)

    def test_a_missing_file_is_named(self):
        found = run(LINEMQD, "--config", "/nonexistent.yaml", check=False)
        self.assertEqual(found.returncode, 1)
        self.assertIn("/nonexistent.yaml", found.stderr)


class Lifetime(unittest.TestCase):
    def test_sigterm_says_goodbye_and_ends_within_two_seconds(self):
        running = Broker()
        connections = [wire.Wire(ADDRESS) for _ in range(50)]
        for i, connection in enumerate(connections):
            connection.connect(f"goodbye-{i}")
        silent = wire.Wire(ADDRESS)
        running.process.send_signal(signal.SIGTERM)
        for connection in connections:
            self.assertTrue(connection.closed())
            connection.close()
        silent.close()
        running.stop()

    def test_sigint_ends_it_too(self):
        running = Broker()
        running.process.send_signal(signal.SIGINT)
        self.assertEqual(running.process.wait(broker.PATIENCE), 0)
        running.stop()

    def test_it_starts_again_at_once_and_clients_come_back(self):
        for _ in range(2):
            with Broker():
                with wire.Wire(ADDRESS, source_port=40001) as connection:
                    connection.connect("returns")
                    connection.abort()

    def test_a_second_instance_says_what_is_taken(self):
        with Broker() as first:
            same_interface = Broker(ready=False)
            same_interface.spawn()
            self.assertEqual(same_interface.process.wait(broker.PATIENCE), 1)
            self.assertIn("port linemq0: another LineMQ runs on this interface",
                          same_interface.log())
            same_interface.kill()

            same_socket = Broker(ready=False, interface="linemq1")
            same_socket.settings["control"]["socket"] = first.socket
            same_socket.spawn()
            self.assertEqual(same_socket.process.wait(broker.PATIENCE), 1)
            self.assertIn(first.socket, same_socket.log())
            self.assertNotEqual(run("ip", "link", "show", "dev", "linemq1",
                                    check=False).returncode, 0)
            same_socket.kill()
            # The first has not noticed.
            self.assertTrue(first.answers())
            self.assertEqual(first.ctl("status").returncode, 0)

    def test_a_signal_during_the_start_ends_it(self):
        """A signal that is pending and blocked stays so in the program that is executed."""
        def pending():
            broker.die_with_parent()
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            os.kill(os.getpid(), signal.SIGTERM)
        early = Broker(ready=False)
        config = early.file("linemq.yaml", broker.yaml(early.settings) + "\n")
        with open(early.log_file, "a") as log:
            early.process = subprocess.Popen(early.command(config), stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log, preexec_fn=pending)
        early.process.wait(broker.PATIENCE)
        self.assertIn("stopped while starting", early.log())
        early.stop()

    def test_a_start_that_fills_packet_memory_ends_at_once(self):
        """Its filling takes DPDK many seconds, in one call."""
        with open("/proc/meminfo") as lines:
            available = next(int(line.split()[1]) for line in lines if "MemAvailable" in line) >> 10
        filling = Broker(ready=False)
        filling.settings["workers"].update({"packet_memory_mib": min(16384, available * 3 // 4),
                                            "hugepages": False})
        filling.spawn()

        def resident():
            with open(f"/proc/{filling.process.pid}/status") as lines:
                return next((int(line.split()[1]) >> 10 for line in lines if "VmRSS" in line), 0)
        broker.wait_for("it to fill", lambda: filling.alive() and resident() > 200)
        self.assertTrue(os.path.exists(filling.socket))
        runtime = f"/run/dpdk/linemq-{filling.process.pid}"
        self.assertLess(filling.stop(), 2)
        self.assertFalse(os.path.exists(runtime))

    def test_more_packet_memory_than_there_is_is_refused_before_anything_is_set_up(self):
        greedy = Broker(ready=False)
        greedy.settings["workers"].update({"packet_memory_mib": 65536, "hugepages": False})
        greedy.settings["control"]["socket"] = "/nonexistent/ctl.sock"
        greedy.spawn()
        self.assertEqual(greedy.process.wait(broker.PATIENCE), 1)
        self.assertIn("workers.packet_memory_mib: 65536 MiB is too much", greedy.log())
        self.assertNotIn("/nonexistent", greedy.log())
        greedy.kill()

    def test_a_start_that_fills_memory_ends_as_soon_as_any(self):
        filling = Broker(workers=2, ready=False)
        filling.settings["workers"].update({"memory_mib": 512, "prefault": True})
        filling.spawn()
        broker.wait_for("the socket", lambda: filling.alive() and os.path.exists(filling.socket))
        filling.stop()

    def test_it_starts_with_standard_descriptors_closed(self):
        class Closed(Broker):
            def command(self, config):
                return ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *super().command(config)]
        with Closed() as running:
            for number in range(3):
                self.assertEqual(os.readlink(f"/proc/{running.process.pid}/fd/{number}"),
                                 "/dev/null")

    def test_it_says_when_hugepages_are_too_few(self):
        with open("/proc/meminfo") as lines:
            if not any(line.split() == ["HugePages_Free:", "0"] for line in lines):
                self.skipTest("there are hugepages")
        with Broker() as running:
            self.assertIn("packet buffers are in ordinary memory", running.log())

    def test_an_end_removes_the_directory_that_a_killed_instance_left(self):
        class Private(Broker):
            """Its /run is its own, and has what a killed instance leaves."""
            def command(self, config):
                return ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && '
                        'mkdir /run/linemq && exec "$@"', "sh", *super().command(config)]
        private = Private(ready=False)
        private.settings["control"]["socket"] = "/run/linemq/ctl.sock"
        private.start()
        # Outlives the process, and its namespace with it.
        run_directory = os.open(f"/proc/{private.process.pid}/root/run", os.O_PATH | os.O_DIRECTORY)
        self.addCleanup(os.close, run_directory)
        self.assertTrue(os.stat("linemq/ctl.sock", dir_fd=run_directory))
        private.stop()
        self.assertRaises(FileNotFoundError, os.stat, "linemq", dir_fd=run_directory)

    def test_a_killed_broker_leaves_nothing_that_stops_the_next(self):
        first = Broker()
        first.process.kill()
        first.process.wait()
        second = Broker(ready=False)
        second.settings["control"]["socket"] = second.socket = first.socket
        second.start()
        self.assertEqual(second.ctl("status").returncode, 0)
        second.stop()
        first.kill()

    def test_each_log_line_is_json_when_asked_whoever_writes_it(self):
        """DPDK, its drivers and libbpf have something to say when they start and when they end."""
        for kind, settings in (("tap", {}), ("af_xdp", {"device": "lqjson0"})):
            with self.subTest(kind=kind):
                if kind == "af_xdp":
                    run("ip", "link", "add", "lqjson0", "type", "veth", "peer", "name", "lqjson1")
                    self.addCleanup(run, "ip", "link", "delete", "lqjson0")
                    for end in ("lqjson0", "lqjson1"):
                        run("ip", "link", "set", end, "up")
                running = Broker(ready=False)
                running.settings["log"] = {"format": "json", "level": "debug"}
                running.settings["ports"][0].update({"kind": kind, **settings})
                running.spawn()
                broker.wait_for("ctl", lambda: running.alive() and
                                running.ctl("status", check=False).returncode == 0)
                running.process.terminate()
                self.assertEqual(running.process.wait(broker.PATIENCE), 0, running.log())
                lines = [json.loads(line) for line in running.log().splitlines()]
                parts = {line["part"] for line in lines}
                self.assertLessEqual({"main", "dpdk"}, parts)
                self.assertEqual(any("libxdp" in line["text"] for line in lines), kind == "af_xdp")
                running.kill()

    def test_a_start_that_dpdk_refuses_is_one_json_line(self):
        for words, sentence in (("--nosuch", "workers.eal: DPDK refuses `--nosuch`: "
                                             "linemqd: unrecognized option '--nosuch'"),
                                ("-l 2-x", "workers.eal: DPDK refuses `-l 2-x`"),
                                ("--help", "workers.eal: `--help` would end the broker")):
            refused = Broker(ready=False)
            refused.settings["log"] = {"format": "json"}
            refused.settings["workers"].update({"eal": words, "hugepages": False})
            refused.spawn()
            self.assertEqual(refused.process.wait(broker.PATIENCE), 1)
            lines = [json.loads(line) for line in refused.log().splitlines()]
            self.assertEqual([line["level"] for line in lines], ["error"])
            self.assertIn(sentence, lines[0]["text"])
            refused.kill()


class Logins(unittest.TestCase):
    def start(self, chain):
        running = Broker(ready=False)
        self.passwords = running.file("passwords", broker.password_line("ada", "engine")
                                      + broker.password_line("grace", "compiler"))
        running.settings["auth"] = [
            {**link, "path": self.passwords} if link["kind"] == "password_file" else link
            for link in chain]
        running.start()
        self.addCleanup(running.stop)
        return running

    def code(self, **login):
        with wire.Wire(ADDRESS) as connection:
            connection.send(wire.connect("login", **login))
            return connection.receive(wire.CONNACK).body[1]

    def test_a_password_file_decides(self):
        running = self.start([{"kind": "password_file"}])
        self.assertEqual(self.code(username="ada", password="engine"), 0)
        self.assertEqual(self.code(username="grace", password="compiler"), 0)
        self.assertIn(self.code(username="ada", password="compiler"), (4, 5))
        self.assertIn(self.code(username="nobody", password="x"), (4, 5))
        self.assertIn(self.code(username="ada"), (4, 5))
        self.assertIn(self.code(), (4, 5))
        self.assertTrue(any("auth" in r["name"] or "refused" in r["name"] or "login" in r["name"]
                            for r in running.json("drops")), running.json("drops"))

    def test_anonymous_after_it_in_the_chain_lets_in_who_gives_no_name(self):
        self.start([{"kind": "password_file"}, {"kind": "anonymous"}])
        self.assertEqual(self.code(), 0)
        self.assertEqual(self.code(username="ada", password="engine"), 0)
        self.assertIn(self.code(username="ada", password="wrong"), (4, 5))

    def test_sighup_reads_the_password_file_again(self):
        running = self.start([{"kind": "password_file"}])
        self.assertIn(self.code(username="joan", password="clarke"), (4, 5))
        with open(self.passwords, "a") as out:
            out.write(broker.password_line("joan", "clarke"))
        running.process.send_signal(signal.SIGHUP)
        broker.wait_for("the new user", lambda: self.code(username="joan", password="clarke") == 0)

    def test_a_slow_login_stops_nobody_else(self):
        """A hash that takes long is worked out beside the workers."""
        running = Broker(ready=False)
        path = running.file("passwords", broker.password_line("slow", "hash", 2000000)
                            + broker.password_line("fast", "hash"))
        running.settings["auth"] = [{"kind": "password_file", "path": path}]
        running.start()
        self.addCleanup(running.stop)
        with wire.Wire(ADDRESS) as fast:
            fast.connect("fast", username="fast", password="hash")
            slow = wire.Wire(ADDRESS, timeout=60)
            slow.send(wire.connect("slow", username="slow", password="hash"))
            began = time.monotonic()
            for _ in range(20):
                fast.ping()
            pings = time.monotonic() - began
            slow.receive(wire.CONNACK)
            self.assertLess(pings, time.monotonic() - began)
            slow.close()


class Socket(broker.Case):
    def test_only_root_may_use_the_socket(self):
        status = os.stat(self.broker.socket)
        self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o007), (0, 0, 0))

    def test_nonsense_on_the_socket_is_answered_and_hurts_nobody(self):
        for data in (b"nonsense\n", b"{}\n", b'{"version": 99, "command": "status"}\n', b"\0" * 5000,
                     b'{"version": 1, "command": "client list", "arguments": {"limit": "x"}}\n'):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(self.broker.socket)
                connection.sendall(data)
                if data.endswith(b"\n"):
                    self.assertIn(b"error", connection.recv(65536))
        self.assertEqual(self.broker.ctl("status").returncode, 0)


if __name__ == "__main__":
    broker.main()
