"""Protobuf's wire format, and OTLP's values in it."""

from __future__ import annotations

import struct
from typing import Any

double = struct.Struct("<d").pack
INT64 = range(-(1 << 63), 1 << 63)


def varint(number: int) -> bytes:
    """A varint; negative numbers as 64-bit two's complement."""
    if number < 0:
        number += 1 << 64
    if number < 128:
        return bytes((number,))
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def delimited(field: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return varint(field << 3 | 2) + varint(len(data)) + data


class Values:
    """Encodes values, and counts those that OTLP cannot say and that were replaced."""

    def __init__(self) -> None:
        self.replaced = 0

    def text(self, value: str) -> bytes:
        """UTF-8; what has none (a lone surrogate) is replaced."""
        try:
            return value.encode()
        except UnicodeEncodeError:
            self.replaced += 1
            return value.encode("utf-8", "replace")

    def any_value(self, value: Any) -> bytes:
        """An AnyValue; what OTLP cannot say is said as text."""
        if isinstance(value, str):
            return delimited(1, self.text(value))
        if isinstance(value, bool):
            return b"\x10\x01" if value else b"\x10\x00"
        if isinstance(value, int) and value in INT64:
            return b"\x18" + varint(value)
        if isinstance(value, float):
            return b"\x21" + double(value)
        if isinstance(value, bytes):
            return delimited(7, value)
        if isinstance(value, (list, tuple)):
            return delimited(5, b"".join([delimited(1, self.any_value(item)) for item in value]))
        self.replaced += 1
        return delimited(1, self.text(str(value)))

    def key_value(self, key: str, value: Any) -> bytes:
        """A KeyValue message."""
        return delimited(1, self.text(key)) + delimited(2, self.any_value(value))

    @staticmethod
    def state(trace_state: Any) -> str:
        """A trace state as it is sent."""
        return ",".join(f"{key}={value}" for key, value in trace_state.items())
