# SPDX-License-Identifier: Apache-2.0
"""What bench/run.sh says about its arguments, before it installs, builds or measures."""

import os
import subprocess
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../bench/run.sh")
NOBODY = 65534


class Arguments(unittest.TestCase):
    def bench(self, *words, **options):
        return subprocess.run([SCRIPT, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=20, **options)

    def test_a_wrong_one_is_named(self):
        for words, sentence in ((["--idle"], "--idle needs a value"),
                                (["--filter"], "--filter needs a value"),
                                (["--filter", ""], "--filter needs a value"),
                                (["--idle", "abc"], "from 1 to 60000, not 'abc'"),
                                (["--idle", "0"], "from 1 to 60000, not '0'"),
                                (["--idle", "60001"], "from 1 to 60000, not '60001'"),
                                (["--idle", "-5"], "from 1 to 60000, not '-5'"),
                                (["--only", "nosuch"], "--only micro"),
                                (["--nosuch"], "unknown argument --nosuch")):
            found = self.bench(*words)
            self.assertEqual((found.returncode, sentence in found.stderr), (2, True), found.stderr)
            self.assertEqual(found.stderr.count("\n"), 1, found.stderr)

    def test_the_hint_to_be_root_has_the_arguments(self):
        if os.geteuid() != 0:
            options = {}
        elif os.stat(SCRIPT).st_mode & 5 == 5 and subprocess.run(
                ["test", "-x", SCRIPT], user=NOBODY, check=False).returncode == 0:
            options = {"user": NOBODY, "group": NOBODY}
        else:
            self.skipTest("this checkout cannot be read by others")
        found = self.bench("--only", "idle", "--idle", "20000", "--quick", **options)
        self.assertEqual(found.returncode, 1)
        self.assertIn("bench/run.sh --only idle --idle 20000 --quick\n", found.stderr)


if __name__ == "__main__":
    unittest.main()
