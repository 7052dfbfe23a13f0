"""A grpc.aio server with contrib's interceptor. Arguments: the port, the kind of loop."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import uvloop
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorServer, filters
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.servers.apps.journal import driven, look, written

numbers = itertools.count()
RUN = {"asyncio": asyncio.run, "uvloop": uvloop.run}


async def single(request: bytes, context: Any) -> bytes:
    """Answers in one step."""
    look().label = "single"
    return b"done"


async def sleeps(request: bytes, context: Any) -> bytes:
    """Suspends as often as asked."""
    for _ in range(int(request)):
        look().label = f"sleeps {int(request)}"
        await asyncio.sleep(0.002)
    look()
    return b"done"


async def pieces(request: bytes, context: Any) -> AsyncIterator[bytes]:
    """Answers in pieces: gRPC suspends for each."""
    for number in range(3):
        look().label = "pieces"
        await asyncio.sleep(0.002)
        yield b"%d" % number
    look()


async def journal(request: bytes, context: Any) -> bytes:
    """What became of it all."""
    return written().encode()


def _drive_all(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    """A task factory. gRPC's own coroutine takes steps before the handler and after it."""
    return asyncio.Task(_drive(coroutine), loop=loop, **options)


async def _drive(coroutine: Any) -> Any:
    task = asyncio.current_task()
    assert task is not None
    task.set_name(f"{task.get_name()} {next(numbers)}")  # gRPC gives many the same
    return await driven(coroutine, "other")


async def serve(port: int) -> None:
    """Serve until TERM."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(_drive_all)
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    server = grpc.aio.server()
    handlers: dict[str, Any] = {
        "single": grpc.unary_unary_rpc_method_handler(single),
        "sleeps": grpc.unary_unary_rpc_method_handler(sleeps),
        "pieces": grpc.unary_stream_rpc_method_handler(pieces),
        "journal": grpc.unary_unary_rpc_method_handler(journal),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Demo", handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await over.wait()
    await server.stop(1)


def main() -> None:
    """Serve with instrumentation."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=100))
    trace.set_tracer_provider(provider)
    GrpcAioInstrumentorServer(filters.negate(filters.method_name("journal"))).instrument()  # type: ignore[no-untyped-call]
    RUN[sys.argv[2]](serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
