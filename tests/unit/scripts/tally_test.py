# SPDX-License-Identifier: Apache-2.0
"""What tests/tally.py counts."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
import tally  # noqa: E402


def test(result, stdout="", stderr=""):
    return {"name": "linemq:unit / it", "result": result, "stdout": stdout, "stderr": stderr}


class Tally(unittest.TestCase):
    def counts(self, *arguments, **options):
        found = tally.lines(*arguments, **options)
        return tuple(sum(line.startswith(verdict + " ") for line in found)
                     for verdict in ("ok", "not ok", "skipped"))

    def test_cases_of_cmocka_are_counted(self):
        self.assertEqual(self.counts(test("OK", "[  PASSED  ] 3 test(s).\n")), (3, 0, 0))
        self.assertEqual(self.counts(test("FAIL", "[  PASSED  ] 2 test(s).\n"
                                          "[  FAILED  ] 1 test(s), listed below:\n")), (2, 1, 0))

    def test_cases_of_unittest_are_counted(self):
        self.assertEqual(self.counts(test("OK", "", "Ran 4 tests in 1.0s\n\nOK (skipped=1)\n")),
                         (3, 0, 1))
        self.assertEqual(self.counts(test("FAIL", "", "Ran 4 tests in 1.0s\n\n"
                                          "FAILED (failures=1, errors=1)\n")), (2, 2, 0))

    def test_a_program_that_counts_nothing_is_one_case(self):
        self.assertEqual(self.counts(test("OK")), (1, 0, 0))
        self.assertEqual(self.counts(test("TIMEOUT")), (0, 1, 0))

    def test_a_program_that_skips_all_fails_unless_that_is_expected(self):
        for skipped, count in ((test("SKIP"), 1),
                               (test("OK", "", "Ran 2 tests in 1.0s\n\nOK (skipped=2)\n"), 2),
                               (test("OK", "[  PASSED  ] 0 test(s).\n[  SKIPPED ] 2 test(s)"), 2)):
            self.assertEqual(self.counts(skipped), (0, 1, count))
            self.assertEqual(self.counts(skipped, may_skip=["it"]), (0, 0, count))


if __name__ == "__main__":
    unittest.main()
