"""Encodes spans as OTLP protobuf bytes, one at a time: static parts once, and no message objects.

Field numbers are those of opentelemetry-proto's trace.proto; a test holds every span against the SDK's encoder. The
same in C is `src/native/otlp.c`, which serves with the native core; here is the reference.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Protocol

from loopscope.model import Anchor
from loopscope.pipeline.packed import Packed, PackedList
from loopscope.pipeline.protobuf import INT64, Values, delimited, double, varint
from loopscope.pipeline.spans.span import Attributes, Event, Link, Said, Span, Whose

_CACHE_LIMIT = 8192
_time = struct.Struct("<BQ").pack
_times = struct.Struct("<BQBQ").pack
_id = struct.Struct(">HQ").pack
_ids = struct.Struct(">HQQHQ").pack
_LOW = (1 << 64) - 1

_KIND_INTERNAL = b"\x30\x01"
_FLAGS = b"\x35\x00\x01\x00\x00"
_STATUS_ERROR = b"\x7a\x02\x18\x02"
_VARINTS = [bytes((number,)) for number in range(128)]


class SpanEncoder(Protocol):
    """Encodes spans against one clock anchor."""

    def span(self, span: Span) -> bytes:
        """The span as a field of ScopeSpans: spans' bytes may simply be joined."""


class Encoding:
    """How this process encodes: by one clock anchor; in C (`native`), which takes that the native core serves."""

    def __init__(self, anchor: Anchor, native: bool = False) -> None:
        self.anchor = anchor
        self.values = Values()
        self._native = native

    def encoder(self) -> SpanEncoder:
        """A new encoder."""
        if self._native:
            from loopscope import _native

            return _native.Encoder(self.anchor.offset, self.values)
        return Encoder(self.anchor, self.values)

    def packed(self) -> Packed:
        """For spans of such an encoder."""
        if self._native:
            from loopscope import _native

            return _native.Packed()
        return PackedList()


class Encoder:
    """A SpanEncoder."""

    def __init__(self, anchor: Anchor, values: Values) -> None:
        self._anchor = anchor
        self._values = values
        self._names: dict[str, bytes] = {}
        self._texts: dict[tuple[str, str | int], bytes] = {}
        self._doubles: dict[str, bytes] = {}
        self._wholes: dict[tuple[str, int], bytes] = {}
        #: what follows the ids of links that have one attribute
        self._tails: dict[tuple[str, Any], bytes] = {}

    def span(self, span: Span) -> bytes:
        """See SpanEncoder."""
        offset = self._anchor.offset
        parts = [_ids(0x0A10, span.trace_id >> 64, span.trace_id & _LOW, 0x1208, span.span_id)]
        if span.trace_state:
            parts.append(delimited(3, self._values.text(self._values.state(span.trace_state))))
        if span.parent_id:
            parts.append(_id(0x2208, span.parent_id))
        parts.append(self._name(span.name))
        parts.append(_times(0x39, span.start + offset, 0x41, span.end + offset))
        for said in span.shared:
            parts.append(said.encoded or self._said(said))
        self._add(parts, span.alone)
        if span.events:
            parts += [self._event(event) for event in span.events]
        if span.links:
            parts += [self._link(link) for link in span.links]
        if span.error:
            parts.append(_STATUS_ERROR)
        parts.append(b"\x85\x01\x00\x03\x00\x00" if span.parent_remote else b"\x85\x01\x00\x01\x00\x00")
        body = b"".join(parts)
        return b"\x12" + varint(len(body)) + body

    def _add(self, parts: list[bytes], attributes: Attributes) -> None:
        for key, value in attributes:
            kind = type(value)
            if kind is float:
                parts += (self._doubles.get(key) or self._double(key), double(value))
            elif kind is str:
                parts.append(self._texts.get((key, value)) or self._text(key, value))
            elif kind is int and 0 <= value < 1 << 14:
                number = _VARINTS[value] if value < 128 else bytes((value & 127 | 128, value >> 7))
                head = key, len(number)
                parts += (self._wholes.get(head) or self._whole(head), number)
            elif kind is int and value in INT64:  # ids of threads: few
                parts.append(self._texts.get((key, value)) or self._text(key, value))
            else:
                parts.append(delimited(9, self._values.key_value(key, value)))

    def _said(self, said: Said | Whose) -> bytes:
        parts: list[bytes] = []
        self._add(parts, said.attributes)
        said.encoded = b"".join(parts)
        return said.encoded

    def _name(self, name: str) -> bytes:
        found = self._names.get(name)
        if found is None:
            if len(self._names) >= _CACHE_LIMIT:
                self._names.clear()
            found = self._names[name] = delimited(5, self._values.text(name)) + _KIND_INTERNAL
        return found

    def _double(self, key: str) -> bytes:
        """The bytes of a double attribute before the number: they have one length."""
        name = delimited(1, self._values.text(key))
        if len(self._doubles) >= _CACHE_LIMIT:
            self._doubles.clear()
        head = self._doubles[key] = b"\x4a" + varint(len(name) + 11) + name + b"\x12\x09\x21"
        return head

    def _whole(self, head: tuple[str, int]) -> bytes:
        """The same before an integer of so many bytes."""
        key, length = head
        name = delimited(1, self._values.text(key))
        if len(self._wholes) >= _CACHE_LIMIT:
            self._wholes.clear()
        size = varint(len(name) + 3 + length)
        made = self._wholes[head] = b"\x4a" + size + name + b"\x12" + varint(length + 1) + b"\x18"
        return made

    def _text(self, key: str, value: str | int) -> bytes:
        if len(self._texts) >= _CACHE_LIMIT:
            self._texts.clear()
        made = self._texts[key, value] = delimited(9, self._values.key_value(key, value))
        return made

    def _event(self, event: Event) -> bytes:
        body = (
            _time(0x09, self._anchor.unix(event.time))
            + delimited(2, self._values.text(event.name))
            + b"".join(delimited(3, self._values.key_value(key, value)) for key, value in event.attributes)
        )
        return delimited(11, body)

    def _link(self, link: Link) -> bytes:
        attributes = link.attributes
        kind = attributes[0] if len(attributes) == 1 and type(attributes[0][1]) is str else None
        tail = None if kind is None else self._tails.get(kind)
        if tail is None:
            tail = b"".join([delimited(4, self._values.key_value(key, value)) for key, value in attributes]) + _FLAGS
            if kind is not None:
                if len(self._tails) >= _CACHE_LIMIT:
                    self._tails.clear()
                self._tails[kind] = tail
        trace_id = link.trace_id
        return (
            b"\x6a"
            + varint(28 + len(tail))
            + _ids(0x0A10, trace_id >> 64, trace_id & _LOW, 0x1208, link.span_id)
            + tail
        )


def request(
    resource: Iterable[tuple[str, Any]], resource_schema: str, scope: tuple[str, str, str], spans: Packed,
    values: Values,
) -> bytes:  # fmt: skip
    """An ExportTraceServiceRequest of encoded spans, which are taken; scope is (name, version, schema URL)."""
    name, version, schema = scope
    attributes = b"".join(delimited(1, values.key_value(key, value)) for key, value in resource)
    about = delimited(1, delimited(1, values.text(name)) + delimited(2, values.text(version)))
    tail = delimited(3, values.text(schema))
    resource_tail = delimited(3, values.text(resource_schema)) if resource_schema else b""
    scope_size = len(about) + spans.size + len(tail)
    first = delimited(1, attributes) + b"\x12" + varint(scope_size)
    size = len(first) + scope_size + len(resource_tail)
    return spans.body(b"\x0a" + varint(size) + first + about, tail + resource_tail)
