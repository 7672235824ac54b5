# SPDX-License-Identifier: Apache-2.0
"""Our TCP against the kernel's on links that lose and delay: rows for table.py.

The same devices (flows.c, on the Linux stack of this machine) talk to linemqd and to mosquitto on
kernel sockets, through two wires (lossy.c) with the same settings, both at the same time, each in
network namespaces of its own. Every device has a link of its own. The kernel runs CUBIC, its
default, and no offload is on: TAP interfaces have none."""

import argparse
import json
import os
import signal
import subprocess
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(root, "tests/system"))
parser = argparse.ArgumentParser()
parser.add_argument("--binaries", required=True)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--results")
parser.add_argument("--stack", choices=("linemq", "linux"))
parser.add_argument("--loss", type=float, action="append")
parser.add_argument("--rtt", type=float, action="append")
parser.add_argument("--seconds", type=int, default=16)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--set", action="append", default=[], help="key=value of linemqd's section tcp")
options = parser.parse_args()
sys.argv = [sys.argv[0], "--binaries", os.path.abspath(options.binaries)]

# A link as of a cellular device: 10 Mbit/s each way, 128 KiB wait at most, 1400 byte packets.
RATE, QUEUE, MTU = 10, 128, 1400
FIRST = "10.88.1.1"
# Devices with large messages in each direction: the less gets through, the more it takes to tell.
BULK = {0: 4, 1: 8, 3: 12, 10: 24}
SMALL = 60


def measured_by(broker, stack, tune):
    """What the devices say, as flows.c prints it."""
    bulk = BULK.get(options.loss[0], 8)
    addresses = "".join(f"address add 10.88.1.{i}/32 dev lossy0\n"
                        for i in range(1, 2 * bulk + 2 * SMALL + 1))
    broker.run("ip", "-batch", "-", input=addresses, stdin=None)
    broker.run("ip", "link", "set", "dev", "lossy0", "mtu", str(MTU))
    tune(broker.run, "lossy0", broker.ADDRESS)
    flows = subprocess.Popen(
        [os.path.join(options.binaries, "bench/flows"), "--host", broker.ADDRESS, "--port",
         str(broker.PORT), "--first", FIRST, "--down", str(bulk), "--up", str(bulk), "--thin",
         str(SMALL), "--echo", str(SMALL), "--seconds", str(options.seconds)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=broker.die_with_parent)
    assert flows.stdout.readline() == "ready\n"
    stack.lossy.send_signal(signal.SIGUSR1)
    result = json.loads(flows.communicate("\n")[0])
    result["wire"] = stack.report()
    return result


def one_stack():
    """One point with one server; prints the result."""
    import broker  # enters a network namespace
    from lossy import LossyBroker

    class Kernel(LossyBroker):
        """mosquitto on the kernel's TCP, in a network namespace of its own at the wire's end."""

        def command(self, config):
            config = self.file("mosquitto.conf", f"""listener {broker.PORT}
allow_anonymous true
user root
set_tcp_nodelay true
max_inflight_messages 0
max_queued_messages 0
""")
            return ["unshare", "--net", "mosquitto", "-c", config]

        def start(self):
            self.spawn()
            own = os.readlink("/proc/self/ns/net")
            there = f"/proc/{self.process.pid}/ns/net"
            broker.wait_for("a network namespace", lambda: os.readlink(there) != own)
            self.start_wire("--inner-tap", "kernel0")
            broker.run("ip", "link", "set", "kernel0", "netns", str(self.process.pid))
            self.inside("ip", "link", "set", "dev", "kernel0", "mtu", str(MTU), "up")
            self.inside("ip", "address", "add", f"{broker.ADDRESS}/16", "dev", "kernel0")
            tune(self.inside, "kernel0", "10.88.1.0/24")
            broker.wait_for("an answer to CONNECT", self.answers)
            return self

        def inside(self, *command):
            return broker.run("nsenter", "--net", "--target", str(self.process.pid), *command)

    def tune(run, interface, destination):
        """Metrics of one connection must not tell the next. A machine whose default is another
        congestion control does not let a namespace choose; a route may."""
        run("sysctl", "-q", "net.ipv4.tcp_no_metrics_save=1")
        run("ip", "route", "add", destination, "dev", interface, "congctl", "cubic")

    wire = ("--loss", str(options.loss[0]), "--delay", str(options.rtt[0] / 2), "--rate",
            str(RATE), "--queue", str(QUEUE), "--links", "--clean", broker.HOST, "--held",
            "--seed", str(options.seed))
    if options.stack == "linux":
        with Kernel(*wire) as stack:
            print(json.dumps(measured_by(broker, stack, tune)))
        return
    tcp = dict(pair.split("=") for pair in options.set)
    settings = {"tcp": {key: yaml_value(value) for key, value in tcp.items()}}
    with LossyBroker(*wire, workers=1, settings=settings) as stack:
        result = measured_by(broker, stack, tune)
        result["counters"] = {key: value for key, value in stack.counters().items()
                              if key.startswith("tcp.") and value}
        print(json.dumps(result))


def yaml_value(text):
    return text == "true" if text in ("true", "false") else \
        int(text) if text.isdigit() else text


def row(what, value, unit, remark=""):
    print(json.dumps(["lossy", what, value, unit, remark]), flush=True)


def point(loss, rtt):
    """Both at once, so that both meet the same machine."""
    children = {}
    for stack in ("linemq", "linux"):
        words = [sys.executable, __file__, "--binaries", options.binaries, "--stack", stack,
                 "--loss", str(loss), "--rtt", str(rtt), "--seconds", str(options.seconds),
                 "--seed", str(options.seed)]
        for pair in options.set:
            words += ["--set", pair]
        children[stack] = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    results = {}
    for stack, child in children.items():
        output, _ = child.communicate()
        if child.returncode:
            raise SystemExit(f"{stack} at {loss} % and {rtt} ms failed")
        results[stack] = json.loads(output)
    return results["linemq"], results["linux"]


def report(loss, rtt, ours, theirs):
    where = f"loss {loss:g} %, {rtt:g} ms"

    def rate(result, name):
        return result[name] * 8e-6 / result["seconds"]
    for name, what in (("down", "to devices"), ("up", "from devices")):
        row(f"{where}: throughput {what}", rate(ours, name) / max(rate(theirs, name), 1e-9),
            "x Linux", f"{rate(ours, name):.2f} against {rate(theirs, name):.2f} Mbit/s over "
                       f"{BULK.get(loss, 8)} links")
    for name, what in (("thin", "a small message"), ("echo", "a small message and back")):
        for share in ("mean", "p50", "p95", "p99"):
            mine, other = ours[name][share] / 1000, theirs[name][share] / 1000
            row(f"{where}: {what}, {share}", mine / other, "x Linux",
                f"{mine:,.0f} against {other:,.0f} ms, {ours[name]['count']} and "
                f"{theirs[name]['count']} messages")


def main():
    if options.stack:
        one_stack()
        return
    if options.quick:
        options.seconds = 3
    row("each device on a link of its own", RATE, "Mbit/s",
        f"queue {QUEUE} KiB, MTU {MTU}, loss in both directions; Linux: mosquitto, CUBIC")
    for rtt in options.rtt or (20, 200):
        for loss in options.loss or (0, 1, 3, 10):
            ours, theirs = point(loss, rtt)
            if options.results:
                with open(options.results, "a") as out:
                    print(json.dumps({"loss": loss, "rtt": rtt, "linemq": ours,
                                      "linux": theirs}), file=out)
            report(loss, rtt, ours, theirs)


main()
