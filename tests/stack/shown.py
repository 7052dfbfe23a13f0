"""What an example's docstring shows: its command, what it prints, and the spans that a backend then has."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from tests.ground.spans import Span

#: how far a duration may be from what is shown, as a factor, and from where on it is compared at all (seconds)
FACTOR, NOTABLE = 4.0, 0.05

_DURATION = re.compile(r"\d+(?:\.\d+)?_(?:ms|s|min)")
_UNITS = {"ms": 1e-3, "s": 1.0, "min": 60.0}


@dataclass(frozen=True, slots=True)
class Shown:
    """The indented blocks of a docstring, in order; `tree` is empty where it shows no spans."""

    question: str
    command: str
    output: str
    tree: list[str]


def read(path: Path) -> Shown:
    """Of an example."""
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert told is not None
    blocks = re.findall(r"(?:^    .*\n?)+", told, re.M)
    command, output, *rest = blocks
    tree = [line.removeprefix("    ") for line in rest[0].splitlines()] if rest else []
    return Shown(told.splitlines()[0], " ".join(command.split()), output, tree)


def words(text: str) -> list[str]:
    """Words without the rulers, with paths cut to the file's name, ids as ID, and a duration as one word."""
    text = re.sub(r"[^\s\"]*/(?=\w+\.py)", "", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text)
    text = re.sub(r"(\d) (ms|s|min)\b", r"\1_\2", re.sub(r"\s+", " ", text))
    text = re.sub(r"[█▒·]+|_{4,}|={4,}|-{4,}", " ", text)
    return text.split()


def missing(output: str, printed: str) -> str:
    """The first part of what is shown (parts are separated by `...`) that was not printed, empty if all was, in order."""
    got, at = words(printed), 0
    for part in re.split(r"(?<!\S)\.\.\.(?!\S)", output):
        wanted = words(part)
        found = next(
            (i for i in range(at, len(got) - len(wanted) + 1) if _same(wanted, got[i : i + len(wanted)])), None
        )
        if found is None:
            return " ".join(wanted)
        at = found + len(wanted)
    return ""


def _same(wanted: list[str], got: list[str]) -> bool:
    return all(map(_alike, wanted, got))


def _alike(wanted: str, got: str) -> bool:
    one, other = _seconds(wanted), _seconds(got)
    if one is None or other is None:
        return wanted == got
    return one < NOTABLE or one / FACTOR <= other <= one * FACTOR


def _seconds(word: str) -> float | None:
    """A duration's, whatever mark stands behind it."""
    word = word.rstrip(",.")
    if not _DURATION.fullmatch(word):
        return None
    number, unit = word.split("_")
    return float(number) * _UNITS[unit]


def tree(spans: list[Span]) -> list[str]:
    """The names of spans, steps with their index, indented below their parents, by start."""
    lines = []

    def add(parent: str, depth: int) -> None:
        for span in sorted(
            (s for s in spans if s.parent_id == parent), key=lambda s: (not s.name.startswith("step "), s.start)
        ):
            index = span.attributes.get("asyncio.step.index")
            lines.append("  " * depth + span.name + ("" if index is None else f" {index}"))
            add(span.span_id, depth + 1)

    add("", 0)
    return lines
