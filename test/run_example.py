#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs an example and checks what it prints: run_example.py EXPECTED PROGRAM [ARGUMENT...]

Each line of the file EXPECTED is a regular expression that a whole line of the output must match,
in that order; the output may have other lines between them. The program must exit with 0, and
leave nothing behind: no process that it, or what it started, has started, and no directory."""

import os
import pathlib
import re
import select
import subprocess
import sys
import time
import uuid

TIMEOUT = 60  # seconds
# For what was started to be gone: all that an actor starts ends before it, or is killed with it.
PATIENCE = 5  # seconds
# What an actor tells all that it starts, and passes on itself: whose it is.
LINEAGE = "TRACTOR_LINEAGE"


def first_unmatched(patterns, lines):
    rest = iter(lines)
    for pattern in patterns:
        if not any(re.fullmatch(pattern, line) for line in rest):
            return pattern
    return None


def living(lineage):
    """The processes that have `lineage` in their environment, by pid, with their command line."""
    found = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if lineage.encode() in (process / "environ").read_bytes():
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(process.name)] = command
        except OSError:
            pass  # It has ended meanwhile, or is not ours.
    return found


def survivors(lineage):
    """What lives when it had time to end."""
    until = time.monotonic() + PATIENCE
    while (found := living(lineage)) and (left := until - time.monotonic()) > 0:
        try:
            process = os.pidfd_open(next(iter(found)))
        except ProcessLookupError:
            continue
        select.select([process], [], [], left)
        os.close(process)
    return found


def main():
    expected, *command = sys.argv[1:]
    patterns = pathlib.Path(expected).read_text().splitlines()
    lineage = f"example-{uuid.uuid4()}"
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, LINEAGE: lineage},
    ) as example:
        try:
            output, _ = example.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            example.kill()
            output, _ = example.communicate()
            print(output, end="")
            sys.exit(f"{command[0]} was still running after {TIMEOUT} s and was killed.")
    print(output, end="")
    if example.returncode != 0:
        sys.exit(f"{command[0]} exited with {example.returncode} instead of 0.")
    if left := survivors(lineage):
        sys.exit(f"{command[0]} has ended, but what it started lives on: {left}")
    base = os.environ.get("XDG_RUNTIME_DIR", "/tmp")
    for place in {"/tmp", base}:
        for directory in pathlib.Path(place).glob(f"tractor-{example.pid}-*"):
            sys.exit(f"{command[0]} has left {directory} behind.")
    missing = first_unmatched(patterns, output.splitlines())
    if missing is not None:
        sys.exit(f"No line of the output, in its place, matches '{missing}' of {expected}.")


if __name__ == "__main__":
    main()
