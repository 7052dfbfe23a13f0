"""Our OTLP bytes and our OTLP JSON say what the SDK's encoder says of the same span."""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TraceState

from loopscope.capture import cores
from loopscope.model import Anchor
from loopscope.pipeline import otlp, otlpjson
from loopscope.pipeline.export.readable import readable
from loopscope.pipeline.protobuf import Values
from loopscope.pipeline.spans.span import Event, Link, Said, Span
from loopscope.recording.writer import TraceFile
from tests.ground import otlp_json
from tests.ground import spans as ground

ANCHOR = Anchor(1_700_000_000_000_000_000)
NATIVE = cores.choose(cores.NATIVE).core.name == cores.NATIVE
#: in C, where that can be loaded, and in Python
ENCODINGS = [otlp.Encoding(ANCHOR, NATIVE), otlp.Encoding(ANCHOR)]
SCOPE = ("loopscope", "0.1.0", "https://opentelemetry.io/schemas/1.37.0")
RESOURCE: dict[str, Any] = {"service.name": "häuser", "process.pid": 7}

_trace_ids, _span_ids = st.integers(1, (1 << 128) - 1), st.integers(1, (1 << 64) - 1)
_text = st.one_of(st.text(max_size=20), st.text(st.characters(codec="utf-8"), max_size=200), st.just(""))
_keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=150)
_plain = st.one_of(
    _text, st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), st.sampled_from([0, 1, 127, 128, 16_383, 16_384]),
    st.floats(), st.sampled_from([0, 0.0, -0.0, False, 1, 1.0, True]),
)  # fmt: skip
_lists = st.one_of(*(st.lists(kind, max_size=4) for kind in (st.text(max_size=5), st.integers(-9, 9), st.booleans())))


