"""Hand-made spans as sources give them, and how other programs write them."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from loopscope import conventions as c
from loopscope.recording import jaegerjson
from loopscope.recording.spans import KINDS, STATUSES, Event, Link, Span
from loopscope.recording.writer import attributes

MS = 1_000_000
#: when hand-made traces begin
EPOCH = 1_700_000_000_000_000_000
TRACE = "ab" * 16
RESOURCE: dict[str, Any] = {"service.name": "shop", "process.pid": 7, "host.name": "here"}

_numbers = itertools.count(1 << 50)


def span(
    name: str, start: float, end: float, said: Mapping[str, Any] | None = None, *, id: str = "", parent: str = "",
    trace: str = TRACE, links: Iterable[Link] = (), events: Iterable[Event] = (), kind: str = "INTERNAL",
    status: str = "UNSET", scope: str = c.SCOPE, resource: Mapping[str, Any] | None = None, message: str = "",
) -> Span:  # fmt: skip
    """A span; times in milliseconds after EPOCH."""
    return Span(
        trace, id or f"{next(_numbers):016x}", parent, name, kind, at(start), at(end), dict(said or {}), tuple(links),
        tuple(events), status, message, scope, "1" if scope else "", RESOURCE if resource is None else resource,
    )  # fmt: skip


def at(milliseconds: float) -> int:
    """A moment."""
    return EPOCH + round(milliseconds * MS)


def task(number: int, qualname: str, start: float, end: float, steps: int, **more: Any) -> Span:
    """A task span, waiting all the time but for what `running` and `ready` (milliseconds) say; its id is the number."""
    running, ready = more.pop("running", 0), more.pop("ready", 0)
    said = {
        c.TASK_ID: number, c.TASK_NAME: f"Task-{number}", c.TASK_STATE: more.pop("state", "returned"), c.TASK_STEP_COUNT: steps,
        c.TASK_RUNNING: running / 1e3, c.TASK_READY: ready / 1e3, c.TASK_WAITING: (end - start - running - ready) / 1e3,
        c.THREAD_ID: 1, c.THREAD_NAME: "MainThread", c.LOOP_ID: 1, c.CODE_FUNCTION: f"app.{qualname}",
        c.CODE_FILE: "/a/app.py", c.CODE_LINE: 1, **more.pop("said", {}),
    }  # fmt: skip
    return span(f"task {qualname}", start, end, said, **{"id": f"{number:016x}", **more})


def step(number: int, qualname: str, index: int, start: float, end: float, ready: float = 0, **more: Any) -> Span:
    """A step span under the task span of `task`; `ready` in milliseconds. Its id is that of `step_id`."""
    said = {
        c.STEP_INDEX: index, c.STEP_OUTCOME: "suspended", c.STEP_AWAITING: "asyncio.sleep", c.STEP_READY: ready / 1e3,
        c.STEP_WAKER_KIND: "timer", c.TASK_NAME: f"Task-{number}", c.THREAD_ID: 1, c.LOOP_ID: 1,
        c.CODE_FUNCTION: f"app.{qualname}", c.CODE_FILE: "/a/app.py", c.CODE_LINE: 7, **more.pop("said", {}),
    }  # fmt: skip
    said = {key: value for key, value in said.items() if value is not None}
    return span(
        f"step {qualname}", start, end, said, **{"id": step_id(number, index), "parent": f"{number:016x}", **more}
    )


def step_id(id: int, index: int) -> str:
    """The id of a step's span."""
    return f"{id:08x}{index + 0xE000:08x}"


def link(kind: str, id: int, index: int, trace: str = TRACE) -> Link:
    """A link to a step."""
    return Link(trace, step_id(id, index), {c.LINK: kind})


# ---------------------------------------------------------------- as others write them


def otlp(spans: Iterable[Span], in_base64: bool = False, enum_names: bool = False) -> dict[str, Any]:
    """An object with `resourceSpans`; a Collector writes hex and numbers, Tempo base64 and names."""

    def identity(text: str) -> str:
        return base64.b64encode(bytes.fromhex(text)).decode() if in_base64 else text

    def enum(name: str, names: tuple[str, ...], prefix: str) -> str | int:
        return prefix + name if enum_names else names.index(name)

    def written(one: Span) -> dict[str, Any]:
        return {
            "traceId": identity(one.trace_id), "spanId": identity(one.span_id), "parentSpanId": identity(one.parent_id),
            "name": one.name, "kind": enum(one.kind, KINDS, "SPAN_KIND_"), "flags": 256,
            "startTimeUnixNano": str(one.start), "endTimeUnixNano": str(one.end),
            "attributes": attributes(one.attributes.items()),
            "links": [
                {"traceId": identity(to.trace_id), "spanId": identity(to.span_id),
                 "attributes": attributes(to.attributes.items())}
                for to in one.links
            ],
            "events": [
                {"timeUnixNano": str(event.time), "name": event.name, "attributes": attributes(event.attributes.items())}
                for event in one.events
            ],
            "status": {"code": enum(one.status, STATUSES, "STATUS_CODE_"), "message": one.message},
        }  # fmt: skip

    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(one.resource.items())},
                "scopeSpans": [
                    {"scope": {"name": one.scope, "version": one.scope_version}, "spans": [written(one)]},
                ],
            }
            for one in spans
        ]
    }


def tempo(spans: Iterable[Span]) -> dict[str, Any]:
    """As Tempo's API answers, version 2."""
    return {"trace": _stored(otlp(spans, in_base64=True, enum_names=True)), "metrics": {"inspectedBytes": "4711"}}


def old_tempo(spans: Iterable[Span]) -> dict[str, Any]:
    """As Tempo's API answers, version 1."""
    return {"batches": tempo(spans)["trace"].get("resourceSpans", [])}


def _stored(document: Any) -> Any:
    """As Tempo writes it: without what is empty or unset, even the status code; values of attributes stay as they are."""
    if isinstance(document, list):
        return [_stored(part) for part in document]
    if not isinstance(document, dict):
        return document
    return {
        name: part if name == "value" else _stored(part)
        for name, part in document.items()
        if part not in ("", [], "STATUS_CODE_UNSET") and name != "flags"
    }


def jaeger(spans: Iterable[Span]) -> dict[str, Any]:
    """As Jaeger's API answers, version 3."""
    return {"result": otlp(spans)}


def old_jaeger(spans: Iterable[Span]) -> dict[str, Any]:
    """As Jaeger's API answers that its page asks: microseconds, and links without attributes."""
    document = jaegerjson.write(spans)
    for trace in document["data"]:
        for one in trace["spans"]:
            del one["startTimeUnixNano"], one["endTimeUnixNano"]
            for reference in one["references"]:
                reference.pop("attributes", None)
            for log in one["logs"]:
                del log["timeUnixNano"]
    return document


#: every way in which a trace may be written without losing anything
WRITTEN: dict[str, Callable[[list[Span]], dict[str, Any]]] = {
    "collector": otlp,
    "collector, enum names": lambda spans: otlp(spans, enum_names=True),
    "tempo 2": tempo,
    "tempo 1": old_tempo,
    "jaeger 3": jaeger,
    "jaeger's page": jaegerjson.write,
}
