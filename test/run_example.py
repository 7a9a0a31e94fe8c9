#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs an example and checks what it prints: run_example.py EXPECTED PROGRAM [ARGUMENT...]

Each line of the file EXPECTED is a regular expression that a whole line of the output must match,
in that order; the output may have other lines between them. The program must exit with 0."""

import pathlib
import re
import subprocess
import sys

TIMEOUT = 60  # seconds


def first_unmatched(patterns, lines):
    rest = iter(lines)
    for pattern in patterns:
        if not any(re.fullmatch(pattern, line) for line in rest):
            return pattern
    return None


def main():
    expected, *command = sys.argv[1:]
    patterns = pathlib.Path(expected).read_text().splitlines()
    try:
        example = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired as error:
        print((error.stdout or b"").decode(errors="replace"), end="")
        sys.exit(f"{command[0]} was still running after {TIMEOUT} s and was killed.")
    print(example.stdout, end="")
    if example.returncode != 0:
        sys.exit(f"{command[0]} exited with {example.returncode} instead of 0.")
    missing = first_unmatched(patterns, example.stdout.splitlines())
    if missing is not None:
        sys.exit(f"No line of the output, in its place, matches '{missing}' of {expected}.")


if __name__ == "__main__":
    main()
