"""The routes of the shop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import Response
from pydantic import BaseModel

from . import problems, reports, warehouse
from .billing import Billing
from .catalogue import open_catalogue
from .searches import Searches


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    state.catalogue = await open_catalogue()
    state.warehouse = warehouse.open_client()
    state.billing = Billing(state.catalogue)
    state.searches = Searches(state.catalogue)
    worker = asyncio.create_task(state.billing.work(), name="billing")
    yield
    worker.cancel()
    await asyncio.wait([worker])
    await state.warehouse.aclose()
    await state.catalogue.close()


app = FastAPI(title="shop", lifespan=_lifespan)
app.include_router(warehouse.router)


class Switch(BaseModel):
    on: bool


class Order(BaseModel):
    product: int


class Comment(BaseModel):
    text: str


@app.get("/health")
async def health() -> dict[str, Any]:
    return {"status": "ok", "worker": os.getpid()}


@app.get("/problems")
async def switches() -> dict[str, bool]:
    return {name: problems.is_on(name) for name in problems.NAMES}


@app.put("/problems/{name}")
async def switch(name: str, wanted: Switch) -> dict[str, bool]:
    if name not in problems.NAMES:
        raise HTTPException(404, f"no problem {name}; there are {', '.join(problems.NAMES)}")
    problems.turn(name, wanted.on)
    return await switches()


@app.get("/products")
async def products(request: Request) -> list[dict[str, Any]]:
    return [{"id": number, "name": name, "price": price} for number, name, price in await _products(request.app)]


@app.get("/products/{number}")
async def product(number: int, request: Request) -> dict[str, Any]:
    """One product and its stock, for which the warehouse is asked."""
    state = request.app.state
    query = "SELECT id, name, price FROM product WHERE id = $1"
    async with state.catalogue.connection() as connection:
        rows = await connection.rows(query, number)
        if problems.is_on("pool_exhaustion"):
            stock = await warehouse.ask(state.warehouse, number, wait=1.0)
    if not rows:
        raise HTTPException(404, f"no product {number}")
    if not problems.is_on("pool_exhaustion"):
        stock = await warehouse.ask(state.warehouse, number)
    return {"id": rows[0][0], "name": rows[0][1], "price": rows[0][2], "stock": stock}


@app.get("/delivery/{number}")
async def delivery(number: int, request: Request) -> dict[str, Any]:
    """The stock if the warehouse knows it in time."""
    return {"stock": await warehouse.ask_in_time(request.app.state.warehouse, number)}


@app.post("/orders", status_code=201)
async def order(wanted: Order, request: Request) -> dict[str, int]:
    return {"order": await request.app.state.billing.order(wanted.product)}


@app.get("/search")
async def search(text: str, request: Request) -> list[int]:
    return [row[0] for row in await request.app.state.searches.as_typed(text)]


@app.get("/report")
async def report(request: Request) -> Response:
    return Response(await reports.report(await _products(request.app)), media_type="application/json")


@app.get("/recommendations")
async def recommendations(request: Request) -> list[int]:
    return await reports.recommend(await _products(request.app))


@app.post("/comments", status_code=201)
async def comment(wanted: Comment) -> dict[str, bool]:
    return {"clean": await reports.check(wanted.text)}


@app.websocket("/ticker")
async def ticker(socket: WebSocket) -> None:
    """Ten prices, one each 20 ms. A customer may leave before the last."""
    with suppress(WebSocketDisconnect):
        await socket.accept()
        for _, name, price in (await _products(socket.app))[:10]:
            await socket.send_json({"name": name, "price": price})
            await asyncio.sleep(0.02)
        await socket.close()


async def _products(app: FastAPI) -> list[Any]:
    async with app.state.catalogue.connection() as connection:
        found: list[Any] = await connection.rows("SELECT id, name, price FROM product ORDER BY id")
        return found
