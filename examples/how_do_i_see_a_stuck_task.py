"""How do I see a stuck task?

    loopscope run --segment-seconds 0.5 examples/how_do_i_see_a_stuck_task.py

Two tasks take two locks, in opposite order. They never end; and here the process dies as if killed, so that nothing
tells their end. A task that lives long is told in segments meanwhile (by default every minute):

    transfer a-to-b: waiting after 1193 ms, 2 steps: running 0.07 ms, ready 0.80 ms, waiting 1192 ms,
    in asyncio.Lock.acquire
    transfer b-to-a: waiting after 1193 ms, 2 steps: running 0.03 ms, ready 0.91 ms, waiting 1192 ms,
    in asyncio.Lock.acquire
    ...
    51.5 ms  0.38 ms  0.04 ms  a-to-b transfer 1 timer      suspended asyncio.Lock.acquire ...
    51.6 ms  0.48 ms  0.01 ms  b-to-a transfer 1 timer      suspended asyncio.Lock.acquire ...

So both hold one lock and wait for another: take locks in one order. In Jaeger the same is a search for the tag
`asyncio.task.state=waiting`; `asyncio.task.awaiting` says in what.
"""

import asyncio
import os


async def transfer(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with first:
        await asyncio.sleep(0.05)
        async with second:
            pass


async def main() -> None:
    a, b = asyncio.Lock(), asyncio.Lock()
    there = asyncio.create_task(transfer(a, b), name="a-to-b")
    back = asyncio.create_task(transfer(b, a), name="b-to-a")
    await asyncio.wait([there, back], timeout=1.8)
    os._exit(0)


asyncio.run(main())
