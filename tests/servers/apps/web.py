"""FastAPI under uvicorn, with contrib's instrumentation. Arguments: the port, the kind of loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from typing import Any

import uvicorn
from fastapi import FastAPI, Response, WebSocket
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.servers.apps.journal import Driven, driven, driven_pieces, look, written

app = FastAPI()
passing: set[asyncio.Task[Any]] = set()
lasting: set[asyncio.Task[Any]] = set()
jobs: asyncio.Queue[str] = asyncio.Queue()


@app.get("/single")
async def single() -> str:
    """Answers in one step."""
    look()
    return "done"


@app.get("/sleeps/{count}")
async def sleeps(count: int) -> str:
    """Suspends `count` times."""
    for _ in range(count):
        look()
        await asyncio.sleep(0.002)
    look()
    return "done"


@app.get("/spans")
async def spans() -> str:
    """Opens spans of its own, one over a suspension and one within a step."""
    tracer = trace.get_tracer("web")
    look()
    with tracer.start_as_current_span("outer"):
        look()
        await asyncio.sleep(0.002)
        look()
        with tracer.start_as_current_span("inner"):
            look()
        await asyncio.sleep(0.002)
    look()
    return "done"


@app.get("/background")
async def background() -> str:
    """Leaves a task behind that goes on after the answer."""
    look()
    _leave(_afterwards(), "afterwards", passing)
    return "done"


async def _afterwards() -> None:
    for _ in range(4):
        look()
        await asyncio.sleep(0.02)
    look()


@app.get("/worker")
async def worker() -> str:
    """Leaves a worker behind that lives on."""
    look()
    _leave(_work(), "worker", lasting)
    await asyncio.sleep(0)
    return "done"


async def _work() -> None:
    look()
    while await jobs.get():
        look()
        await asyncio.sleep(0.001)


@app.get("/job")
async def job() -> str:
    """Gives the worker something to do."""
    look()
    jobs.put_nowait("job")
    await asyncio.sleep(0.02)
    return "done"


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Answers in pieces, from a task of starlette's."""
    look()
    return StreamingResponse(driven_pieces(_pieces(), "pieces"))


async def _pieces() -> AsyncGenerator[bytes, None]:
    for number in range(3):
        look()
        await asyncio.sleep(0.002)
        yield b"%d" % number
    look()


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    """Sends back what it gets, until that is `end`."""
    await socket.accept()
    look()
    while (text := await socket.receive_text()) != "end":
        look()
        await asyncio.sleep(0.001)
        await socket.send_text(text)
    await socket.close()


@app.get("/journal")
async def journal() -> Response:
    """What became of it all, once what must end has ended."""
    await asyncio.gather(*passing)
    return Response(written(), media_type="application/json")


def _leave(coroutine: Any, label: str, tasks: set[asyncio.Task[Any]]) -> None:
    task = asyncio.create_task(driven(coroutine, label))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


class Recorded:
    """Drives the whole of the application, instrumentation and all, step by step."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan" or scope["path"] == "/journal":
            return await self._inner(scope, receive, send)  # type: ignore[no-any-return]
        await Driven(self._inner(scope, receive, send), scope["path"], client=scope["client"][1])


def main() -> None:
    """Serve until TERM."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=100))
    trace.set_tracer_provider(provider)
    FastAPIInstrumentor.instrument_app(app, excluded_urls="/journal")
    port, loop = int(sys.argv[1]), sys.argv[2]
    uvicorn.run(Recorded(app), port=port, loop=loop, http="h11", ws="websockets-sansio", log_level="warning")


if __name__ == "__main__":
    main()
