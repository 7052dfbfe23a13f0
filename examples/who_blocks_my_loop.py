"""Who blocks my loop?

    loopscope run examples/who_blocks_my_loop.py

Three requests only wait for a database, as it were, and yet they take four times as long as they should:

    loopscope: import_report held the event loop for 0.477 s at examples/who_blocks_my_loop.py:35 (computing in Python):
    ...
    answer Task-2: returned after 600 ms, 4 steps: running 0.18 ms, ready 450 ms, waiting 150 ms
    ...
    most harmful steps
    1341 ms  Task-5 import_report 1  who_blocks_my_loop.py:36  kept 3 tasks waiting, ran 477 ms
    ...
    stalls
    406 ms  Task-5 import_report 1  who_blocks_my_loop.py:35  python, ...

`answer` ran for next to nothing and was *ready* for most of its life: not its own fault. `import_report` did it, at
line 35, and computed in Python: move it to a process, or let the loop run between the parts.
"""

import asyncio
import json

REPORT = json.dumps([{"day": day, "sold": [day] * 100} for day in range(600)])


async def answer() -> None:
    for _ in range(3):
        await asyncio.sleep(0.05)


async def import_report() -> None:
    await asyncio.sleep(0.07)
    for _ in range(60):
        json.loads(REPORT)
    await asyncio.sleep(0.01)


async def main() -> None:
    await asyncio.gather(answer(), answer(), answer(), import_report())


asyncio.run(main())
