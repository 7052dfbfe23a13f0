"""The garbage collector does not run while loopscope's thread computes, and does whenever it may wait."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from loopscope import collection
from loopscope.log import logger
from loopscope.pipeline.export.outbox import Outbox
from loopscope.pipeline.export.provider import Provider
from loopscope.pipeline.pipeline import Pipeline
from loopscope.settings import Settings
from tests.records import birth, step
from tests.unit.test_rounds import Queue, Sink, unmetered


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    """It is on before a test and after it."""
    assert gc.isenabled()
    yield
    collection.go_on()
    gc.enable()


class Seeing(Sampler, RandomIdGenerator, logging.Handler):
    """Sees whether it runs, where the application's own code does."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bool] = []

    def should_sample(self, *args: Any, **more: Any) -> SamplingResult:
        self.seen.append(gc.isenabled())
        return SamplingResult(Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "seeing"

    def generate_span_id(self) -> int:
        self.seen.append(gc.isenabled())
        return 1

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(gc.isenabled())


def pipeline(sink: Sink) -> Pipeline:
    """With three records to take."""
    queue, provider = Queue(), Provider()
    made = Pipeline(queue, provider, Settings(), lambda: Outbox([sink], provider.resource), unmetered())
    queue.queue += [birth(1, 0), step(1, 0, 0, 1, 2), step(1, 1, 2, 3, 4)]
    return made


@pytest.mark.parametrize("on", [True, False])
def test_while_records_are_taken(on: bool) -> None:
    """Also where the application has switched it off: it stays so."""
    taking, seen = pipeline(Sink()), list[bool]()
    feed = taking._drain

    def drain(most: int) -> int:
        seen.append(gc.isenabled())
        return feed(most)

    taking._drain = drain
    if not on:
        gc.disable()
    for _ in taking.round():
        assert gc.isenabled() is on
    assert (seen, gc.isenabled()) == ([False] * 3, on)


def test_an_error_leaves_it_on() -> None:
    taking = pipeline(Sink())
    taking._drain = lambda most: 1 // 0
    with pytest.raises(ZeroDivisionError):
        list(taking.round())
    assert gc.isenabled()


def test_where_it_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samplers, generators, log handlers, exporters: any of them may hang, and others are not to go without."""
    seeing = Seeing()
    provider = Provider(TracerProvider(sampler=seeing, id_generator=seeing))
    monkeypatch.setattr(logging.getLogger("loopscope"), "handlers", [seeing])
    sink = Sink()
    monkeypatch.setattr(sink, "send", lambda items, resource: seeing.seen.append(gc.isenabled()))
    taking = pipeline(sink)
    list(taking.round())
    collection.stop()
    provider.sample(1, "task")
    provider.span_id()
    logger.warning("said")
    taking.send()
    assert (seeing.seen, gc.isenabled()) == ([True] * 4, False)


@pytest.mark.parametrize(("switch", "after"), [(gc.enable, True), (gc.disable, False)])
def test_what_others_do_to_it_meanwhile_stands(switch: Callable[[], None], after: bool) -> None:
    collection.stop()
    with collection.running():
        assert gc.isenabled()
        switch()
    assert not gc.isenabled()
    collection.go_on()
    assert gc.isenabled() is after
