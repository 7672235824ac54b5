# SPDX-License-Identifier: Apache-2.0
"""The load generator against linemqd over memif: small runs of what the bench does at length."""

import os

import broker
from memif import MemifBroker

SCENARIOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/loadgen/scenarios")
SHORT = ("run.warmup=0", "run.duration=60", "run.settle=0", "run.drain=30")


class Loadgen(broker.unittest.TestCase):
    def run_scenario(self, name, *settings):
        scenario = None if name is None else os.path.join(SCENARIOS, name + ".yaml")
        with MemifBroker() as running:
            result = running.load(scenario, *SHORT, *settings)
            self.assertEqual(result["faults"], [])
            self.counters = running.counters()
            return result

    def test_pairs_many_publishes_per_segment(self):
        result = self.run_scenario("pairs", "publish.messages=2000")
        self.assertEqual(result["messages"]["delivered"], 50 * 2000)
        self.assertEqual(result["messages"]["lost"], 0)
        self.assertLess(result["generator"]["segments_out"], 50 * 2000 / 2)
        self.assertEqual(self.counters["mqtt.publish_out"], 50 * 2000)

    def test_qos_2_and_the_broker_counts_the_same(self):
        result = self.run_scenario("pairs-qos2", "publish.messages=200")
        self.assertEqual(result["messages"]["delivered"], 50 * 200)
        self.assertEqual(result["messages"]["acknowledged"], 50 * 200)
        self.assertEqual(self.counters["mqtt.publish_in"], 50 * 200)

    def test_fan_out(self):
        result = self.run_scenario("fan-out", "publish.messages=100")
        self.assertEqual(result["messages"]["published"], 100)
        self.assertEqual(result["messages"]["delivered"], 100 * 500)
        self.assertEqual(self.counters["ether.tx_full"], 0)

    def test_fan_in_by_wildcard(self):
        result = self.run_scenario("fan-in", "publish.messages=100")
        self.assertEqual(result["messages"]["delivered"], 200 * 100)

    def test_reports_and_commands_at_a_rate(self):
        result = self.run_scenario("telemetry", "fleet.groups=2", "fleet.publishers=100",
                                   "publish.rate=2000", "run.duration=1")
        self.assertEqual(result["messages"]["lost"], 0)
        self.assertGreater(result["messages"]["delivered"], 1000)

    def test_nothing_is_missing_after_loss_on_purpose(self):
        result = self.run_scenario("lossy", "network.loss_to_broker=3", "tcp.rto_ms=100",
                                   "network.loss_from_broker=3", "fleet.groups=50",
                                   "publish.rate=0", "publish.messages=50", "publish.window=5",
                                   "connect.timeout=100")
        self.assertEqual(result["messages"]["delivered"], 50 * 50)
        self.assertGreater(result["generator"]["lost_on_purpose"], 0)
        self.assertGreater(result["generator"]["retransmitted"], 0)

    def test_idle_devices_are_held_and_ping(self):
        result = self.run_scenario("idle", "fleet.groups=3000", "fleet.keep_alive=1",
                                   "run.duration=2", "run.disconnect=true")
        self.assertEqual(result["connects"]["connected"], 3000)
        self.assertEqual(result["connects"]["subscriptions"], 3000)
        self.assertGreaterEqual(result["connects"]["pongs"], 3000)
        workers = result["broker"]["memory"]["workers"]
        self.assertEqual(sum(worker["connections"] for worker in workers), 3000)

    def test_a_refused_login_is_a_fault(self):
        users = os.path.join("/tmp", f"loadgen-users-{os.getpid()}")
        with open(users, "w") as out:
            out.write(broker.password_line("someone", "secret"))
        os.chmod(users, 0o600)
        try:
            with MemifBroker(settings={"auth": [{"kind": "password_file", "path": users}]}) as running:
                result = running.load(None, *SHORT, "fleet.username=someone",
                                      "fleet.password=wrong", "publish.messages=1",
                                      "run.duration=1", "run.drain=0")
                self.assertEqual(result["connects"]["rejected"], 2)
                self.assertIn("devices did not connect", result["faults"])
                self.assertFalse(result["good"])
        finally:
            os.unlink(users)


if __name__ == "__main__":
    broker.main()
