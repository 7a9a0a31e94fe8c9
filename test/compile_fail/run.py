#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Compiles each of cases/*.cpp and checks what the compiler says.

  run.py [--include DIR] [--case NAME] [-- COMPILER [WORD...]]

Without a compiler, asks g++ and clang 16 or newer, as far as they are there.

The first line of a case that starts with `// expect:` holds a regular expression: the case must
fail to compile with exactly one line that contains `error:`, and that line must match. A case that
expects `ok` must compile, without a warning."""

import argparse
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORKERS = 2
TIMEOUT = 120  # seconds
OLDEST_CLANG = 16
FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wno-unused-function"]
EXPECT = re.compile(r"^// expect: (.+)$", re.MULTILINE)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", action="append", default=[str(ROOT / "include")])
    parser.add_argument("--case", action="append", help="only this case; may be repeated")
    parser.add_argument("compiler", nargs="*", help="for example: ccache g++")
    return parser.parse_args()


def major_version(compiler):
    output = subprocess.run([compiler, "-dumpversion"], capture_output=True, text=True, check=True)
    return int(output.stdout.split(".")[0])


def find_compilers():
    clangs = ["clang++"] + [f"clang++-{version}" for version in range(OLDEST_CLANG, 30)]
    clang = next(
        (name for name in clangs if shutil.which(name) and major_version(name) >= OLDEST_CLANG),
        None,
    )
    found = [name for name in ("g++", clang) if name and shutil.which(name)]
    for name in {"g++", f"clang++ {OLDEST_CLANG} or newer"}:
        if not any(name.startswith(compiler.split("-")[0]) for compiler in found):
            print(f"{name} is not installed: its cases are skipped")
    return found


def complaint(expected, result):
    """What is wrong with the compiler's answer; nothing if it is as expected."""
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    if expected == "ok":
        return "" if result.returncode == 0 and not result.stderr else "did not compile cleanly"
    if result.returncode == 0:
        return "compiled"
    if len(errors) != 1:
        return f"{len(errors)} errors instead of one"
    return "" if re.search(expected, errors[0]) else f"the error does not match: {expected}"


def check(case, compiler, flags):
    expected = EXPECT.search(case.read_text()).group(1).strip()
    command = [*compiler, *FLAGS, *flags, str(case)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return f"FAILED {case.stem} ({' '.join(compiler)}): no answer in {TIMEOUT} s"
    wrong = complaint(expected, result)
    return wrong and f"FAILED {case.stem} ({' '.join(compiler)}): {wrong}\n{result.stderr}"


def main():
    arguments = parse_arguments()
    flags = [f"-I{directory}" for directory in arguments.include]
    cases = [case for case in sorted((HERE / "cases").glob("*.cpp"))]
    if arguments.case:
        cases = [case for case in cases if case.stem in arguments.case]
    compilers = [arguments.compiler] if arguments.compiler else [[c] for c in find_compilers()]
    jobs = [(case, compiler, flags) for compiler in compilers for case in cases]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
        reports = list(workers.map(lambda job: check(*job), jobs))
    failures = [report for report in reports if report]
    for report in failures:
        print(report)
    print(f"{len(reports) - len(failures)} passed, {len(failures)} failed")
    sys.exit(0 if reports and not failures else 1)


if __name__ == "__main__":
    main()
