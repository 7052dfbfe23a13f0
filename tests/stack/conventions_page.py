"""Makes CONVENTIONS.md: of `conventions.py` and its comments, and of the instruments. Run by `make pages`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from loopscope import conventions
from loopscope.pipeline.metrics.instruments import BOUNDS, HISTOGRAMS, OBSERVED
from tests.processes.program import ROOT

PAGE = ROOT / "CONVENTIONS.md"
METRICS = "metrics"

_HEAD = f"""# Every name that loopscope writes

Made by `make pages` of [`conventions.py`](src/loopscope/conventions.py) and
[`instruments.py`](src/loopscope/pipeline/metrics/instruments.py): change it there.

Spans and metrics are of the scope `{conventions.SCOPE}`, with its version and the schema `{conventions.SCHEMA_URL}`. All
spans are of kind INTERNAL. Durations are seconds as doubles, counts and ids are integers, places are `file:line`. An
attribute that does not apply is absent. A failed task, step or handed-over function has the status ERROR; a cancellation
is no error.
"""


def page() -> str:
    """The whole text."""
    return "\n".join([_HEAD, *_sections(Path(conventions.__file__).read_text(encoding="utf-8"))])


def _sections(source: str) -> Iterator[str]:
    """A table for each section of the module, those of metrics as the instruments have them."""
    for title, body in re.findall(r"^# (.*)\n((?:(?:#:|[A-Z]).*\n)+)", source, re.M):
        yield f"## {title[0].upper()}{title[1:]}\n" if not title.startswith(METRICS) else "## Metrics\n"
        yield from _metrics() if title.startswith(METRICS) else _names(body)
        yield ""


def _names(body: str) -> Iterator[str]:
    yield "| name | what it says |\n|---|---|"
    for meaning, value in re.findall(r"((?:^#: .*\n)+)^[A-Z_0-9]+ = \"(.*)\"", body, re.M):
        yield f"| `{value.strip()}{' …' if value.endswith(' ') else ''}` | {' '.join(meaning.replace('#: ', '').split())} |"


def _metrics() -> Iterator[str]:
    yield "| name | instrument | unit | by | what it says |\n|---|---|---|---|---|"
    for each in OBSERVED:
        # the names of attributes that its reader mentions
        by = [f"`{getattr(conventions, name)}`" for name in each.read.__code__.co_names if hasattr(conventions, name)]
        kind = each.make.replace("up_down_counter", "up-down counter")
        yield f"| `{each.name}` | {kind} | {each.unit} | {', '.join(by)} | {each.description} |"
    for name, description in HISTOGRAMS:
        yield f"| `{name}` | histogram | s | | {description} |"
    yield f"\nThe histograms' bounds are {', '.join(f'{bound:g}' for bound in BOUNDS)}."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
