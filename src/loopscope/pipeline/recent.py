"""A bounded memory of what was seen lately: two generations, the older thrown away whole."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Remembers at least the last `size` entries, and at most twice as many."""

    __slots__ = ("_old", "_size", "_young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def put(self, key: K, value: V) -> None:
        """Remember an entry."""
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def get(self, key: K) -> V | None:
        """What was remembered under this key, None where it is forgotten."""
        value = self._young.get(key)
        return self._old.get(key) if value is None else value
