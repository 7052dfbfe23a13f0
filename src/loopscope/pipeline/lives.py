"""What is known of the tasks that live, by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from loopscope.model import Pulse, TaskLife

#: tasks of which the native core keeps all as objects; what is known of others it packs, until it is asked for
AWAKE = 1024

#: by ids of tasks: their pulse and thread, 0 where that is not known
Muted = dict[int, tuple[Pulse, int]]


class Lives(Protocol):
    """A dict of them; the native core has one of its own. Whoever goes through them does so by their ids."""

    def get(self, id: int, /) -> TaskLife | None: ...
    def pop(self, id: int, default: None, /) -> TaskLife | None: ...
    def __setitem__(self, id: int, life: TaskLife, /) -> None: ...
    def __getitem__(self, id: int, /) -> TaskLife: ...
    def __contains__(self, id: int, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...


def each(lives: Lives) -> Iterator[TaskLife]:
    """Those that live now, one by one: others may end meanwhile, which are left out."""
    for id in tuple(lives) if isinstance(lives, dict) else lives:  # the native one goes through those of now
        life = lives.get(id)
        if life is not None:
            yield life
