"""Spans on their way into a body, in C and in Python: the same bytes, whatever their sizes."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from loopscope.pipeline.packed import PackedList

_native = pytest.importorskip("loopscope._native", exc_type=ImportError)


def test_the_same_as_in_python() -> None:
    """One body after the other: heads grow and shrink, and there may be no span, or a large one."""
    draw = random.Random(1)
    for most in (0, 10, 700, 100_000, 3, 5_000_000, 0, 20):
        mine, reference = _native.Packed(), PackedList()
        for _ in range(3):
            for _ in range(draw.randrange(30) if most else 0):
                span = draw.randbytes(draw.randrange(most))
                for packed in (mine, reference):
                    packed.append(span)
                assert (len(mine), mine.size) == (len(reference), reference.size)
            head, tail = draw.randbytes(draw.randrange(300)), draw.randbytes(draw.randrange(50))
            assert mine.body(head, tail) == reference.body(head, tail)
            assert (len(mine), mine.size) == (len(reference), reference.size) == (0, 0)


def test_memory_is_given_back() -> None:
    """Of what was sent, and of what was not."""
    span = bytes(600)

    def fill() -> None:
        packed = _native.Packed()
        for _ in range(5_000):
            packed.append(span)
        assert len(packed.body(b"head", b"tail")) == 3_000_008
        for _ in range(5_000):
            packed.append(span)

    fill()
    tracemalloc.start()
    try:
        for _ in range(5):
            fill()
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("span", ["text", None, bytearray(b"a"), 7])
def test_what_is_no_span(span: object) -> None:
    """Is refused, and nothing is changed."""
    packed = _native.Packed()
    packed.append(b"a")
    with pytest.raises(TypeError, match=type(span).__name__):
        packed.append(span)  # type: ignore[arg-type]
    assert packed.body(b"<", b">") == b"<a>"
