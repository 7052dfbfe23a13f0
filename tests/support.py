"""What the tests share: run a coroutine with loopscope on, and read what it recorded as a story."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvloop
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopscope import LoopscopeInstrumentor
from tests.ground.spans import Event, Link, Span

Main = Callable[[], Coroutine[Any, Any, Any]]

#: how a coroutine is run on each kind of loop
LOOPS: dict[str, Callable[..., Any]] = {"asyncio": asyncio.run, "uvloop": uvloop.run}


def new_event_loop(loop: str) -> asyncio.AbstractEventLoop:
    """A new loop of a kind of LOOPS."""
    made: asyncio.AbstractEventLoop = uvloop.new_event_loop() if loop == "uvloop" else asyncio.new_event_loop()
    return made


def plain(span: ReadableSpan) -> Span:
    """An SDK span in the shape that receiver and Jaeger give."""
    context = span.get_span_context()
    assert context is not None
    return Span(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        parent_id=f"{span.parent.span_id:016x}" if span.parent else "",
        name=span.name,
        kind=span.kind.name,
        start=span.start_time or 0,
        end=span.end_time or 0,
        attributes=dict(span.attributes or {}),
        links=[
            Link(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}", dict(link.attributes or {}))
            for link in span.links
        ],
        events=tuple(Event(event.name, event.timestamp, dict(event.attributes or {})) for event in span.events),
        status_code=span.status.status_code.name,
        status_message=span.status.description or "",
        resource=dict(span.resource.attributes),
        scope_name=span.instrumentation_scope.name if span.instrumentation_scope else "",
        scope_version=(span.instrumentation_scope.version or "") if span.instrumentation_scope else "",
        trace_state=context.trace_state.to_header(),
        flags=int(context.trace_flags),
    )


class Story:
    """The spans of a run, and short ways to read them."""

    def __init__(self, spans: list[Span]) -> None:
        self.spans = sorted(spans, key=lambda span: (span.start, -span.end))

    @property
    def tasks(self) -> list[Span]:
        """Task spans by start."""
        return [span for span in self.spans if span.name.startswith("task ")]

    @property
    def steps(self) -> list[Span]:
        """Step spans by start: thread order."""
        return [span for span in self.spans if span.name.startswith("step ")]

    def task(self, qualname: str) -> Span:
        """The only task span of this qualname's last part."""
        found = [span for span in self.tasks if _short(span.name) == qualname]
        assert len(found) == 1, f"{len(found)} task spans {qualname!r} among {[s.name for s in self.tasks]}"
        return found[0]

    def steps_of(self, task: Span | str) -> list[Span]:
        """The step spans of a task span, by index."""
        span = self.task(task) if isinstance(task, str) else task
        found = [s for s in self.steps if s.parent_id == span.span_id and s.trace_id == span.trace_id]
        return sorted(found, key=lambda s: s.attributes["asyncio.step.index"])

    def lines(self, *more: str) -> list[str]:
        """One line a step, in thread order: `name index: waker>outcome awaiting`, and attributes asked for."""
        return [line(span, *more) for span in self.steps]

    def by_id(self, span_id: str) -> Span:
        """The span of this id."""
        return next(span for span in self.spans if span.span_id == span_id)


def _short(name: str) -> str:
    return _plain(name.split(" ", 1)[1])


def _plain(text: str) -> str:
    return re.sub(r"\S*<locals>\.", "", text)


def line(span: Span, *more: str) -> str:
    """A step in one line, for comparing with a written sequence."""
    a = span.attributes
    words = [
        f"{_short(span.name)} {a['asyncio.step.index']}: {a['asyncio.step.waker.kind']}",
        *([f"by {_plain(a['asyncio.step.waker.name'])}"] if "asyncio.step.waker.name" in a else []),
        f"> {a['asyncio.step.outcome']}",
        *([_plain(a["asyncio.step.awaiting"])] if "asyncio.step.awaiting" in a else []),
        *[f"{key}={a.get(key)}" for key in more],
    ]
    return " ".join(words)


def record(main: Main, run: Callable[..., Any] = asyncio.run, **options: Any) -> Story:
    """Run a coroutine function with loopscope on; its result is on the story as `.result`."""
    exporter = InMemorySpanExporter()
    instrumentor = LoopscopeInstrumentor()
    instrumentor.instrument(span_exporter=exporter, **options)
    try:
        result = run(main())
    finally:
        instrumentor.uninstrument()
    story = Story([plain(span) for span in exporter.get_finished_spans()])
    story.result = result  # type: ignore[attr-defined]
    return story


def check_sums(story: Story) -> None:
    """What must hold of every recording: sums add up, steps of a thread are disjoint or nested."""
    for task in story.tasks:
        a = task.attributes
        parts = sum(a[f"asyncio.task.{state}.duration"] for state in ("running", "ready", "waiting"))
        assert abs(parts - (task.end - task.start) / 1e9) < 1e-6, task
        steps = story.steps_of(task)
        assert a["asyncio.task.step.count"] >= len(steps)
    for thread in {span.attributes["thread.id"] for span in story.steps}:
        stack: list[Span] = []
        for step in [s for s in story.steps if s.attributes["thread.id"] == thread]:
            while stack and stack[-1].end <= step.start:
                stack.pop()
            if stack:
                assert step.end <= stack[-1].end, f"{line(step)} overlaps {line(stack[-1])}"
            stack.append(step)


@contextmanager
def recording(**options: Any) -> Iterator[Story]:
    """Loopscope is on inside; the story is there afterwards, whatever was raised."""
    exporter, story = InMemorySpanExporter(), Story([])
    instrumentor = LoopscopeInstrumentor()
    instrumentor.instrument(span_exporter=exporter, **options)
    try:
        yield story
    finally:
        instrumentor.uninstrument()
        story.spans = Story([plain(span) for span in exporter.get_finished_spans()]).spans


def checked(main: Main, loop: str, **options: Any) -> Story:
    """`record` on a loop of LOOPS, and `check_sums`."""
    story = record(main, LOOPS[loop], **options)
    check_sums(story)
    return story


def family(story: Story) -> list[str]:
    """One line a task, by start: `name: state`, the task span it stands under, the task that created it."""
    names = {task.span_id: _short(task.name) for task in story.tasks}
    creators = {task.attributes["asyncio.task.id"]: _short(task.name) for task in story.tasks}
    lines = []
    for task in story.tasks:
        a = task.attributes
        words = [f"{_short(task.name)}: {a['asyncio.task.state']}"]
        if task.status_code == "ERROR":
            words.append(f"ERROR {a['error.type']}")
        if task.parent_id:
            words.append(f"under {names.get(task.parent_id, '?')}")
        if "asyncio.task.creator.id" in a:
            words.append(f"by {creators.get(a['asyncio.task.creator.id'], '?')}")
        lines.append(" ".join(words))
    return lines


def edges(story: Story) -> list[str]:
    """One line a `woken_by` link, in thread order: `woken step < waking step`."""
    steps = {span.span_id: span for span in story.steps}
    return [
        f"{_step(step)} < {_step(steps[link.span_id])}"
        for step in story.steps
        for link in step.links
        if link.attributes["asyncio.link"] == "woken_by"
    ]


def ready(step: Span) -> float:
    """A step's ready duration in seconds."""
    return float(step.attributes["asyncio.step.ready.duration"])


def _step(span: Span) -> str:
    return f"{_short(span.name)} {span.attributes['asyncio.step.index']}"
