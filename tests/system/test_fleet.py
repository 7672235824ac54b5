#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many clients at once: each publishes to a client of another worker; everything arrives, once and
in order."""

import json
import os
import subprocess

import broker
from broker import ADDRESS, options


class Fleet(broker.Case):
    def publish_across_workers(self, qos, clients, messages):
        fleet = subprocess.Popen(
            [os.path.join(options.binaries, "tests/system/fleet"), "--host", ADDRESS, "--clients",
             str(clients), "--messages", str(messages), "--qos-publish", str(qos),
             "--qos-subscribe", str(qos), "--window", "4", "--timeout", "60", "--prefix",
             f"fleet{qos}", "--pairs"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=broker.die_with_parent)
        self.addCleanup(fleet.kill)
        ready = fleet.stdout.readline()
        self.assertEqual(ready, f"ready {clients}\n", fleet.stderr.read() if not ready else "")

        prefix = f"fleet{qos}-"
        listed = self.broker.json("client", "list", "--prefix", prefix)
        self.assertEqual(len(listed), clients)
        by_worker = sorted((row["worker"], int(row["client"][len(prefix):])) for row in listed)
        crowded = max(sum(1 for worker, _ in by_worker if worker == w)
                      for w in range(self.broker.workers))
        # Half a turn around the clients in order of worker: a target on another worker for everyone,
        # as long as no worker has more than half of them.
        pairs = [(by_worker[i], by_worker[(i + clients // 2) % clients]) for i in range(clients)]
        if self.broker.workers > 1:
            self.assertLessEqual(crowded, clients // 2, "the flows are spread badly")
            self.assertTrue(all(a[0] != b[0] for a, b in pairs))
        before = self.broker.counters()
        output, errors = fleet.communicate("".join(f"{a[1]} {b[1]}\n" for a, b in pairs) + "\n",
                                           timeout=400)
        result = json.loads(output)
        print(output.strip())
        self.assertEqual(fleet.returncode, 0, output + errors)
        self.assertEqual(result["delivered"], clients * messages)
        after = self.broker.counters()
        if self.broker.workers > 1:
            mailed = after["topics.mail_publish"] - before["topics.mail_publish"]
            self.assertGreaterEqual(mailed, clients * messages)
        broker.wait_for("the clients to be gone",
                        lambda: self.broker.json("status")["clients"]["connected"] == 0)

    def test_qos_1_to_clients_of_other_workers(self):
        self.publish_across_workers(1, options.clients, 60)

    def test_qos_2_to_clients_of_other_workers_exactly_once(self):
        self.publish_across_workers(2, options.clients, 30)


if __name__ == "__main__":
    broker.main()
