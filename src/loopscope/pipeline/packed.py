"""Encoded spans on their way into a request's body. The native core has its own, in C, that copies them once."""

from __future__ import annotations

from typing import Protocol


class Packed(Protocol):
    """Spans, each as a SpanEncoder has it."""

    @property
    def size(self) -> int:
        """How many bytes they take."""

    def append(self, span: bytes, /) -> None:
        """One more."""

    def __len__(self) -> int:
        """How many there are."""

    def body(self, head: bytes, tail: bytes, /) -> bytes:
        """Head, spans and tail, in one; there are no spans any more then."""


class PackedList:
    """The reference: a Packed in Python."""

    def __init__(self) -> None:
        self._spans: list[bytes] = []
        self.size = 0

    def append(self, span: bytes, /) -> None:
        """See Packed."""
        self._spans.append(span)
        self.size += len(span)

    def __len__(self) -> int:
        """See Packed."""
        return len(self._spans)

    def body(self, head: bytes, tail: bytes, /) -> bytes:
        """See Packed."""
        spans, self._spans, self.size = self._spans, [], 0
        return b"".join((head, *spans, tail))
