"""How a picture is written: width, colours by hand, and the marks of each state."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from loopscope.views.terminal import text

RUNNING, READY, WAITING, MANY, OTHERS, NONE = "█", "▒", "·", "░", "─", " "

_PLAIN = str.maketrans({RUNNING: "#", READY: "=", WAITING: ".", MANY: ":", OTHERS: "-"})
_COLOURS = {RUNNING: "32", READY: "33", WAITING: "2", MANY: "36", OTHERS: "35"}
_BOLD, _RED = "1", "31"

#: a picture is never narrower
NARROWEST = 40


@dataclass(frozen=True, slots=True)
class Style:
    """`plain` keeps to ASCII; `colour` writes ANSI colours, which only repeat what the marks say."""

    width: int = 100
    colour: bool = False
    plain: bool = False

    @property
    def columns(self) -> int:
        """Columns of a line."""
        return max(self.width, NARROWEST)

    def fit(self, said: str, room: int | None = None) -> str:
        """A text of others, safe and cut to `room` columns, or to a line."""
        return text.fit(said, self.columns if room is None else room, self.plain)

    def pad(self, said: str, room: int) -> str:
        """A text of others, safe and in exactly `room` columns."""
        return text.pad(said, room, self.plain)

    def cells(self, marks: str) -> str:
        """The cells of a lane."""
        marks = marks.rstrip()
        if not self.colour:
            return self.mark(marks)
        return "".join(self._paint(self.mark("".join(run)), _COLOURS.get(mark)) for mark, run in groupby(marks))

    def mark(self, marks: str) -> str:
        """Our own marks, in ASCII if it must be."""
        return marks.translate(_PLAIN) if self.plain else marks

    def head(self, said: str) -> str:
        """A heading that is safe already."""
        return self._paint(said, _BOLD)

    def alarm(self, said: str) -> str:
        """A warning that is safe already."""
        return self._paint(said, _RED)

    def _paint(self, said: str, colour: str | None) -> str:
        return f"\x1b[{colour}m{said}\x1b[0m" if self.colour and colour else said
