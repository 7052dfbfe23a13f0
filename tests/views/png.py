"""Small pictures: a screenshot's 16 million colours become the 256 that it has most of."""

from __future__ import annotations

import struct
import zlib
from collections import Counter

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def shrunk(picture: bytes) -> bytes:
    """The same picture with a palette. Reads what Chromium writes: 8 bits, RGB or RGBA, not interlaced."""
    width, height, pixels = _pixels(picture)
    counts = Counter(pixels)
    palette = [colour for colour, _ in counts.most_common(256)]
    index = {colour: number for number, colour in enumerate(palette)}
    for colour in counts:
        if colour not in index:
            index[colour] = min(range(len(palette)), key=lambda n: _distance(palette[n], colour))
    rows = (bytes(map(index.__getitem__, pixels[y * width : (y + 1) * width])) for y in range(height))
    return SIGNATURE + b"".join([
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", b"".join(palette)),
        _chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 9)),
        _chunk(b"IEND", b""),
    ])  # fmt: skip


def _pixels(picture: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and the colours, three bytes each."""
    at, chunks = len(SIGNATURE), {b"IDAT": b""}
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        chunks[kind] = chunks.get(kind, b"") + picture[at + 8 : at + 8 + length]
        at += length + 12
    width, height, depth, colours = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    size = {2: 3, 6: 4}[colours]
    assert depth == 8
    lines = zlib.decompress(chunks[b"IDAT"])
    stride, before, pixels = width * size, bytes(width * size), []
    for y in range(height):
        start = y * (stride + 1)
        before = _unfiltered(lines[start], lines[start + 1 : start + 1 + stride], before, size)
        pixels += [before[x : x + 3] for x in range(0, stride, size)]
    return width, height, pixels


def _unfiltered(kind: int, line: bytes, above: bytes, size: int) -> bytes:
    """A line as it was before the filter (https://www.w3.org/TR/png-3/#9Filters)."""
    out = bytearray(line)
    for x in range(len(out)):
        left, up, corner = (out[x - size], above[x], above[x - size]) if x >= size else (0, above[x], 0)
        out[x] = (out[x] + (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]) & 255
    return bytes(out)


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))


def _distance(a: bytes, b: bytes) -> int:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
