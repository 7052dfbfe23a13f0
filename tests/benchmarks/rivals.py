"""What others cost for the same steps: each in a process of its own, interleaved, the minimum of several.

Not all do the same work: who records less is told in `WORK`. Run it: python -m tests.benchmarks.rivals
"""

from __future__ import annotations

import ast
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import uvloop
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from loopscope import LoopscopeInstrumentor
from tests.benchmarks.export import ALL, apart
from tests.benchmarks.sink import Sink

TASKS, STEPS, REPEATS = 20, 500, 5

Coro = Coroutine[Any, Any, None]
#: wraps each task's coroutine
Wrap = Callable[[Coro], Any]
#: switches something on for a URL that takes OTLP, and what it sent, if anything, is there once it is off
Tool = Callable[[str], AbstractContextManager[Wrap]]

WORK = {
    "loopscope": "loopscope, everything on: a span for each step and each task, with who woke and who delayed it",
    "stock": "OpenTelemetry's SDK: a span for each step, of one attribute",
    "debug": "asyncio's debug mode: a traceback for each handle, no record",
    "viztracer": "viztracer --log_async: all function calls",
    "yappi": "yappi: sums by function, no single step",
    "contrib": "opentelemetry-instrumentation-asyncio: a span for each task, none for steps",
}


async def work() -> None:
    """Empty steps."""
    for _ in range(STEPS):
        await asyncio.sleep(0)


def _as_it_is(coroutine: Coro) -> Coro:
    return coroutine


@contextmanager
def bare(url: str) -> Generator[Wrap]:
    """Nothing."""
    yield _as_it_is


@contextmanager
def loopscope(url: str) -> Generator[Wrap]:
    """Everything on, every step told."""
    LoopscopeInstrumentor().instrument(span_exporter=OTLPSpanExporter(endpoint=url), **ALL)
    yield _as_it_is
    LoopscopeInstrumentor().uninstrument()


class _Spanned(Coroutine[Any, Any, None]):
    """A coroutine with a span for each step, as one would write it by the SDK."""

    def __init__(self, inner: Coro, tracer: Any) -> None:
        self._inner, self._tracer, self._index = inner, tracer, 0

    def send(self, value: Any) -> Any:
        with self._tracer.start_as_current_span("step", attributes={"index": self._index}):
            self._index += 1
            return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        return self._inner.throw(*error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, None]:
        raise NotImplementedError


@contextmanager
def stock(url: str) -> Generator[Wrap]:
    """The SDK's own spans, in a queue that drops none."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url), max_queue_size=1 << 20))
    tracer = provider.get_tracer("stock")
    yield lambda coroutine: _Spanned(coroutine, tracer)
    provider.shutdown()


@contextmanager
def debug(url: str) -> Generator[Wrap]:
    """asyncio's debug mode."""
    os.environ["PYTHONASYNCIODEBUG"] = "1"
    yield _as_it_is


@contextmanager
def viztracer(url: str) -> Generator[Wrap]:
    """viztracer --log_async, with its file."""
    from viztracer import VizTracer

    with tempfile.TemporaryDirectory() as folder:
        tracer = VizTracer(log_async=True, verbose=0, tracer_entries=10_000_000)
        tracer.start()
        yield _as_it_is
        tracer.stop()
        tracer.save(os.path.join(folder, "out.json"))


@contextmanager
def yappi(url: str) -> Generator[Wrap]:
    """yappi, on the processor's clock."""
    import yappi as profiler

    profiler.set_clock_type("cpu")
    profiler.start()
    yield _as_it_is
    profiler.stop()
    profiler.get_func_stats()


@contextmanager
def contrib(url: str) -> Generator[Wrap]:
    """contrib's asyncio instrumentation, of this coroutine."""
    from opentelemetry.instrumentation.asyncio import AsyncioInstrumentor

    os.environ["OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE"] = "work"
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url), max_queue_size=1 << 20))
    AsyncioInstrumentor().instrument(tracer_provider=provider)
    yield _as_it_is
    AsyncioInstrumentor().uninstrument()
    provider.shutdown()


TOOLS: dict[str, Tool] = {
    tool.__name__: tool for tool in (bare, loopscope, stock, debug, viztracer, yappi, contrib)
}  # fmt: skip
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}
#: uvloop has no debug mode to speak of
MEASURED = [
    (loop, name) for loop in LOOPS for name in TOOLS if (loop, name) != ("uvloop", "debug")
]  # fmt: skip


def cost(name: str, loop_name: str, url: str) -> list[float]:
    """Microseconds of CPU per step: of the loop's thread, and of the process until all is sent or written."""

    async def main(wrap: Wrap, tasks: int = TASKS) -> None:
        await asyncio.gather(*(wrap(work()) for _ in range(tasks)))

    with TOOLS[name](url) as wrap:
        loop = LOOPS[loop_name]()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(main(wrap, 1))  # what it imports and builds at first is no step's cost
        began = time.process_time()
        thread = time.thread_time()
        loop.run_until_complete(main(wrap))
        thread = time.thread_time() - thread
        loop.close()
    return [1e6 * took / (TASKS * STEPS) for took in (thread, time.process_time() - began)]


def measure(repeats: int = REPEATS) -> dict[str, dict[str, float]]:
    """By loop and name: the loop thread's time added to a bare step, as a ratio to a bare uvloop step; microseconds
    added in the whole process.
    """
    least: dict[tuple[str, str], list[float]] = {}
    with Sink() as sink:
        for _ in range(repeats):
            for loop, name in MEASURED:
                took = ast.literal_eval(apart(f"rivals.cost({name!r}, {loop!r}, '{sink.url}/null')"))
                least[loop, name] = list(map(min, took, least.get((loop, name), took)))
    step = least["uvloop", "bare"][0]
    return {
        f"{loop} {name}": {
            "thread": (thread - least[loop, "bare"][0]) / step,
            "process": process - least[loop, "bare"][1],
        }
        for (loop, name), (thread, process) in least.items()
        if name != "bare"
    }


def report() -> dict[str, dict[str, float]]:
    """Measure, and print."""
    found = measure()
    print("for the same steps             loop's thread, added / bare uvloop step     process, us a step")
    for key, costs in found.items():
        print(f"{key:<20} {costs['thread']:40.2f} {costs['process']:22.1f}   {WORK[key.split()[1]]}")
    return found


if __name__ == "__main__":
    report()
