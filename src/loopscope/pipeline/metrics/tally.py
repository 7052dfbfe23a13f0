"""Counts and durations by name, for a bounded number of names."""

from __future__ import annotations

#: names told apart; what comes later goes under OTHER
LIMIT = 100
OTHER = "other"


class Tally:
    """How often, and for how many nanoseconds, by name. One thread writes, others may read."""

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int = LIMIT) -> None:
        self._entries: dict[str, tuple[int, int]] = {}
        self._limit = limit

    def add(self, name: str, duration: int = 0) -> None:
        """Once more, for so long."""
        entry = self._entries.get(name)
        if entry is None:
            if len(self._entries) >= self._limit:
                name = OTHER
            entry = self._entries.get(name, (0, 0))
        self._entries[name] = (entry[0] + 1, entry[1] + duration)

    def read(self) -> dict[str, tuple[int, int]]:
        """(count, nanoseconds) by name."""
        return self._entries.copy()
