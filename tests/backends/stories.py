"""Programs with one planted problem each. Usage: python stories.py asyncio|uvloop STORY"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

#: a text whose parsing takes some tens of milliseconds
REPORT = json.dumps([{"name": f"row {number}", "values": list(range(20))} for number in range(20_000)])


async def fetch_user(delay: float = 0.01) -> None:
    """The victim: it could go on after `delay` seconds."""
    await asyncio.sleep(delay)


async def beside(culprit: object) -> None:
    """The victim waits for a timer that is due while `culprit`, begun at once, holds the thread."""
    victim = asyncio.create_task(fetch_user(), name="victim")
    await asyncio.sleep(0)
    await asyncio.gather(asyncio.create_task(culprit, name="culprit"), victim)  # type: ignore[call-overload]


async def parse_report() -> None:
    """JSON parsing that blocks."""
    until = time.perf_counter() + 0.06
    while time.perf_counter() < until:
        json.loads(REPORT)


async def json_parsing() -> None:
    """Another request's JSON parsing."""
    await beside(parse_report())


def on_data() -> None:
    """A callback that blocks."""
    time.sleep(0.3)  # a callback


async def callback() -> None:
    """A callback of the loop, long enough for its stack to be taken."""
    victim = asyncio.create_task(fetch_user(), name="victim")
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(on_data)
    await victim


async def crowd() -> None:
    """One of many short steps."""
    until = time.perf_counter() + 0.0001
    while time.perf_counter() < until:
        pass


async def burst() -> None:
    """Five hundred tasks at once."""
    victim = asyncio.create_task(fetch_user(0.002), name="victim")
    await asyncio.sleep(0)
    await asyncio.gather(*[asyncio.create_task(crowd()) for _ in range(500)])
    await victim


async def crunch() -> None:
    """One call into C that never lets the GIL go."""
    sum(range(20_000_000))


async def holding_the_gil() -> None:
    """Native code that holds the GIL, after loopscope's own thread has got its exporter ready."""
    await asyncio.sleep(0.3)
    await beside(crunch())


class Node:
    """One of a heap of cycles."""

    def __init__(self, other: Node | None) -> None:
        self.other, self.me = other, self


async def clean_up() -> None:
    """A collection forced by hand."""
    gc.collect()


async def collection() -> None:
    """The garbage collector, forced, with much to look at."""
    gc.disable()
    nodes = None
    for _ in range(1_500_000):
        nodes = Node(nodes)
    await beside(clean_up())
    assert nodes is not None


async def wait_for_disk() -> None:
    """Blocking, without the CPU."""
    time.sleep(0.3)  # the disk


async def sleeping() -> None:
    """A blocking time.sleep."""
    await beside(wait_for_disk())


async def wait_for_peer() -> None:
    """A blocking socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.3)
        try:
            ours.recv(1)
        except TimeoutError:
            pass


async def blocking_socket() -> None:
    """A blocking read of a socket."""
    await beside(wait_for_peer())


async def stopped_here() -> None:
    """Stops its own process, and has it continued."""
    subprocess.Popen(["sh", "-c", f"sleep 0.4; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)


async def stopped() -> None:
    """The process is stopped and goes on."""
    await beside(stopped_here())


async def lock_convoy() -> None:
    """Ten tasks that all want one lock."""
    lock = asyncio.Lock()

    async def customer() -> None:
        async with lock:
            await asyncio.sleep(0.01)

    await asyncio.gather(*[asyncio.create_task(customer(), name=f"customer-{number}") for number in range(10)])


async def full_queue() -> None:
    """A producer that waits for a slow consumer."""
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)

    async def produce() -> None:
        for number in range(6):
            await queue.put(number)

    async def consume() -> None:
        for _ in range(6):
            await queue.get()
            await asyncio.sleep(0.01)

    await asyncio.gather(asyncio.create_task(produce(), name="producer"), asyncio.create_task(consume()))


def resize() -> None:
    """Work for a thread."""
    time.sleep(0.05)


async def exhausted_pool() -> None:
    """Three jobs for a pool of one thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="small") as pool:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*[loop.run_in_executor(pool, resize) for _ in range(3)])


async def ask_backend() -> None:
    """It has 20 ms, and gives up late."""
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.02)
    except asyncio.TimeoutError:
        pass


async def late_timeout() -> None:
    """A timeout that fires late because somebody held the thread."""
    victim = asyncio.create_task(ask_backend(), name="victim")
    await asyncio.sleep(0)
    await asyncio.gather(asyncio.create_task(wait_for_disk(), name="culprit"), victim)


async def stubborn() -> None:
    """It does not heed a cancellation."""
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        await asyncio.sleep(0.01)


async def swallowed() -> None:
    """A cancellation that is swallowed."""
    task = asyncio.create_task(stubborn(), name="stubborn")
    await asyncio.sleep(0.01)
    task.cancel("shutting down")
    await task


STORIES = {
    story.__name__: story
    for story in (
        json_parsing, callback, burst, holding_the_gil, collection, sleeping, blocking_socket, stopped, lock_convoy,
        full_queue, exhausted_pool, late_timeout, swallowed,
    )
}  # fmt: skip

if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop

        uvloop.run(STORIES[sys.argv[2]]())
    else:
        asyncio.run(STORIES[sys.argv[2]]())
