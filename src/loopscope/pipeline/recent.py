"""A bounded memory of what was seen lately: one comes, the oldest goes."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Remembers the last `size` keys, by when each was first put.

    Entries go one by one: all at once they would hold up the application, and as many objects that come while none goes
    bring on collections of garbage.
    """

    __slots__ = ("_items", "_order", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: dict[K, V] = {}
        self._order: deque[K] = deque()

    def put(self, key: K, value: V) -> None:
        """Remember an entry."""
        before = len(self._items)
        self._items[key] = value
        if len(self._items) > before:
            self._order.append(key)
            if before == self._size:
                del self._items[self._order.popleft()]

    def get(self, key: K) -> V | None:
        """What was remembered under this key, None where it is forgotten."""
        return self._items.get(key)
