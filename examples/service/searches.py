"""Searches as one types: each new one gives up the one before."""

from __future__ import annotations

import asyncio

from . import problems
from .catalogue import Catalogue, Row


class Searches:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def as_typed(self, text: str) -> list[Row]:
        """What the whole text finds; a search for its first half is begun before it, and given up."""
        early = asyncio.create_task(self._search(text[: len(text) // 2]))
        await asyncio.sleep(0.002)
        early.cancel()
        found = await self._search(text)
        await asyncio.wait([early], timeout=1)
        return found

    async def _search(self, text: str) -> list[Row]:
        try:
            await asyncio.sleep(0.01)  # the next letter may come
        except asyncio.CancelledError:
            if not problems.is_on("swallowed_cancellation"):
                raise
        async with self._catalogue.connection() as connection:
            found: list[Row] = await connection.rows(
                "SELECT id, name, price FROM product WHERE name LIKE $1", f"%{text}%"
            )
            return found
