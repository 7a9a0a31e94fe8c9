#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""table.py DIRECTORY: the table of `./dev bench`.

DIRECTORY/free and DIRECTORY/one-core hold what the same programs measured, free to use every core
and pinned to one: files as Google Benchmark writes them. Every figure is the median of its
repetitions.
"""
import collections
import json
import pathlib
import statistics
import sys
from typing import NamedTuple

PLACEMENTS = {"free": "free", "one-core": "pinned to one core"}
NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


class Row(NamedTuple):
    ours: str
    reference: str
    # At most so many times the reference, or so many nanoseconds.
    most: float | None = None
    most_ns: float | None = None
    # Told as how many a second; more is better.
    rate: bool = False


# Title, and what is measured against what.
TABLE = {
    "switch: park and unpark": [
        Row("trio_park_and_unpark", "boost_fiber_yield", most=1),
        Row("trio_park_and_unpark", "raw_context_switch"),
    ],
    "switch: checkpoint": [Row("trio_checkpoint_between_two_tasks", "boost_fiber_yield", most=1)],
    "task, spawn and join": [Row("trio_spawn_and_join", "boost_fiber_spawn_and_join", most=1)],
    "channel, round trip": [Row("trio_channel_round_trip", "boost_fiber_channel_round_trip")],
    "portal.run, round trip": [
        Row("portal_run_round_trip", "zmq_round_trip", most=1.3),
        Row("portal_run_round_trip", "socketpair_round_trip"),
    ],
    "one way: 100 calls in flight": [Row("portal_run_one_way", "zmq_one_way", rate=True)],
    "fan-out to 1, each message": [
        Row("topic_to_1", "zmq_pub_to_1"),
        Row("lossless_topic_to_1", "zmq_pub_to_1"),
    ],
    "fan-out to 8": [
        Row("topic_to_8", "zmq_pub_to_8"),
        Row("lossless_topic_to_8", "zmq_pub_to_8"),
    ],
    "fan-out to 32": [
        Row("topic_to_32", "zmq_pub_to_32"),
        Row("lossless_topic_to_32", "zmq_pub_to_32"),
    ],
    "actor, spawn to first reply": [Row("actor_first_reply", "bare_first_reply", most=2)],
    "actor, spawn to reaped": [Row("actor_spawn_and_reap", "bare_spawn_and_reap")],
    "teardown of 8, wide": [Row("actors_wide_8", "bare_kill_8", most_ns=10e6)],
    "teardown of 8, deep": [Row("actors_deep_8", "bare_kill_8")],
    "teardown of 64, wide": [Row("actors_wide_64", "bare_kill_64", most=3)],
    "teardown of 64, deep": [Row("actors_deep_64", "bare_kill_64")],
    "teardown of 256, wide": [Row("actors_wide_256", "bare_kill_256")],
}

REFERENCES = {
    "boost_fiber_yield": "Boost.Fiber yield",
    "raw_context_switch": "raw Boost.Context switch",
    "boost_fiber_spawn_and_join": "Boost.Fiber fiber",
    "boost_fiber_channel_round_trip": "Boost.Fiber channel",
    "zmq_round_trip": "libzmq DEALER/ROUTER",
    "zmq_one_way": "libzmq DEALER/ROUTER",
    "zmq_pub_to_1": "libzmq XPUB/SUB",
    "zmq_pub_to_8": "libzmq XPUB/SUB",
    "zmq_pub_to_32": "libzmq XPUB/SUB",
    "socketpair_round_trip": "Unix socket pair",
    "bare_first_reply": "process, hello by libzmq",
    "bare_spawn_and_reap": "process, hello and exit",
    "bare_kill_8": "SIGKILL and reap 8",
    "bare_kill_64": "SIGKILL and reap 64",
    "bare_kill_256": "SIGKILL and reap 256",
}


def medians(directory):
    """The median time of one item of each benchmark, in nanoseconds."""
    times = collections.defaultdict(list)
    for path in sorted(directory.glob("*.json")):
        for run in json.loads(path.read_text())["benchmarks"]:
            if run["run_type"] != "iteration":
                continue
            name = run["name"].split("/")[0]
            if "items_per_second" in run:
                times[name].append(1e9 / run["items_per_second"])
            else:
                times[name].append(run["real_time"] * NANOSECONDS[run["time_unit"]])
    return {name: statistics.median(values) for name, values in times.items()}


def shown(nanoseconds, rate):
    if rate:
        return f"{1e6 / nanoseconds:.0f} k/s"
    for unit in reversed(NANOSECONDS):
        if nanoseconds >= NANOSECONDS[unit] or unit == "ns":
            return f"{nanoseconds / NANOSECONDS[unit]:.3g} {unit}"


def figures(row, measured):
    """Ours, the reference, the ratio, and whether the aim is met (None: there is none)."""
    if row.ours not in measured or row.reference not in measured:
        return "-", "-", "-", None
    ours, reference = measured[row.ours], measured[row.reference]
    ratio = reference / ours if row.rate else ours / reference
    met = None
    if row.most is not None:
        met = ratio <= row.most
    elif row.most_ns is not None:
        met = ours <= row.most_ns
    return shown(ours, row.rate), shown(reference, row.rate), f"{ratio:.2f}x", met


def aim(row):
    if row.most is not None:
        return f"<= {row.most:g}x"
    return f"<= {shown(row.most_ns, False)}" if row.most_ns is not None else ""


def verdict(mets):
    words = [{True: "met", False: "missed", None: ""}[met] for met in mets]
    return words[0] if len(set(words)) == 1 else ", ".join(words)


def main(directory):
    measured = [medians(pathlib.Path(directory) / placement) for placement in PLACEMENTS]
    line = "{:<29} {:<25} {:>9} {:>9} {:>7}   {:>9} {:>9} {:>7}  {:<8} {}"
    print(f"{'':<56}{PLACEMENTS['free']:^27}   {PLACEMENTS['one-core']:^27}")
    head = ("ours", "reference", "ratio")
    print(line.format("what", "against", *head, *head, "aim", "(free, one core)"))
    for title, rows in TABLE.items():
        for row in rows:
            cells = [figures(row, here) for here in measured]
            text = [cell for figure in cells for cell in figure[:3]]
            print(
                line.format(
                    title,
                    REFERENCES[row.reference],
                    *text,
                    aim(row),
                    verdict([figure[3] for figure in cells]),
                ).rstrip()
            )
            title = ""


if __name__ == "__main__":
    main(*sys.argv[1:])
