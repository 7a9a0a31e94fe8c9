#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Builds and runs the programs in pages of Markdown.

  course.py generate SOURCE PAGE...   writes all programs of the pages, as one C++ file
  course.py run PROGRAM PAGE...       runs each in the program built from that, compares what it prints

Each `cpp` block is a whole program; the next block, a `text` block, is exactly what it prints. (In a
README, which also shows how things look, only those that include <trio/trio.hpp> are.)

All are compiled as one file, since headers are what takes the time: each program in a namespace of
its own (which is taken out of what it prints again), its main() as a function that the file's own
main() calls by number. Compilers and stack traces name the line of the page."""

import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(r"^#include .*$", re.MULTILINE)
MAIN = re.compile(r"^int main\(\)", re.MULTILINE)
NAMESPACE = re.compile(r"program_\d+::")
TRIO = "#include <trio/trio.hpp>"
TIMEOUT = 60  # seconds


@dataclass(frozen=True)
class Program:
    page: pathlib.Path
    line: int
    code: str
    output: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def programs_of(page):
    text = page.read_text()
    blocks = list(BLOCK.finditer(text))
    for block, following in zip(blocks, [*blocks[1:], None]):
        language, code = block.groups()
        line = text.count("\n", 0, block.start()) + 2
        if language != "cpp" or (page.name == "README.md" and TRIO not in code):
            continue
        if not MAIN.search(code):
            sys.exit(f"{page}:{line}: this block is no whole program: it has no main()")
        if following is None or following.group(1) != "text":
            sys.exit(f"{page}:{line}: no text block says what this program prints")
        yield Program(page, line, code, following.group(2))


def generate(programs):
    includes = sorted({include for program in programs for include in INCLUDE.findall(program.code)})
    parts = ["// Made from pages of docs/trio.", *includes, "#include <cstdlib>"]
    for number, program in enumerate(programs):
        # Lines keep their numbers. A main() outside of its place has to return something.
        code = MAIN.sub("void program()", INCLUDE.sub("", program.code))
        parts += [
            f"namespace program_{number} {{ void program(); }}",
            f'#line {program.line} "{program.page}"',
            f"namespace program_{number} {{ {code}}}",
        ]
    calls = "\n".join(f"case {n}: program_{n}::program(); return 0;" for n in range(len(programs)))
    parts += ["int main(int, char** arguments) {", "switch (std::atoi(arguments[1])) {", calls]
    return "\n".join([*parts, "}", "return 1;", "}", ""])


def run(executable, number, program):
    """What is wrong with it; nothing if it does what its page says."""
    try:
        result = subprocess.run(
            [executable, str(number)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return f"still ran after {TIMEOUT} s, and was killed"
    if result.returncode != 0:
        return f"exited with {result.returncode}\n{result.stdout}{result.stderr}"
    printed = NAMESPACE.sub("", result.stdout)
    if printed != program.output:
        return f"printed\n{printed}instead of\n{program.output}"
    return ""


def main():
    command, target, *pages = sys.argv[1:]
    programs = [program for page in pages for program in programs_of(pathlib.Path(page))]
    if command == "generate":
        pathlib.Path(target).write_text(generate(programs))
        return
    wrong = {program: run(target, number, program) for number, program in enumerate(programs)}
    for program, what in wrong.items():
        if what:
            print(f"{program}: {what}")
    failed = sum(1 for what in wrong.values() if what)
    print(f"{len(programs)} programs, {failed} failed")
    sys.exit(1 if failed or not programs else 0)


if __name__ == "__main__":
    main()
