"""Where records wait for the background thread: bounded, and counting what did not fit."""

from __future__ import annotations

from collections import deque

from loopscope.model import Record
from loopscope.uncollected import lift, off, weights

#: room kept for births and ends beyond the limit: a lost end would look like a task that never ends
RESERVE = 8


class Buffer:
    """A bounded queue with many writers and one reader. No locks: deque's ends are atomic."""

    __slots__ = ("dropped", "limit", "queue", "reserve")

    def __init__(self, limit: int) -> None:
        self.queue: deque[Record] = deque()
        self.limit = limit
        self.reserve = limit + limit // RESERVE
        #: records that found no room
        self.dropped = 0

    @property
    def usage(self) -> float:
        """The filled share of it."""
        return len(self.queue) / self.limit

    @property
    def waiting(self) -> int:
        """Records in it."""
        return len(self.queue)

    def put(self, record: Record) -> bool:
        """Take the record, or count it as dropped where the limit is reached."""
        if off or weights:
            lift()
        if len(self.queue) < self.limit:
            self.queue.append(record)
            return True
        self.dropped += 1
        return False

    def put_vital(self, record: Record) -> bool:
        """As `put`, for births and ends, which have a reserve of their own."""
        if off or weights:
            lift()
        if len(self.queue) < self.reserve:
            self.queue.append(record)
            return True
        self.dropped += 1
        return False

    def take(self) -> Record | None:
        """The oldest record, None where there is none."""
        try:
            return self.queue.popleft()
        except IndexError:
            return None
