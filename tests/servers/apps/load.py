"""FastAPI under uvicorn with one slow handler among many. Arguments: the port, the kind of loop."""

from __future__ import annotations

import asyncio
import sys
import time

import uvicorn
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

app = FastAPI()


@app.get("/item/{number}")
async def item(number: int) -> int:
    """Quick, with a wait."""
    await asyncio.sleep(0.005)
    return number


@app.get("/user/{number}")
async def user(number: int) -> int:
    """Quick, with two waits."""
    await asyncio.sleep(0.002)
    await asyncio.sleep(0.002)
    return number


@app.get("/report")
async def report() -> str:
    """Slow: it holds the loop."""
    until = time.perf_counter() + 0.12
    while time.perf_counter() < until:
        sum(range(1000))  # the culprit's line
    return "done"


def main() -> None:
    """Serve until TERM."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=100))
    trace.set_tracer_provider(provider)
    FastAPIInstrumentor.instrument_app(app)
    uvicorn.run(app, port=int(sys.argv[1]), loop=sys.argv[2], http="h11", log_level="warning")


if __name__ == "__main__":
    main()
