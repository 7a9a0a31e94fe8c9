#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Writes a C++ file that uses each name in the tables of a page: names.py SOURCE PAGE.

In a row of two cells, Python's names and ours, ours are what the right cell has in backticks as
`trio::name`; where it says "the same", also each name of the left cell, in the namespace that the
last one with a dot was in, or in that of "the same, in `trio::namespace`". In a row without Python's
the left cell has ours. A page whose names rot does not compile."""

import pathlib
import re
import sys

ROW = re.compile(r"^\| (.*) \| (.*) \|$", re.MULTILINE)
CODE = re.compile(r"`([^`]*)`")
# Up to a class: what is in there is no name by itself.
OURS = re.compile(r"\btrio(?:::[a-z_]\w*)*::\w+")
THEIRS = re.compile(r"((?:trio\.)?(?:\w+\.)*)(\w+)(?:\(.*\))?")
PLACE = re.compile(r"the same, in `(trio(?:::\w+)*)`")


def same_names(cell, place):
    namespace = "trio"
    for code in CODE.findall(cell):
        name = THEIRS.fullmatch(code)
        # A method, or what is written in several words, is none of ours by itself.
        if not name or name[1].startswith("math."):
            continue
        if name[1]:
            namespace = name[1].rstrip(".").replace(".", "::")
        yield f"{place or namespace}::{name[2]}"


def names_in(page):
    for left, right in ROW.findall(page):
        place = PLACE.search(right)
        for code in CODE.findall(PLACE.sub("", right)) + CODE.findall(left):
            yield from OURS.findall(code)
        if right.startswith("the same"):
            yield from same_names(left, place and place[1])


def main():
    source, page = map(pathlib.Path, sys.argv[1:])
    names = list(dict.fromkeys(names_in(page.read_text())))
    # None found would be well, too.
    if len(names) < 100:
        sys.exit(f"{page.name}: only {len(names)} names were found in its tables")
    lines = ["#include <trio/testing.hpp>", "#include <trio/testing/streams.hpp>"]
    lines += ["#include <trio/trio.hpp>", ""]
    lines += [f"namespace name_{i} {{ using {name}; }}" for i, name in enumerate(names)]
    lines += ["", "int main() {}", ""]
    source.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
