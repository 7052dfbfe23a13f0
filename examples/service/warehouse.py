"""The HTTP client, and the service that it asks: for the example it is the shop itself, by WAREHOUSE_URL."""

from __future__ import annotations

import asyncio
import os

import httpx
from fastapi import APIRouter

from . import problems

#: seconds until a question to the warehouse is given up, where somebody waits for the answer
PATIENCE = 0.1

router = APIRouter()


def open_client() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
    return httpx.AsyncClient(base_url=os.environ["WAREHOUSE_URL"], timeout=10, limits=limits)


@router.get("/warehouse/{number}")
async def shelf(number: int, wait: float = 0.005) -> dict[str, int]:
    """How many are there; `wait` seconds of looking."""
    await asyncio.sleep(0.3 if problems.is_on("slow_dependency") else wait)
    return {"stock": number % 7}


async def ask(client: httpx.AsyncClient, number: int, wait: float = 0.005) -> int:
    answer = await client.get(f"/warehouse/{number}", params={"wait": wait})
    stock: int = answer.raise_for_status().json()["stock"]
    return stock


async def ask_in_time(client: httpx.AsyncClient, number: int) -> int | None:
    """The stock, or None where the warehouse does not know within PATIENCE."""
    # A task in every Python: since 3.12 wait_for() makes none of a coroutine.
    asking = asyncio.create_task(_ask_and_tidy_up(client, number))
    try:
        return await asyncio.wait_for(asking, PATIENCE)
    except asyncio.TimeoutError:
        return None


async def _ask_and_tidy_up(client: httpx.AsyncClient, number: int) -> int:
    try:
        return await ask(client, number, wait=10 * PATIENCE if number % 2 else 0.005)
    finally:
        if problems.is_on("late_timeout"):
            await asyncio.sleep(5 * PATIENCE)
