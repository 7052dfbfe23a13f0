"""An aiohttp server with contrib's instrumentation. Arguments: the port, the kind of loop."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop
from aiohttp import web
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.servers.apps.journal import Driven, look, written

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def single(request: web.Request) -> web.Response:
    """Answers in one step."""
    look()
    return web.Response(text="done")


async def sleeps(request: web.Request) -> web.Response:
    """Suspends as often as asked."""
    for _ in range(int(request.match_info["count"])):
        look()
        await asyncio.sleep(0.002)
    look()
    return web.Response(text="done")


async def stream(request: web.Request) -> web.StreamResponse:
    """Answers in pieces."""
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(3):
        look()
        await asyncio.sleep(0.002)
        await response.write(b"%d" % number)
    look()
    await response.write_eof()
    return response


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Sends back what it gets, until that is `end`."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    look()
    while (text := await socket.receive_str()) != "end":
        look()
        await asyncio.sleep(0.001)
        await socket.send_str(text)
    await socket.close()
    return socket


async def journal(request: web.Request) -> web.Response:
    """What became of it all."""
    return web.Response(text=written())


@web.middleware
async def recorded(request: web.Request, handler: Any) -> Any:
    """Drives the handler step by step."""
    if request.path == "/journal":
        return await handler(request)
    transport = request.transport
    assert transport is not None
    return await Driven(handler(request), request.path, client=transport.get_extra_info("peername")[1])


def main() -> None:
    """Serve until TERM."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=100))
    trace.set_tracer_provider(provider)
    AioHttpServerInstrumentor().instrument()
    app = web.Application(middlewares=[recorded])
    app.router.add_get("/single", single)
    app.router.add_get("/sleeps/{count}", sleeps)
    app.router.add_get("/stream", stream)
    app.router.add_get("/echo", echo)
    app.router.add_get("/journal", journal)
    port, loop = int(sys.argv[1]), sys.argv[2]
    web.run_app(app, host="127.0.0.1", port=port, loop=LOOPS[loop](), print=None)


if __name__ == "__main__":
    main()
