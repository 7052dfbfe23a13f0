"""Counts and durations by name, for a bounded number of names."""

from __future__ import annotations

from typing import Generic, TypeVar

#: a name, or several
K = TypeVar("K", str, tuple[str, str])

#: names told apart; what comes later goes under OTHER
LIMIT = 100
OTHER = "other"
OTHERS = OTHER, OTHER


class Tally(Generic[K]):
    """How often, and for how many nanoseconds, by name. One thread writes, others may read."""

    __slots__ = ("_entries", "_limit", "_other")

    def __init__(self, other: K, limit: int = LIMIT) -> None:
        self._entries: dict[K, tuple[int, int]] = {}
        self._other: K = other
        self._limit = limit

    def add(self, name: K, duration: int = 0) -> None:
        """Once more, for so long."""
        entry = self._entries.get(name)
        if entry is None:
            if len(self._entries) >= self._limit:
                name = self._other
            entry = self._entries.get(name, (0, 0))
        self._entries[name] = (entry[0] + 1, entry[1] + duration)

    def read(self) -> dict[K, tuple[int, int]]:
        """(count, nanoseconds) by name."""
        return self._entries.copy()
