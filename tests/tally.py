# SPDX-License-Identifier: Apache-2.0
"""Prints one line, `ok NAME` or `not ok NAME`, for every test case in meson's testlog.json files.

A program that says how many cases it ran (cmocka, unittest) counts with each of them."""

import json
import re
import sys


def tally(test):
    """How many cases passed, failed, were skipped."""
    text = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    good = test["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    passed = failed = skipped = 0
    for line in text.splitlines():
        if found := re.match(r"\[  PASSED  \] (\d+) test", line):
            passed += int(found[1])
        elif found := re.match(r"\[  FAILED  \] (\d+) test", line):
            failed += int(found[1])
        elif found := re.match(r"\[  SKIPPED \] (\d+) test", line):
            skipped += int(found[1])
        elif found := re.match(r"Ran (\d+) tests? in ", line):
            passed += int(found[1])
        elif found := re.match(r"(OK|FAILED)( \(.*\))?$", line):
            counts = {name: int(number)
                      for name, number in re.findall(r"(\w+)=(\d+)", found[2] or "")}
            failed += counts.get("failures", 0) + counts.get("errors", 0)
            skipped += counts.get("skipped", 0)
            passed = max(0, passed - sum(counts.values()))
    if test["result"] == "SKIP":
        return 0, 0, 1
    if not good:
        return passed, max(1, failed), skipped
    return max(passed, 1) if not skipped else passed, 0, skipped


def main():
    for path in sys.argv[1:]:
        try:
            with open(path) as log:
                tests = [json.loads(line) for line in log]
        except (OSError, ValueError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            print(f"not ok {path}")
            continue
        for test in tests:
            passed, failed, skipped = tally(test)
            print(f"ok {test['name']}\n" * passed + f"not ok {test['name']}\n" * failed, end="")
            if skipped:
                print(f"{test['name']}: {skipped} skipped", file=sys.stderr)
        if not tests:
            print(f"not ok {path}: no test was run")


if __name__ == "__main__":
    main()
