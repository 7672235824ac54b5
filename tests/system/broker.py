# SPDX-License-Identifier: Apache-2.0
"""
A broker on a software NIC in a network namespace of its own, for the system tests.

`import broker` moves the whole test program into a new network namespace: interfaces, addresses and
ports are its own, every client it starts is inside, and when its last process ends, all of it is
gone. To look inside while a test runs: nsenter --net --target PID.

Tests are unittest cases named after behaviour. The meson test says with --workers how many workers
there are and with --binaries where `linemqd` and `ctl` are.
"""

import argparse
import atexit
import base64
import contextlib
import ctypes
import hashlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import paho.mqtt.client as paho

import wire

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SUPPRESSIONS = f"suppressions={HERE}/lsan.supp:print_suppressions=0"  # of a sanitised broker
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)

HOST, ADDRESS, HOST6, ADDRESS6 = "10.88.0.1", "10.88.0.2", "fd88::1", "fd88::2"
PORT = 1883
PATIENCE = 20  # seconds for what should be a matter of milliseconds, on a loaded machine

parser = argparse.ArgumentParser()
parser.add_argument("--workers", type=int, default=1)
parser.add_argument("--binaries", default=os.path.join(ROOT, "build"))
parser.add_argument("--slow", action="store_true", help="a sanitised broker: expect less of it")
parser.add_argument("--clients", type=int, default=1000)
parser.add_argument("tests", nargs="*")
options = parser.parse_args() if "unittest" not in sys.argv[0] else parser.parse_args([])


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*command, check=True, timeout=PATIENCE * 3, **options):
    """A command's result, its output as text."""
    return subprocess.run(command, check=check, text=True, stdin=options.pop("stdin", subprocess.DEVNULL),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                          preexec_fn=die_with_parent, **options)


