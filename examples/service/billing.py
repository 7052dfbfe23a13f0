"""The queue and its worker: an order is answered when it is written down, and billed later."""

from __future__ import annotations

import asyncio
from typing import Any

from . import problems
from .catalogue import Catalogue


class Billing:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._orders: asyncio.Queue[int] = asyncio.Queue(maxsize=1000)
        self._till = asyncio.Lock()

    async def order(self, product: int) -> int:
        """The number of the order."""
        if problems.is_on("lock_convoy"):
            async with self._till:
                number = await self._write(product)
                await asyncio.sleep(0.3)
        else:
            number = await self._write(product)
        await self._orders.put(number)
        return number

    async def _write(self, product: int) -> int:
        async with self._catalogue.connection() as connection:
            rows: list[Any] = await connection.rows("INSERT INTO purchase (product) VALUES ($1) RETURNING id", product)
        return int(rows[0][0])

    async def work(self) -> None:
        """Bills one order after the other, for ever."""
        while True:
            number = await self._orders.get()
            async with self._catalogue.connection() as connection:
                await connection.rows("UPDATE purchase SET billed = 1 WHERE id = $1", number)
            self._orders.task_done()
