#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Sums up a run of `meson test`: count.py BUILD STATUS prints `N passed, N failed`.

STATUS is the one that meson test ended with: bad without a failed test, it counts as one. A doctest program counts with its test cases, any other test as one. A program that dies, hangs or
ends without doctest's summary counts as a failure. Exits with 1 if anything failed or if nothing
ran."""

import json
import pathlib
import re
import sys

SUMMARY = re.compile(r"test cases: *\d+ *\| *(\d+) passed *\| *(\d+) failed")


def is_doctest(test):
    return any(word.startswith("--source-file=") for word in test["command"])


def count(test):
    succeeded = test["result"] in ("OK", "EXPECTEDFAIL")
    if not is_doctest(test):
        return (1, 0) if succeeded else (0, 1)
    summaries = SUMMARY.findall(test.get("stdout") or "")
    if not summaries:
        print(f"{test['name']} ended before it had run its test cases.")
        return 0, 1
    passed, failed = map(int, summaries[-1])
    return passed, failed if succeeded else max(failed, 1)


def main():
    # Under a wrapper it is testlog-WRAPPER.json; ./dev has removed what was there before.
    (log,) = pathlib.Path(sys.argv[1], "meson-logs").glob("testlog*.json")
    tests = [json.loads(line) for line in log.read_text().splitlines()]
    counts = [count(test) for test in tests if test["result"] != "SKIP"]
    passed = sum(passed for passed, _ in counts)
    failed = sum(failed for _, failed in counts)
    if failed == 0 and sys.argv[2] != "0":
        print(f"meson test ended with {sys.argv[2]} although no test has failed.")
        failed = 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    main()
