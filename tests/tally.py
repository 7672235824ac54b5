# SPDX-License-Identifier: Apache-2.0
"""Prints one line, `ok NAME`, `not ok NAME` or `skipped NAME`, for every test case in meson's
testlog.json files.

A program that says how many cases it ran (cmocka, unittest) counts with each of them. One of which
every case was skipped has shown nothing: that is a failure, unless --may-skip names it."""

import argparse
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
        return 0, 0, max(1, skipped)
    if not good:
        return passed, max(1, failed), skipped
    return max(passed, 1) if not skipped else passed, 0, skipped


def lines(test, may_skip=()):
    passed, failed, skipped = tally(test)
    name = test["name"]
    found = [f"ok {name}"] * passed + [f"not ok {name}"] * failed + [f"skipped {name}"] * skipped
    if passed + failed == 0 and name.split(" / ")[-1] not in may_skip:
        found.append(f"not ok {name}: all of it was skipped")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--may-skip", action="append", default=[], metavar="NAME")
    parser.add_argument("logs", nargs="+")
    options = parser.parse_args()
    for path in options.logs:
        try:
            with open(path) as log:
                tests = [json.loads(line) for line in log]
        except (OSError, ValueError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            print(f"not ok {path}")
            continue
        for test in tests:
            print("\n".join(lines(test, options.may_skip)))
        if not tests:
            print(f"not ok {path}: no test was run")


if __name__ == "__main__":
    main()
