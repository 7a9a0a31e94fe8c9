#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Checks that clang-tidy finds the dialog that is used after a step has consumed it.

  run.py INCLUDE

bugprone-use-after-move must say something of each line of taken_twice.cpp that ends in
`// finding`, and of no other. Exits with 77, skipped, where there is no clang-tidy."""

import pathlib
import re
import shutil
import subprocess
import sys

CASE = pathlib.Path(__file__).resolve().parent / "taken_twice.cpp"
OLDEST = 14
TIMEOUT = 240  # seconds
WARNING = re.compile(re.escape(str(CASE)) + r":(\d+):\d+: warning: .*\[bugprone-use-after-move\]")


def find_clang_tidy():
    names = [f"clang-tidy-{version}" for version in range(30, OLDEST - 1, -1)] + ["clang-tidy"]
    return next((name for name in names if shutil.which(name)), None)


def main():
    tidy = find_clang_tidy()
    if not tidy:
        print("There is no clang-tidy: skipped")
        sys.exit(77)
    command = [tidy, "-checks=-*,bugprone-use-after-move", str(CASE), "--"]
    command += ["-std=c++20", f"-I{sys.argv[1]}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    found = {int(line) for line in WARNING.findall(result.stdout)}
    lines = CASE.read_text().splitlines()
    expected = {i + 1 for i, line in enumerate(lines) if line.endswith("// finding")}
    if result.returncode != 0 or found != expected:
        print(result.stdout + result.stderr)
        sys.exit(f"{tidy} found {sorted(found)} instead of {sorted(expected)}")


if __name__ == "__main__":
    main()
