"""Gives a 64-bit ELF program another loader and library folder, so that it runs outside the system it was built for.

patchelf would do, but breaks these non-PIE interpreters (0.18 breaks 3.14 and 3.15, 0.17.2 breaks 3.15): it moves
their tables. Nothing is moved here: the two strings go where the program has room, and two entries point to them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
_END, _STRINGS, _RPATH = 0, 5, 15
_PAGE = 4096


class Unsuitable(Exception):
    """The program has no room for the change, or is not of the kind understood here."""


@dataclass(frozen=True, slots=True)
class _Segment:
    header: int
    kind: int
    offset: int
    address: int
    size: int


def transplant(program: Path, loader: Path, libraries: str) -> None:
    """Let `program` be started by `loader` and find its libraries in `libraries` (which may begin with $ORIGIN)."""
    image = bytearray(program.read_bytes())
    if image[:6] != b"\x7fELF\x02\x01":
        raise Unsuitable(f"{program} is not a little-endian 64-bit ELF file")
    segments = _segments(image)
    _set_library_folder(image, segments, libraries.encode() + b"\0")
    _set_loader(image, _only(segments, _INTERP), str(loader).encode() + b"\0")
    program.write_bytes(image)


def _segments(image: bytearray) -> list[_Segment]:
    table, entry, count = *struct.unpack_from("<Q", image, 32), *struct.unpack_from("<HH", image, 54)
    found = []
    for header in range(table, table + entry * count, entry):
        kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", image, header)
        found.append(_Segment(header, kind, offset, address, size))
    return found


def _only(segments: list[_Segment], kind: int) -> _Segment:
    found = [segment for segment in segments if segment.kind == kind]
    if len(found) != 1:
        raise Unsuitable(f"{len(found)} segments of type {kind}, expected one")
    return found[0]


def _set_loader(image: bytearray, segment: _Segment, name: bytes) -> None:
    # The kernel reads the name from the file, so it may stand at the end. The address stays that of the old name:
    # there the new loader reads by what name the program's libraries may call it.
    struct.pack_into("<Q", image, segment.header + 8, len(image))
    struct.pack_into("<Q", image, segment.header + 32, len(name))
    image += name


def _set_library_folder(image: bytearray, segments: list[_Segment], name: bytes) -> None:
    first = next(segment for segment in segments if segment.kind == _LOAD)
    room = -(first.offset + first.size) % _PAGE  # the rest of its last page is mapped, and empty
    if room < len(name):
        raise Unsuitable(f"{room} bytes of room behind the first segment, {len(name)} needed")
    end = first.offset + first.size
    image[end : end + len(name)] = name
    struct.pack_into("<QQ", image, first.header + 32, first.size + len(name), first.size + len(name))
    _add_dynamic_entry(image, _only(segments, _DYNAMIC), first.address + first.size)


def _add_dynamic_entry(image: bytearray, dynamic: _Segment, name_address: int) -> None:
    entries = dict[int, int]()
    last = dynamic.offset + dynamic.size - 16  # an end mark must remain
    for at in range(dynamic.offset, last, 16):
        key, value = struct.unpack_from("<QQ", image, at)
        if key == _END:
            # RPATH and not RUNPATH: it also holds for the libraries of the libraries, and for extension modules.
            struct.pack_into("<QQ", image, at, _RPATH, name_address - entries[_STRINGS])
            return
        entries[key] = value
    raise Unsuitable("no spare entry in the dynamic section")
