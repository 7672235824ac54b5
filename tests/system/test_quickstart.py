#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/quickstart.sh as a user runs it."""

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import time
import unittest
import unittest.mock

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
        words = dict(word.split("=", 1) for word in shlex.split(line)[1:])
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
                (["--host", "nonsense"], 2, "--host: nonsense"),
                (["--host", "10.88.0.256/24"], 2, "--host: 10.88.0.256/24"),
                (["--host", "10.88.0.1/33"], 2, "--host: 10.88.0.1/33"),
                (["--host6", "fd88::1::2/64"], 2, "--host6: fd88::1::2/64"),
                (["--host6", "fd88:::1/64"], 2, "--host6: fd88:::1/64"),
                (["--host6", "fd88::1/129"], 2, "--host6: fd88::1/129"),
                (["--host6", "1:2:3:4:5:6:7/64"], 2, "--host6: 1:2:3:4:5:6:7/64"),
                (["--host", "10.88.0.2/24"], 1, "--host and --address are both 10.88.0.2"),
                (["--host6", "FD88:0::2/64"], 1, "--host6 and --address6 are both"),
                (["--host", "10.77.0.1/24"], 1, "10.88.0.2/24 is not reached through linemq0"),
                (["--set", "ports[0].address=null", "--address6", "fd88::2/64",
                  "--host6", "none"], 1, "--host6 is none"),
                (["--set", "ports[0].address=null", "--host6", "fd77::1/64"], 1,
                 "fd88::2/64 is not reached through linemq0"),
                (["--unknown"], 2, "--unknown"),
                (["--config", "/nonexistent.yaml"], 1, "/nonexistent.yaml")):
            with self.subTest(words=words):
                # Where one is found out only when the broker runs, it has a socket of its own.
                socket = [] if code == 2 or "--config" in words else ["--socket", self.socket]
                self.start(*words, *socket, config=True)
                output, errors = self.process.communicate(timeout=60)
                self.assertEqual(self.process.returncode, code, errors)
                self.assertIn(sentence, errors)
                self.assertEqual("building" in errors, code == 1 and "/nonexistent" not in sentence)
                self.nothing_left()

    def path_with(self, name, text):
        """A PATH on which a script of ours stands for a program."""
        tools = os.path.join(self.directory.name, "bin")
        os.makedirs(tools)
        with open(os.path.join(tools, name), "w") as out:
            out.write("#!/bin/bash\n" + text)
        os.chmod(os.path.join(tools, name), 0o755)
        return f"{tools}:{os.environ['PATH']}"

    def test_an_ipv6_address_that_does_not_answer_is_not_printed(self):
        # The client's attempts take their time and fail, as they do behind a packet filter.
        deaf = self.path_with("timeout", '[[ $* != *fd88::2* ]] && exec /usr/bin/timeout "$@"\n'
                              "sleep 0.5\nexit 1\n")
        for words, path, sentence in (
                (["--host6", "fd77::1/64"], os.environ["PATH"], "is not reached through linemq0"),
                ([], deaf, "does not answer an MQTT client")):
            with self.subTest(words=words), unittest.mock.patch.dict(os.environ, PATH=path):
                begin = time.monotonic()
                self.start(*words)
                found, _ = self.ready()
                self.assertLess(time.monotonic() - begin, 20)  # it waits 3 s, not for a number of attempts
                self.assertEqual(found["mqtt"], "10.88.0.2:1883")
                self.assertNotIn("mqtt6", found)
                os.killpg(self.process.pid, signal.SIGINT)
                self.assertIn(sentence, self.process.communicate(timeout=20)[1])
                self.nothing_left()

    def test_ipv6_alone(self):
        config = os.path.join(self.directory.name, "six.yaml")
        with open(config, "w") as out:
            out.write(f"control:\n  socket: {self.socket}\n"
                      "ports:\n  - kind: tap\n    device: linemq0\n    address6: fd88::2/64\n")
        for words, own in ((["--set", "ports[0].address=null"], False),
                           (["--config", config], True)):
            with self.subTest(words=words):
                self.start(*words, config=own)
                found, hints = self.ready()
                self.assertEqual(found["mqtt"], "[fd88::2]:1883")
                self.assertNotIn("mqtt6", found)
                run("bash", "-c", hints[1])
                self.assertNotIn("inet ", run("ip", "address", "show", "dev", "linemq0").stdout)
                self.stop()
                self.nothing_left()

    def test_a_socket_path_may_have_blanks_and_quotes(self):
        for name in ("a b.sock", "it's.sock", 'say "hi" #1: \\n.sock'):
            with self.subTest(name=name):
                self.socket = os.path.join(self.directory.name, name)
                self.start()
                words, hints = self.ready()
                self.assertEqual(words["ctl"], self.socket)
                self.assertIn("onnected", run("bash", "-c", hints[2]).stdout)
                self.stop()
                self.nothing_left()

    def test_the_broker_ends_with_a_script_that_is_killed(self):
        self.start()
        self.ready()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=20)
        broker.wait_for("its processes to be gone", self.group_is_gone)
        self.nothing_left()

    def test_an_interrupted_build_leaves_nothing(self):
        """With a ninja that says when it builds, and that ends as the real one does."""
        path = self.path_with("ninja", "trap 'exit 130' INT\necho building >&3\n"
                              "read -r -t 60 <&4\nexit 130\n")
        said, say = os.pipe()
        wait, end = os.pipe()
        self.addCleanup(os.close, end)

        def prepare():
            os.setpgrp()
            os.dup2(say, 3)
            os.dup2(wait, 4)

        self.process = subprocess.Popen(
            [SCRIPT, "--no-install", "--build-dir", options.binaries], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, close_fds=False,
            env={**os.environ, "TMPDIR": self.temporary, "PATH": path},
            preexec_fn=prepare)
        self.addCleanup(self.end)
        os.close(say)
        os.close(wait)
        self.assertEqual(os.read(said, 64), b"building\n")
        os.close(said)
        self.assertEqual(len(os.listdir(self.temporary)), 1)
        self.stop()
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

    def test_a_configuration_that_can_not_be_printed_is_a_failure(self):
        linemqd = os.path.join(options.binaries, "linemqd")
        for word in ("--print", "--reference", "--version"):
            with self.subTest(word=word), open("/dev/full", "w") as full:
                found = subprocess.run([linemqd, word], stdout=full, stderr=subprocess.PIPE,
                                       text=True)
                self.assertEqual(found.returncode, 1)
                self.assertIn("could not be written", found.stderr)

    def test_without_root_it_says_so(self):
        try:
            found = subprocess.run([SCRIPT, "--no-install", "--port", "1 2"], stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.PIPE, preexec_fn=lambda: os.setuid(65534))
        except PermissionError:
            self.skipTest("this checkout cannot be read by others")
        self.assertEqual(found.returncode, 1)
        self.assertIn("root", found.stderr)
        self.assertIn(f"sudo {SCRIPT} --no-install --port 1\\ 2\n", found.stderr)

    def test_the_runner_of_the_tests_refuses_what_it_does_not_know(self):
        for words in (["--nonsense"], ["--suite", "unit", "--nonsense=1"]):
            found = subprocess.run([os.path.join(ROOT, "tests/run.sh"), *words],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual((found.returncode, found.stdout), (2, ""))
            self.assertIn("unknown option --nonsense", found.stderr)


if __name__ == "__main__":
    broker.main()
