#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/quickstart.sh as a user runs it."""

import contextlib
import os
import signal
import subprocess
import tempfile
import unittest

import broker
from broker import ROOT, options, run

SCRIPT = os.path.join(ROOT, "tools/quickstart.sh")


class Quickstart(unittest.TestCase):
    def setUp(self):
        # A namespace as new as one gets it: its loopback is down.
        self.assertEqual(broker.libc.unshare(broker.CLONE_NEWNET), 0)
        self.directory = tempfile.TemporaryDirectory(prefix="linemq-quickstart-test.")
        self.addCleanup(self.directory.cleanup)
        self.socket = os.path.join(self.directory.name, "ctl.sock")
        self.temporary = os.path.join(self.directory.name, "tmp")
        os.mkdir(self.temporary)

    def start(self, *words, config=False):
        if not config:
            words = ("--socket", self.socket, "--workers", str(options.workers), *words)
        self.process = subprocess.Popen(
            [SCRIPT, "--no-install", "--build-dir", options.binaries, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": self.temporary}, preexec_fn=os.setpgrp)
        self.addCleanup(self.end)

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def ready(self):
        """The ready line as a dictionary, and the three lines after it."""
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            self.fail(line + self.process.stdout.read() + self.process.stderr.read())
        words = dict(word.split("=", 1) for word in line.split()[1:])
        hints = [self.process.stdout.readline().split("  #")[0].strip() for _ in range(3)]
        return words, hints

    def stop(self, number=signal.SIGINT, group=True):
        """As Ctrl-C does it: the signal goes to the whole foreground group."""
        (os.killpg if group else os.kill)(self.process.pid, number)
        output, errors = self.process.communicate(timeout=20)
        self.assertEqual(self.process.returncode, 0, output + errors)

    def nothing_left(self, interface="linemq0"):
        self.assertNotEqual(run("ip", "link", "show", "dev", interface, check=False).returncode, 0)
        self.assertFalse(os.path.exists(self.socket))
        self.assertEqual(os.listdir(self.temporary), [])
        broker.wait_for("its processes to be gone", self.group_is_gone)

    def group_is_gone(self):
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def test_it_prints_ready_and_hints_that_work_and_leaves_nothing(self):
        self.start()
        words, hints = self.ready()
        self.assertEqual((words["mqtt"], words["ctl"]), ("10.88.0.2:1883", self.socket))
        subscribe, publish, status = hints
        subscriber = subprocess.Popen(["bash", "-c", f"exec stdbuf -oL {subscribe} -d -C 1"],
                                      stdout=subprocess.PIPE, text=True,
                                      preexec_fn=broker.die_with_parent)
        for line in subscriber.stdout:
            if line.startswith("Subscribed"):
                break
        run("bash", "-c", publish)
        self.assertIn("demo/hello hello", subscriber.communicate(timeout=20)[0])
        self.assertIn("onnected", run("bash", "-c", status).stdout)
        self.stop()
        self.nothing_left()

    def test_sigterm_to_the_script_alone_ends_it_too(self):
        self.start()
        self.ready()
        self.stop(signal.SIGTERM, group=False)
        self.nothing_left()

    def test_addresses_interface_and_port_can_be_chosen(self):
        self.start("--host", "192.168.77.1/24", "--address", "192.168.77.2/24", "--host6", "none",
                   "--interface", "lmtest7", "--port", "2883")
        words, hints = self.ready()
        self.assertEqual((words["mqtt"], words["interface"]), ("192.168.77.2:2883", "lmtest7"))
        self.assertNotIn("mqtt6", words)
        run("bash", "-c", hints[1])
        self.stop()
        self.nothing_left("lmtest7")

    def test_it_runs_a_given_configuration(self):
        config = os.path.join(self.directory.name, "own.yaml")
        with open(config, "w") as out:
            out.write(f"control:\n  socket: {self.socket}\n"
                      "ports:\n  - kind: tap\n    device: own0\n    address: 10.88.0.2/24\n")
        for more, port in ([], "1883"), (["--port", "3883", "--set", "log.level=error"], "3883"):
            with self.subTest(options=more):
                self.start("--config", config, *more, config=True)
                words, hints = self.ready()
                self.assertEqual((words["interface"], words["mqtt"]),
                                 ("own0", f"10.88.0.2:{port}"))
                run("bash", "-c", hints[1])
                self.stop()
                self.nothing_left("own0")

    def test_mistakes_end_it_with_a_sentence(self):
        config = os.path.join(self.directory.name, "bad.yaml")
        with open(config, "w") as out:
            out.write("workers:\n  cuont: 1\n")
        for words, code, sentence in (
                (["--config", config], 1, "cuont"),
                (["--workers", "many"], 1, "workers.count"),
                (["--address", "10.88.0.300/24"], 1, "10.88.0.300/24"),
                (["--set", "no.such=1"], 1, "no.such"),
                (["--host", "nonsense"], 2, "nonsense"),
                (["--unknown"], 2, "--unknown"),
                (["--config", "/nonexistent.yaml"], 1, "/nonexistent.yaml")):
            with self.subTest(words=words):
                self.start(*words, config=True)
                output, errors = self.process.communicate(timeout=60)
                self.assertEqual(self.process.returncode, code, errors)
                self.assertIn(sentence, errors)
                self.nothing_left()

    def test_an_interface_that_exists_is_not_touched(self):
        run("ip", "tuntap", "add", "dev", "linemq0", "mode", "tap")
        self.start()
        _, errors = self.process.communicate(timeout=60)
        self.assertEqual(self.process.returncode, 1)
        self.assertIn("linemq0", errors)
        self.assertEqual(run("ip", "link", "show", "dev", "linemq0", check=False).returncode, 0)

    def test_a_broker_that_dies_is_reported(self):
        self.start()
        self.ready()
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            for pid in children.read().split():
                with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/comm") as name:
                    if name.read() == "linemqd\n":
                        os.kill(int(pid), signal.SIGKILL)
        _, errors = self.process.communicate(timeout=20)
        self.assertEqual(self.process.returncode, 1)
        self.assertIn("137", errors)

    def test_without_root_it_says_so(self):
        try:
            found = subprocess.run([SCRIPT, "--no-install"], stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.PIPE, preexec_fn=lambda: os.setuid(65534))
        except PermissionError:
            self.skipTest("this checkout cannot be read by others")
        self.assertEqual(found.returncode, 1)
        self.assertIn("root", found.stderr)


if __name__ == "__main__":
    broker.main()
