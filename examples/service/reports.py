"""The thread pool, and what computes: a report as JSON, the check of a comment, recommendations."""

from __future__ import annotations

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import problems

#: two threads: a third report has to queue
POOL = ThreadPoolExecutor(2, thread_name_prefix="reports")

_ENDING_IN_SPACES = re.compile(r"\s+$")


async def report(rows: list[tuple[Any, ...]]) -> str:
    """A year of the catalogue as JSON."""
    if problems.is_on("blocking_json"):
        return write_report(rows, days=365)
    return await asyncio.get_running_loop().run_in_executor(POOL, write_report, rows, 10)


def write_report(rows: list[tuple[Any, ...]], days: int) -> str:
    year = [{"day": day, "products": [{"id": i, "name": n, "price": p} for i, n, p in rows]} for day in range(days)]
    return json.dumps({"days": len(year), "size": len(json.dumps(year, indent=1))})


async def check(comment: str) -> bool:
    """Whether a comment may be printed."""
    if problems.is_on("gil_native"):
        # It looks at every run of spaces from each of its beginnings: the square of its length, and all of it in C.
        comment += " " * 8_000 + "."
    return await asyncio.get_running_loop().run_in_executor(POOL, ends_clean, comment)


def ends_clean(comment: str) -> bool:
    return _ENDING_IN_SPACES.search(comment) is None


async def recommend(rows: list[tuple[Any, ...]]) -> list[int]:
    """The three products that fit best."""
    count = 3000 if problems.is_on("task_burst") else 10
    scores = await asyncio.gather(*(score(rows[number % len(rows)]) for number in range(count)))
    return [product for _, product in sorted(set(scores), reverse=True)[:3]]


async def score(row: tuple[Any, ...]) -> tuple[int, int]:
    weight = sum(ord(letter) * place for place, letter in enumerate(row[1] * 20))
    return weight % 97, row[0]
