"""Small coroutines that many scenarios run as tasks."""

from __future__ import annotations

import asyncio
import time


async def quick() -> str:
    """Ends in its first step."""
    return "quick"


async def sleeper(seconds: float = 0.001) -> str:
    """Waits for a timer once."""
    await asyncio.sleep(seconds)
    return "slept"


async def failing() -> None:
    """Raises in its second step."""
    await asyncio.sleep(0)
    raise ValueError("no")


async def stuck() -> None:
    """Waits for what never happens."""
    await asyncio.get_running_loop().create_future()


async def blocker(seconds: float = 0.1) -> None:
    """Holds the thread."""
    time.sleep(seconds)