def _pairs(values: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[list[tuple[str, Any]]]:
    return st.dictionaries(_keys, values, max_size=most).map(lambda made: list(made.items()))


_clean = st.text(st.characters(codec="utf-8"), max_size=30)
_links = st.builds(Link, _trace_ids, _span_ids, _pairs(st.one_of(_clean, st.integers(-9, 9)), 3))
_events = st.builds(Event, _clean, st.integers(0, 1 << 60), _pairs(st.one_of(_clean, st.integers(-9, 9)), 3))
_states = st.sampled_from([None, TraceState(), TraceState([("a", "1")]), TraceState([("b", "2"), ("a", "1")])])


def spans(texts: st.SearchStrategy[Any]) -> st.SearchStrategy[Span]:
    """Random spans with these attribute values."""
    times = st.tuples(st.integers(0, 1 << 60), st.integers(0, 1 << 60)).map(sorted)
    return st.builds(
        lambda name, trace, span, parent, at, attributes, links, error, state, remote, events, cuts: Span(
            name, trace, span, parent, at[0], at[1], attributes[cuts[1]:], links, error, state, remote and parent > 0,
            events, tuple(Said(part) for part in (attributes[:cuts[0]], attributes[cuts[0]:cuts[1]]) if part),
        ),
        _clean, _trace_ids, _span_ids, st.one_of(st.just(0), _span_ids), times, _pairs(texts, 8),
        st.one_of(st.none(), st.lists(_links, max_size=3)), st.booleans(), _states, st.booleans(),
        st.one_of(st.none(), st.lists(_events, max_size=3)), st.lists(st.integers(0, 8), min_size=2, max_size=2).map(sorted),
    )  # fmt: skip


def by_sdk(made: list[Span]) -> ExportTraceServiceRequest:
    """What the SDK's encoder makes of the same spans, but for two empty bytes: an unset status is left out by us."""
    scope = InstrumentationScope(*SCOPE)
    request = encode_spans([readable(span, ANCHOR, Resource(RESOURCE), scope) for span in made])
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                if not span.status.ByteSize():
                    span.ClearField("status")
    return request


def by_us(made: list[Span]) -> ExportTraceServiceRequest:
    """What our bytes parse to: the same bytes in C and in Python, whichever encodes what spans share."""
    bodies = set()
    for encodings in (ENCODINGS, ENCODINGS[::-1]):
        for said in [said for span in made for said in span.shared]:
            said.encoded = None
        for encoding in encodings:
            spans, encoder = encoding.packed(), encoding.encoder()
            for span in made:
                spans.append(encoder.span(span))
            bodies.add(otlp.request(RESOURCE.items(), "", SCOPE, spans, Values()))
    (body,) = bodies
    return ExportTraceServiceRequest.FromString(body)


def by_file(made: list[Span]) -> list[ground.Span]:
    """What a trace file of the spans reads back to, as strict JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.jsonl")
        file = TraceFile(path)
        file.write(RESOURCE.items(), SCOPE, [otlpjson.encode(span, ANCHOR) for span in made])
        file.close()
        with open(path, encoding="utf-8") as lines:
            (line,) = lines
    return list(otlp_json.spans(json.loads(line, parse_constant=_no_constant)))


def _no_constant(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")


def from_proto(request: ExportTraceServiceRequest) -> list[ground.Span]:
    """The same shape from the protobuf message."""
    made = []
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                made.append(
                    ground.Span(
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        name=span.name,
                        kind=ground.KINDS[span.kind],
                        start=span.start_time_unix_nano,
                        end=span.end_time_unix_nano,
                        attributes=_attributes(span.attributes),
                        links=tuple(
                            ground.Link(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes))
                            for link in span.links
                        ),
                        events=tuple(
                            ground.Event(event.name, event.time_unix_nano, _attributes(event.attributes))
                            for event in span.events
                        ),
                        status_code=ground.STATUS_CODES[span.status.code],
                        status_message=span.status.message,
                        resource=_attributes(of_resource.resource.attributes),
                        scope_name=of_scope.scope.name,
                        scope_version=of_scope.scope.version,
                        trace_state=span.trace_state,
                        flags=span.flags,
                    )  # fmt: skip
                )
    return made


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def same(one: ground.Span, other: ground.Span) -> bool:
    """Equal, NaN too, and a double is no integer."""
    return repr(one) == repr(other)


PLAIN = Span("task x", 1, 2, 0, 0, 1, [("asyncio.task.id", 1)])


@given(st.lists(spans(st.one_of(_plain.filter(lambda v: not isinstance(v, str)), _clean, _lists)), max_size=4))
@example([PLAIN, Span("task x", 1, 3, 2, 0, 1, [("asyncio.task.id", True), ("f", math.nan), ("g", -0.0), ("h", [])])])
@example([Span("", 1, 2, 3, 0, 0, [], [], True, TraceState([("a", "1")]), True)])
@example([Span("a" * 127, 1, 2, 3, 0, 0, [("k" * 200, 0.5), ("k" * 200 + "l", 1), ("k" * 201 + "m", "v" * 20_000)])])
def test_bytes_parse_to_what_the_sdk_encodes(made: list[Span]) -> None:
    """Field by field, resource and scope included."""
    ours, theirs = by_us(made), by_sdk(made)
    if made:  # the SDK leaves out the scope of no spans
        assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)
        assert [repr(span) for span in from_proto(ours)] == [repr(span) for span in from_proto(theirs)]


@given(spans(st.one_of(_plain, _lists)))
@example(Span("\ud800", 1, 2, 0, 0, 1, [("\udfff", "a\ud800b"), ("n", math.nan), ("i", math.inf), ("j", -math.inf)]))
@example(
    Span("x", 1, 2, 0, 0, 1, [("big", 1 << 64), ("small", -(1 << 63) - 1), ("edge", (1 << 63) - 1), ("b", b"\0\xff")])
)
@example(Span("x", 1, 2, 3, 0, 1, [], [Link(5, 6, [("\ud800", "\ud800")])], False, TraceState([("a", "1")]), True))
def test_a_trace_file_says_the_same_as_the_bytes(span: Span) -> None:
    """Also what the SDK cannot encode: lone surrogates, integers beyond 64 bits. Strict JSON, strict UTF-8."""
    (ours,) = from_proto(by_us([span]))
    (read,) = by_file([span])
    assert same(read, ours)


def test_what_otlp_cannot_say_is_said_as_text() -> None:
    """Written out, as the SDK raises for these."""
    span = Span("\ud800", 1, 2, 0, 0, 1, [("s", "a\ud800b"), ("big", 1 << 64), ("odd", {1}), ("none", None)])
    (ours,) = from_proto(by_us([span]))
    assert ours.name == "?"
    assert ours.attributes == {"s": "a?b", "big": str(1 << 64), "odd": "{1}", "none": "None"}
    for native in (NATIVE, False):
        encoding = otlp.Encoding(ANCHOR, native)
        encoding.encoder().span(span)
        assert encoding.values.replaced == 5


def test_what_is_no_span_is_refused_in_both() -> None:
    """An id or a time that OTLP has no room for raises, and so does what is no attribute."""
    wrong = [
        Span("x", 1 << 128, 2, 0, 0, 1, []), Span("x", -1, 2, 0, 0, 1, []), Span("x", 1, 1 << 64, 0, 0, 1, []),
        Span("x", 1, 2, -1, 0, 1, []), Span("x", 1, 2, 0, -(1 << 63), 1, []), Span("x", 1, 2, 0, 0, 1 << 64, []),
        Span("x", 1, 2, 0, 0, 1, [("a",)]), Span("x", 1, 2, 0, 0, 1, [(1, "a")]),  # type: ignore[list-item]
        Span("x", 1, 2, 0, 0, 1, [], [Link(1, 1 << 64, [])]), Span("x", 1, 2, 0, 0, 1, None),  # type: ignore[arg-type]
    ]  # fmt: skip
    for encoding in ENCODINGS:
        for span in wrong:
            with pytest.raises((OverflowError, struct.error, TypeError, ValueError, AttributeError)):
                encoding.encoder().span(span)


def test_an_error_in_python_code_goes_through() -> None:
    """An attribute whose text cannot be had: nothing is lost but this span."""

    class Odd:
        def __str__(self) -> str:
            raise LookupError("odd")

    for encoding in ENCODINGS:
        encoder = encoding.encoder()
        with pytest.raises(LookupError, match="odd"):
            encoder.span(Span("x", 1, 2, 0, 0, 1, [("a", Odd())]))
        assert encoder.span(PLAIN)


@given(st.lists(spans(_plain), min_size=2, max_size=6))
def test_what_an_encoder_remembers_changes_nothing(made: list[Span]) -> None:
    """One encoder for many spans, and twice, gives what a new one gives for each."""
    encoder = otlp.Encoder(ANCHOR, Values())
    alone = [otlp.Encoder(ANCHOR, Values()).span(span) for span in made]
    assert [encoder.span(span) for span in made + made] == alone + alone


def test_an_encoder_remembers_within_bounds() -> None:
    """Endless names, keys and values do not fill memory."""
    encoder = otlp.Encoder(ANCHOR, Values())
    for number in range(20_000):
        pairs = [(f"text {number}", "x"), (f"float {number}", 0.5), (f"whole {number}", 7), ("id", (1 << 40) + number)]
        encoder.span(Span(f"task {number}", 1, 2, 0, 0, 1, pairs))
    for name, memory in vars(encoder).items():
        if isinstance(memory, dict):
            assert len(memory) <= otlp._CACHE_LIMIT, name
