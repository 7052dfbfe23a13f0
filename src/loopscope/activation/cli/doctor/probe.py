"""Run by `doctor` in an interpreter of its own, as a program that loopscope is on in: prints what became of it."""

from __future__ import annotations

import asyncio
import asyncio.base_events
import json
import sys
from collections.abc import Callable
from typing import Any

Loop = asyncio.AbstractEventLoop


async def look() -> dict[str, Any]:
    """From inside a loop: whether it is on, and what it cannot see."""
    await asyncio.sleep(0)
    process = sys.modules.get("loopscope.runtime.process")
    runtime = process.current() if process is not None else None
    if runtime is None:
        return {"on": False}
    counts = runtime.statistics()
    return {
        "on": counts["recording"],
        "core": counts["core"],
        "slower": runtime.slower,
        "errors": counts["errors"],
        "blind": runtime.gate.blind(),
    }


def ran(make: Callable[[], Loop]) -> dict[str, Any]:
    """What a loop says."""
    try:
        loop = make()
        try:
            return loop.run_until_complete(look())
        finally:
            loop.close()
    except Exception as error:
        return {"on": False, "error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """One line of JSON: where call_soon is from, and the loops."""
    found: dict[str, Any] = {"call_soon": asyncio.base_events.BaseEventLoop.call_soon.__module__, "loops": {}}
    found["loops"]["asyncio"] = ran(asyncio.SelectorEventLoop)
    try:
        import uvloop
    except ImportError:
        pass
    else:
        found["loops"]["uvloop"] = {**ran(uvloop.new_event_loop), "version": getattr(uvloop, "__version__", "")}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
