#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""table.py DIRECTORY: the table of `./dev bench`.

DIRECTORY/free and DIRECTORY/one-core hold what the same programs measured, free to use every core
and pinned to one: files as Google Benchmark writes them. What happens inside one process is told by
the best of many short repetitions, which nothing has disturbed; what happens between processes by
the median.
"""
import collections
import json
import pathlib
import statistics
import sys
import typing

PLACEMENTS = {"free": "free", "one-core": "pinned to one core"}
NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


class Row(typing.NamedTuple):
    ours: str
    reference: str
    # At most so many times the reference (a rate: at least), or so many nanoseconds (bytes).
    most: float | None = None
    least: float | None = None
    most_ns: float | None = None
    # Told as how many a second; more is better.
    rate: bool = False
    # What was measured is no time but a size.
    size: bool = False
    # Which of the repetitions is told.
    pick: typing.Callable = statistics.median


def tasks(ours, references, most_ns=None, **how):
    """Rows of what happens inside one process; the aim stands in the first."""
    rows = [Row(ours, reference, pick=min, **how) for reference in references]
    return [rows[0]._replace(most_ns=most_ns)] + rows[1:]


def peers(name, most_ns=None, whose=("boost_fiber", "go", "python"), **how):
    """Rows of what every peer does alike."""
    return tasks(f"trio_{name}", [f"{peer}_{name}" for peer in whose], most_ns, **how)


# Title, and what is measured against what.
TABLE = {
    "switch: park and unpark": tasks(
        "trio_park_and_unpark", ["boost_fiber_yield", "raw_context_switch"], 50
    ),
    "switch: checkpoint": tasks(
        "trio_checkpoint_between_two_tasks", ["boost_fiber_yield", "go_switch", "python_switch"], 50
    ),
    "task, spawn and join": peers("spawn_and_join", 1e3 / 6),
    "task, 1000 spawned and joined": peers("spawn_1000_and_join", 1e3 / 6),
    "channel, round trip": peers("channel_round_trip", 120),
    "channel of 64, one way": peers("channel_one_way"),
    "broadcast to 8, a message": peers("broadcast", 250),
    "100,000 parked, time a task": peers("parked_time"),
    "100,000 parked, memory a task": peers("parked_bytes", 9e3, size=True),
    "cancelling 10,000, time a task": peers("cancel"),
    "deadline, scope entered and left": peers("deadline_churn", whose=("go", "python")),
    "10,000 connections, an echo": tasks("trio_echo", ["epoll_echo", "go_echo", "python_echo"]),
    "portal.run, round trip": [
        Row("portal_run_round_trip", "zmq_round_trip", most=1.3),
        Row("portal_run_round_trip", "socketpair_round_trip"),
    ],
    "one way: 100 calls in flight": [Row("portal_run_one_way", "zmq_one_way", rate=True)],
    "context, open and close": [Row("context_open_and_close", "zmq_round_trip/8")],
    "1,000 contexts at once, each": [Row("thousand_contexts_at_once", "zmq_round_trip/8")],
    **{
        title: [
            Row(f"{ours}/{size}", f"zmq_round_trip/{size}", most=1.2),
            Row(f"{ours}/{size}", f"socketpair_round_trip/{size}"),
        ]
        for title, ours, size in (
            ("stream, round trip of 8 B", "stream_round_trip", 8),
            ("stream, round trip of 1 KiB", "stream_round_trip", 1024),
            ("stream, round trip of 64 KiB", "stream_round_trip", 65536),
            ("the same, as tractor::Bytes", "load_round_trip", 65536),
        )
    },
    **{
        f"one way, {size} B, window {window}": [
            Row(
                f"stream_one_way/{size}/{window}",
                f"zmq_one_way/{size}",
                rate=True,
                least=1 if window >= 256 else None,
            )
        ]
        for size in (32, 1024)
        for window in (16, 64, 256, 1024)
    },
    "one way, 1 MiB": [Row("stream_of_loads/1048576", "zmq_loads/1048576", most=1 / 0.9)],
    **{
        f"{policy}topic, to {count}": [
            Row(f"{policy.replace(' ', '_')}topic_to_{count}", f"zmq_pub_to_{count}")
        ]
        for count in (1, 8, 32)
        for policy in ("", "lossless ")
    },
    "actor, spawn to first reply": [Row("actor_first_reply", "bare_first_reply", most=2)],
    "actor, spawn to reaped": [Row("actor_spawn_and_reap", "bare_spawn_and_reap")],
    "teardown of 8, wide": [Row("actors_wide_8", "bare_kill_8", most_ns=10e6)],
    "teardown of 8, deep": [Row("actors_deep_8", "bare_kill_8")],
    "teardown of 64, wide": [Row("actors_wide_64", "bare_kill_64", most=3)],
    "teardown of 64, deep": [Row("actors_deep_64", "bare_kill_64")],
    "teardown of 256, wide": [Row("actors_wide_256", "bare_kill_256")],
}

REFERENCES = {
    "epoll_echo": "one loop of epoll",
    "boost_fiber_yield": "Boost.Fiber yield",
    "raw_context_switch": "raw Boost.Context switch",
    "zmq_round_trip": "libzmq DEALER/ROUTER",
    "zmq_one_way": "libzmq DEALER/ROUTER",
    "zmq_loads": "libzmq DEALER/ROUTER",
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

PEERS = {"boost_fiber_": "Boost.Fiber", "go_": "Go", "python_": "Python trio"}


def measurements(directory):
    """The times of one item of each benchmark, in nanoseconds."""
    times = collections.defaultdict(list)
    for path in sorted(directory.glob("*.json")):
        for run in json.loads(path.read_text())["benchmarks"]:
            if run["run_type"] != "iteration":
                continue
            # Its arguments stay: "stream_round_trip/1024".
            name = run["name"].removesuffix("/real_time")
            if "items_per_second" in run:
                times[name].append(1e9 / run["items_per_second"])
            else:
                times[name].append(run["real_time"] * NANOSECONDS[run["time_unit"]])
    return times


def reference_name(name):
    """What people call it."""
    for prefix, peer in PEERS.items():
        if name.startswith(prefix):
            return REFERENCES.get(name, peer)
    return REFERENCES[name.split("/")[0]]


def shown(nanoseconds, row):
    if row.rate:
        return f"{1e6 / nanoseconds:.0f} k/s"
    if row.size:
        return f"{nanoseconds / 1e3:.1f} kB"
    for unit in reversed(NANOSECONDS):
        if nanoseconds >= NANOSECONDS[unit] or unit == "ns":
            return f"{nanoseconds / NANOSECONDS[unit]:.3g} {unit}"


def figures(row, measured):
    """Ours, the reference, the ratio, and whether the aim is met (None: there is none)."""
    if row.ours not in measured or row.reference not in measured:
        return "-", "-", "-", None
    ours, reference = row.pick(measured[row.ours]), row.pick(measured[row.reference])
    ratio = reference / ours if row.rate else ours / reference
    met = None
    if row.most is not None:
        met = ratio <= row.most
    elif row.least is not None:
        met = ratio >= row.least
    elif row.most_ns is not None:
        met = ours <= row.most_ns
    return shown(ours, row), shown(reference, row), f"{ratio:.{2 if ratio >= 0.1 else 4}f}x", met


def aim(row):
    if row.most is not None:
        return f"<= {row.most:g}x"
    if row.least is not None:
        return f">= {row.least:g}x"
    return f"<= {shown(row.most_ns, row)}" if row.most_ns is not None else ""


def verdict(mets):
    words = [{True: "met", False: "missed", None: ""}[met] for met in mets]
    return words[0] if len(set(words)) == 1 else ", ".join(words)


def main(directory):
    measured = [measurements(pathlib.Path(directory) / placement) for placement in PLACEMENTS]
    line = "{:<32} {:<25} {:>9} {:>9} {:>7}   {:>9} {:>9} {:>7}  {:<8} {}"
    print(f"{'':<59}{PLACEMENTS['free']:^27}   {PLACEMENTS['one-core']:^27}")
    head = ("ours", "reference", "ratio")
    print(line.format("what", "against", *head, *head, "aim", "(free, one core)"))
    for title, rows in TABLE.items():
        for row in rows:
            cells = [figures(row, here) for here in measured]
            text = [cell for figure in cells for cell in figure[:3]]
            print(
                line.format(
                    title,
                    reference_name(row.reference),
                    *text,
                    aim(row),
                    verdict([figure[3] for figure in cells]),
                ).rstrip()
            )
            title = ""


if __name__ == "__main__":
    main(*sys.argv[1:])
