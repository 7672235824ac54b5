# SPDX-License-Identifier: Apache-2.0
"""The bench's table. Rows are JSON arrays, one a line: part, what, value, unit, remark."""

import argparse
import json
import os
import platform
import subprocess
import time


def first(path, start):
    with open(path) as lines:
        for line in lines:
            if line.startswith(start):
                return line.split(":", 1)[1].strip()
    return "unknown"


def commit():
    """The commit, and whether the tree differs from it."""
    def git(*words):
        return subprocess.run(["git", "-c", "safe.directory=*", *words], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()
    try:
        return (git("rev-parse", "--short=12", "HEAD") or "unknown") + \
            (" with changes" if git("status", "--porcelain") else "")
    except FileNotFoundError:
        return "unknown (git is not installed)"


def machine():
    pages = int(first("/proc/meminfo", "HugePages_Total").split()[0])
    return [
        ("machine", f"{first('/proc/cpuinfo', 'model name')}, {os.cpu_count()} CPUs, "
                    f"{int(first('/proc/meminfo', 'MemTotal').split()[0]) // 1024} MiB"),
        ("system", f"Linux {platform.release()}, {pages} hugepages"),
        ("commit", commit()),
        ("date", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
    ]


def number(value):
    if not isinstance(value, (int, float)):
        return str(value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def micro_rows(path):
    with open(path) as results:
        runs = json.load(results)["benchmarks"]
    for run in runs:
        if run.get("run_type") == "aggregate" or "error_message" in run:
            continue
        value, unit = run["real_time"], run["time_unit"]
        rate = run.get("items_per_second")
        if rate:  # what one item costs, when a run handles several
            value, unit = 1e9 / rate, "ns"
        yield ["micro", run["name"], value, unit, run.get("label", "")]


def print_table(rows):
    table = [(part, what, number(value), unit, remark) for part, what, value, unit, remark in rows]
    table.insert(0, ("part", "what", "value", "unit", "remark"))
    widths = [max(len(row[i]) for row in table) for i in range(4)]
    for i, row in enumerate(table):
        print(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:>{widths[2]}}  "
              f"{row[3]:{widths[3]}}  {row[4]}".rstrip())
        if i == 0:
            print("-" * (sum(widths) + 14))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--micro")
    parser.add_argument("--append")
    parser.add_argument("--print", dest="rows")
    options = parser.parse_args()
    if options.micro:
        with open(options.append, "a") as out:
            for row in micro_rows(options.micro):
                print(json.dumps(row), file=out)
        return
    for key, value in machine():
        print(f"{key + ':':9}{value}")
    print()
    with open(options.rows) as rows:
        print_table([json.loads(line) for line in rows])


if __name__ == "__main__":
    main()