def enter_namespace():
    if os.geteuid() != 0:
        sys.exit("the system tests make network namespaces: run them as root")
    if libc.unshare(CLONE_NEWNET) != 0:
        sys.exit(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    run("ip", "link", "set", "lo", "up")


enter_namespace()


def wait_for(what, condition, seconds=PATIENCE, pause=0.02):
    """Waits until condition() is true and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"gave up after {seconds} s waiting for {what}")
        time.sleep(pause)


def yaml(value, indent=0):
    """Enough YAML for a configuration."""
    pad = "  " * indent
    lines = []
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (dict, list)) and item:
                lines += [f"{pad}{key}:", yaml(item, indent + 1)]
            else:
                lines.append(f"{pad}{key}: {scalar(item)}")
    else:
        for item in value:
            if isinstance(item, dict):
                inner = yaml(item, indent + 1)
                lines.append(pad + "- " + inner[len(pad) + 2:])
            else:
                lines.append(f"{pad}- {scalar(item)}")
    return "\n".join(lines)


def scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    return "[]" if value == [] else str(value)


def password_line(user, password, iterations=101):
    """A line of a password file as mosquitto_passwd writes it: $7$, PBKDF2 with SHA-512."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, 64)
    return (f"{user}:$7${iterations}${base64.b64encode(salt).decode()}$"
            f"{base64.b64encode(digest).decode()}\n")


class Broker:
    """linemqd with a TAP port; settings is merged into the configuration, section by section."""

    seconds_to_end = 2.0

    def __init__(self, workers=None, settings=None, interface="linemq0", ready=True):
        self.workers = options.workers if workers is None else workers
        self.directory = tempfile.mkdtemp(prefix="linemq-test.")
        self.socket = os.path.join(self.directory, "ctl.sock")
        self.interface = interface
        self.address, self.address6, self.port = ADDRESS, ADDRESS6, PORT
        self.settings = {
            "workers": {"count": self.workers},
            "control": {"socket": self.socket},
            "ports": [{"kind": "tap", "device": interface, "address": f"{ADDRESS}/24",
                       "address6": f"{ADDRESS6}/64"}],
            "listeners": [{"port": PORT}],
            "auth": [{"kind": "anonymous"}],
        }
        for section, value in (settings or {}).items():
            if isinstance(value, dict):
                self.settings.setdefault(section, {}).update(value)
            else:
                self.settings[section] = value
        self.process = None
        self.log_file = os.path.join(self.directory, "log")
        atexit.register(self.kill)
        if ready:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(self.log(), file=sys.stderr)
        self.stop()

    def file(self, name, content):
        path = os.path.join(self.directory, name)
        with open(path, "w") as out:
            out.write(content)
        os.chmod(path, 0o600)
        return path

    def log(self):
        with contextlib.suppress(FileNotFoundError), open(self.log_file, errors="replace") as log:
            return log.read()
        return ""

    def command(self, config):
        return [os.path.join(options.binaries, "linemqd"), "--config", config]

    def spawn(self):
        config = self.file("linemq.yaml", yaml(self.settings) + "\n")
        with open(self.log_file, "a") as log:
            self.process = subprocess.Popen(self.command(config), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, preexec_fn=die_with_parent,
                                            env=os.environ | {"LSAN_OPTIONS": SUPPRESSIONS})

    def alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the broker ended with {self.process.returncode}:\n{self.log()}")
        return True

    def start(self):
        """Starts it, gives this side of its interface the addresses, waits until it answers."""
        self.spawn()
        wait_for(self.interface, lambda: self.alive() and
                 run("ip", "link", "show", "dev", self.interface, check=False).returncode == 0)
        self.prepare_interface()
        wait_for("an answer to CONNECT", self.answers)
        return self

    def prepare_interface(self):
        run("ip", "address", "add", f"{HOST}/24", "dev", self.interface)
        run("ip", "link", "set", "dev", self.interface, "up")
        run("ip", "address", "add", f"{HOST6}/64", "dev", self.interface, "nodad", check=False)

    def answers(self):
        self.alive()
        try:
            with wire.Wire(self.address, self.port, timeout=1) as probe:
                probe.send(wire.connect("probe"))
                probe.receive(wire.CONNACK)
                probe.send(wire.packet(wire.DISCONNECT, 0))
                return True
        except (OSError, EOFError):
            return False

    def stop(self, expect=0):
        """SIGTERM; it ends within two seconds and leaves nothing. Returns the seconds it took."""
        if self.process is None:
            return 0.0
        process, self.process = self.process, None
        began = time.monotonic()
        took = None if process.poll() is None else 0.0
        if took is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
                took = time.monotonic() - began
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.ended()
        log = self.log()
        left = [what for what, there in (
            ("its interface", run("ip", "link", "show", "dev", self.interface,
                                  check=False).returncode == 0),
            ("its socket", os.path.exists(self.socket))) if there]
        shutil.rmtree(self.directory, ignore_errors=True)
        assert took is not None, f"the broker had to be killed:\n{log}"
        assert process.returncode == expect, f"the broker ended with {process.returncode}:\n{log}"
        assert took < (20 if options.slow else self.seconds_to_end), \
            f"the broker took {took:.1f} s to end"
        assert not left, f"the broker left {' and '.join(left)} behind"
        for sign in ("AddressSanitizer", "LeakSanitizer", "runtime error:"):
            assert sign not in log, log
        return took

    def ended(self):
        """The process has ended; what belongs to it goes too."""

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- what an administrator sees ---------------------------------------------------------------

    def ctl(self, *words, check=True, **options_):
        return run(os.path.join(options.binaries, "ctl"), "--socket", self.socket, *words,
                   check=check, **options_)

    def json(self, *words):
        return json.loads(self.ctl(*words, "--json").stdout)

    def counters(self):
        """All counters by name, summed over threads."""
        return {row["name"]: row["count"] for row in self.json("counters")}

    def counter(self, name):
        return self.counters()[name]

    def worker_of(self, client_id):
        return self.json("client", "show", client_id)["worker"]

    def on_worker(self, worker, make):
        """Calls make(), which connects and returns a client, until its connection is on that
        worker: a new one has another port and may have another owner."""
        for _ in range(64 * self.workers):
            client = make()
            if self.worker_of(client.client_id) == worker:
                return client
            client.close()
        raise AssertionError(f"no connection came to worker {worker}")


class Mosquitto(Broker):
    """Debian's mosquitto in the place of linemqd, to try the tests themselves."""

    def command(self, config):
        listener = f"listener {PORT}\n"
        auth = self.settings["auth"][0]
        listener += ("allow_anonymous true\n" if auth["kind"] == "anonymous" else
                     f"password_file {auth['path']}\nallow_anonymous false\n")
        config = self.file("mosquitto.conf", listener + "user root\nsys_interval 1\n"
                           "max_queued_messages 100000\nmax_inflight_messages 100\n")
        return ["mosquitto", "-c", config]

    def start(self):
        run("ip", "address", "add", f"{HOST}/32", "dev", "lo", check=False)
        run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo", check=False)
        run("ip", "address", "add", f"{ADDRESS6}/128", "dev", "lo", check=False)
        self.spawn()
        wait_for("an answer to CONNECT", self.answers)
        return self

    def ctl(self, *words, check=True, **options_):
        raise unittest.SkipTest("mosquitto has no ctl")


if os.environ.get("LINEMQ_TEST_BROKER") == "mosquitto":
    Broker = Mosquitto  # noqa: F811


class Client:
    """python3-paho-mqtt with its messages in a queue."""

    def __init__(self, client_id="", clean=True, keep_alive=60, will=None, username=None,
                 password=None, protocol=paho.MQTTv311, address=ADDRESS, port=PORT):
        self.client_id = client_id
        self.messages = queue.Queue()
        self.acks = queue.Queue()
        self.connacks = queue.Queue()
        self.disconnected = queue.Queue()
        self.paho = paho.Client(client_id, clean_session=clean, protocol=protocol,
                                reconnect_on_failure=False)
        self.paho.max_inflight_messages_set(100)
        if will is not None:
            self.paho.will_set(*will)
        if username is not None:
            self.paho.username_pw_set(username, password)
        self.paho.on_connect = lambda _c, _u, flags, rc: self.connacks.put((rc, flags))
        self.paho.on_message = lambda _c, _u, message: self.messages.put(message)
        self.paho.on_subscribe = lambda _c, _u, mid, granted: self.acks.put((mid, granted))
        self.paho.on_unsubscribe = lambda _c, _u, mid: self.acks.put((mid, ()))
        self.paho.on_disconnect = lambda _c, _u, rc: self.disconnected.put(rc)
        self.paho.connect(address, port, keep_alive)
        self.paho.loop_start()
        self.code, flags = self.connacks.get(timeout=PATIENCE)
        self.session_present = bool(flags.get("session present"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """DISCONNECT."""
        self.paho.disconnect()
        self.paho.loop_stop()

    def vanish(self):
        """The connection ends without DISCONNECT."""
        self.paho.loop_stop()
        connection = self.paho.socket()
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def subscribe(self, *filters):
        """(filter, qos) pairs; the granted QoS of each."""
        result, mid = self.paho.subscribe(list(filters))
        assert result == paho.MQTT_ERR_SUCCESS
        acknowledged, granted = self.acks.get(timeout=PATIENCE)
        assert acknowledged == mid
        return list(granted)

    def unsubscribe(self, *filters):
        _, mid = self.paho.unsubscribe(list(filters))
        assert self.acks.get(timeout=PATIENCE)[0] == mid

    def publish(self, topic, payload=b"", qos=0, retain=False, wait=True):
        info = self.paho.publish(topic, payload, qos, retain)
        if wait:
            info.wait_for_publish(PATIENCE)
            assert info.is_published(), f"{topic}: no acknowledgement"
        return info

    def receive(self, count=1, timeout=PATIENCE):
        """The next messages, as a list."""
        found = []
        try:
            for _ in range(count):
                found.append(self.messages.get(timeout=timeout))
        except queue.Empty:
            raise AssertionError(f"{self.client_id}: {len(found)} of {count} messages came: "
                                 f"{[m.topic for m in found[-3:]]}") from None
        return found

    def payloads(self, count=1, timeout=PATIENCE):
        return [message.payload.decode() for message in self.receive(count, timeout)]

    def nothing_before(self, marker):
        """Fails unless the next message is the one that `marker` (topic) names: what is sent before
        it over the same way would have come before it."""
        message, = self.receive()
        assert message.topic == marker, f"unexpected {message.topic} {message.payload!r}"


class Case(unittest.TestCase):
    """A test case with one broker for all its tests; `settings` and `workers` may be set."""

    settings = None
    workers = None
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker(workers=cls.workers, settings=cls.settings)

    @classmethod
    def tearDownClass(cls):
        cls.broker.stop()

    def setUp(self):
        self.addCleanup(self.close_clients)
        self.clients = []

    def close_clients(self):
        for client in self.clients:
            with contextlib.suppress(OSError):
                client.close()
        failed = self._outcome and any(error for _, error in getattr(self._outcome, "errors", []))
        if failed:
            print(self.broker.log(), file=sys.stderr)

    def client(self, client_id=None, **options_):
        """A connected client; its identifier begins with the test's name unless given."""
        if client_id is None:
            client_id = f"{self._testMethodName}-{len(self.clients)}"
        client = Client(client_id, **options_)
        self.clients.append(client)
        self.assertEqual(client.code, 0)
        return client

    def wire(self, **options_):
        connection = wire.Wire(ADDRESS, PORT, **options_)
        self.clients.append(connection)
        return connection


def main():
    """For meson: the number of tests that ran stands on the last line."""
    sys.stdout.reconfigure(line_buffering=True)
    unittest.main(argv=[sys.argv[0], "-v", *options.tests])
