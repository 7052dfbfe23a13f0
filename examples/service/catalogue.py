"""The database: PostgreSQL where DATABASE_URL says so, else SQLite in the folder that the workers share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiosqlite
import asyncpg

#: connections of one worker
POOL_SIZE = 4

PRODUCTS = [(number, f"product {number}", 5 * number) for number in range(1, 101)]

Row = tuple[Any, ...]


class Connection(Protocol):
    """What the shop wants of a connection; `$1` stands for the first value."""

    async def rows(self, query: str, *values: object) -> list[Row]: ...


class Catalogue(Protocol):
    """A pool of connections."""

    def connection(self) -> Any: ...

    async def close(self) -> None: ...


async def open_catalogue() -> Catalogue:
    url = os.environ.get("DATABASE_URL", "")
    catalogue: Catalogue
    if url.startswith(("postgresql://", "postgres://")):
        catalogue = await Postgres.open(url)
    else:
        catalogue = await SQLite.open(Path(os.environ["SHOP_FOLDER"], "shop.db"))
    return catalogue


class Postgres:
    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str) -> Postgres:
        pool = await asyncpg.create_pool(url, min_size=POOL_SIZE, max_size=POOL_SIZE)
        async with pool.acquire() as connection, connection.transaction():
            # Two workers may come first at once.
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
            await connection.execute("CREATE TABLE IF NOT EXISTS product (id int PRIMARY KEY, name text, price int)")
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS purchase (id serial PRIMARY KEY, product int, billed int DEFAULT 0)"
            )
            await connection.executemany("INSERT INTO product VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", PRODUCTS)
        return cls(pool)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as connection:
            yield PostgresConnection(connection)

    async def close(self) -> None:
        await self._pool.close()


class PostgresConnection:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def rows(self, query: str, *values: object) -> list[Row]:
        return [tuple(row) for row in await self._connection.fetch(query, *values)]


class SQLite:
    """aiosqlite has no pool: this is the usual one, a queue of connections."""

    def __init__(self) -> None:
        self._free: asyncio.Queue[SQLiteConnection] = asyncio.Queue()
        self._all: list[aiosqlite.Connection] = []

    @classmethod
    async def open(cls, path: Path) -> SQLite:
        made = cls()
        for _ in range(POOL_SIZE):
            connection = await aiosqlite.connect(path, timeout=30, isolation_level=None)
            made._all.append(connection)
            made._free.put_nowait(SQLiteConnection(connection))
        await made._all[0].execute("PRAGMA journal_mode=WAL")
        await made._all[0].execute("CREATE TABLE IF NOT EXISTS product (id int PRIMARY KEY, name text, price int)")
        await made._all[0].execute(
            "CREATE TABLE IF NOT EXISTS purchase (id integer PRIMARY KEY, product int, billed int DEFAULT 0)"
        )
        await made._all[0].executemany("INSERT OR IGNORE INTO product VALUES (?, ?, ?)", PRODUCTS)
        return made

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        connection = await self._free.get()
        try:
            yield connection
        finally:
            self._free.put_nowait(connection)

    async def close(self) -> None:
        for connection in self._all:
            await connection.close()


class SQLiteConnection:
    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def rows(self, query: str, *values: object) -> list[Row]:
        async with self._connection.execute(query.replace("$", "?"), values) as cursor:
            return [tuple(row) for row in await cursor.fetchall()]
