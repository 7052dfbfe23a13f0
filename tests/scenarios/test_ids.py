"""Task and loop ids count up within the process, also over switching off and on."""

from __future__ import annotations

import asyncio

from tests.support import record


async def main() -> None:
    await asyncio.sleep(0)


def test_ids_go_on() -> None:
    before, after = record(main).task("main"), record(main).task("main")
    assert after.attributes["asyncio.task.id"] > before.attributes["asyncio.task.id"]
    assert after.attributes["asyncio.loop.id"] > before.attributes["asyncio.loop.id"]
