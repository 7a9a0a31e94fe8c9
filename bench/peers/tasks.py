#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What trio.cpp, crowds.cpp and echo.cpp measure, done with Python trio.

tasks.py FILE CLIENTS [ARGUMENT...]: CLIENTS is the program that connects, and then prints how long
an echo took.
"""
import json
import os
import pathlib
import sys
import time

import trio

ENTRIES = []
# Of measurements of a millisecond or two each, so that some of them are not disturbed.
ROUNDS = 50

def record(name, per_item):
    ENTRIES.append(
        {"name": f"python_{name}", "run_type": "iteration", "real_time": per_item, "time_unit": "ns"}
    )


async def measure(name, items, work):
    """Records how long each of the items that one call of `work` does takes, again and again."""
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        await work(items)
        record(name, (time.perf_counter_ns() - begin) / items)


def resident_bytes():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


async def parked(count):
    before = resident_bytes()
    async with trio.open_nursery() as nursery:
        begin = time.perf_counter_ns()
        for _ in range(count):
            nursery.start_soon(trio.sleep_forever)
        await trio.lowlevel.checkpoint()
        record("parked_time", (time.perf_counter_ns() - begin) / count)
        record("parked_bytes", (resident_bytes() - before) / count)
        nursery.cancel_scope.cancel()


async def nothing():
    pass


async def spawn_and_join(count):
    for _ in range(count):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(nothing)


async def spawn_many_and_join(count):
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(nothing)


async def checkpoints(count):
    for _ in range(count // 2):
        await trio.lowlevel.checkpoint()


async def switch(count):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(checkpoints, count)
        nursery.start_soon(checkpoints, count)


async def send_back(receiver, sender):
    async for value in receiver:
        await sender.send(value)


async def channel_round_trip(count):
    there, from_here = trio.open_memory_channel(0)
    back, from_there = trio.open_memory_channel(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_back, from_here, back)
        for _ in range(count):
            await there.send(1)
            await from_there.receive()
        there.close()


async def receive_all(receiver):
    async for _ in receiver:
        pass


async def channel_one_way(count):
    sender, receiver = trio.open_memory_channel(64)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive_all, receiver)
        for i in range(count):
            await sender.send(i)
        sender.close()


async def broadcast(count):
    """Python trio has none: a channel for each receiver."""
    senders = []
    async with trio.open_nursery() as nursery:
        for _ in range(8):
            sender, receiver = trio.open_memory_channel(64)
            senders.append(sender)
            nursery.start_soon(receive_all, receiver)
        for i in range(count):
            for sender in senders:
                await sender.send(i)
        for sender in senders:
            sender.close()


async def deadline_churn(count):
    for _ in range(count):
        with trio.move_on_after(10):
            pass


async def cancel(count):
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(trio.sleep_forever)
        await trio.lowlevel.checkpoint()
        begin = time.perf_counter_ns()
        nursery.cancel_scope.cancel()
    record("cancel", (time.perf_counter_ns() - begin) / count)


async def serve_echo(stream):
    async for piece in stream:
        await stream.send_all(piece)


async def echo():
    address = f"\0tractor-bench-{os.getpid()}"
    listening = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    await listening.bind(address)
    listening.listen(65535)
    async with trio.open_nursery() as nursery:
        listener = trio.SocketListener(listening)
        nursery.start_soon(trio.serve_listeners, serve_echo, [listener])
        clients = await trio.run_process(
            [*sys.argv[2:], "@" + address[1:]], capture_stdout=True
        )
        record("echo", float(clients.stdout))
        nursery.cancel_scope.cancel()


async def main():
    await parked(100_000)
    await measure("spawn_and_join", 50, spawn_and_join)
    await measure("spawn_1000_and_join", 1_000, spawn_many_and_join)
    await measure("switch", 600, switch)
    await measure("channel_round_trip", 100, channel_round_trip)
    await measure("channel_one_way", 200, channel_one_way)
    await measure("broadcast", 10, broadcast)
    await measure("deadline_churn", 500, deadline_churn)
    await cancel(10_000)
    await echo()
    pathlib.Path(sys.argv[1]).write_text(json.dumps({"benchmarks": ENTRIES}))


if __name__ == "__main__":
    trio.run(main)
