"""Text of others made safe for a terminal, cut to a number of columns; durations and places for people."""

from __future__ import annotations

import unicodedata

#: letters and signs that turn the direction of what stands beside them
_TURNING = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI", "PDF", "PDI"})
_SECOND, _MINUTE = 1e9, 60e9


def safe(text: str, plain: bool = False) -> str:
    """The text with everything escaped that could move the cursor, change colours or turn the direction.

    `plain` escapes what is not ASCII, too.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _harmless(letter, plain) else _escaped(letter) for letter in text)


def _harmless(letter: str, plain: bool) -> bool:
    if letter.isascii() or plain:
        return letter.isascii() and letter.isprintable()
    return letter.isprintable() and unicodedata.bidirectional(letter) not in _TURNING


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def columns(text: str) -> int:
    """How many columns a safe text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def fit(text: str, room: int, plain: bool = False) -> str:
    """The text, safe and cut to `room` columns, with a mark where it was cut."""
    if room <= 0:
        return ""
    made = safe(text[: 4 * room], plain)  # what fits is never longer, but for piles of accents
    if len(text) <= 4 * room and columns(made) <= room:
        return made
    kept, used = [], 0
    for letter in made:
        used += _columns(letter)
        if used > room - 1:
            break
        kept.append(letter)
    return "".join(kept) + ("~" if plain else "…")


def pad(text: str, room: int, plain: bool = False) -> str:
    """The text, safe, in exactly `room` columns."""
    made = fit(text, room, plain)
    return made + " " * (room - columns(made))


def duration(nanoseconds: int) -> str:
    """A duration in at most eight columns."""
    if nanoseconds >= 100 * _MINUTE:
        return f"{nanoseconds / _MINUTE:.0f} min"
    if nanoseconds >= 10 * _SECOND:
        return f"{nanoseconds / _SECOND:.1f} s"
    value = nanoseconds / 1e6
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 1 else f"{value:.2f} ms"


def place(path: str, room: int = 32) -> str:
    """file:line in at most `room` columns: as many of the path's last parts as fit, the file's name at least."""
    parts = path.replace("\\", "/").split("/")
    kept = parts[-1]
    for part in reversed(parts[:-1]):
        if len(part) + 1 + len(kept) > room or not part:
            break
        kept = f"{part}/{kept}"
    return kept
