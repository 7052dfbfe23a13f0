"""The loops that were seen and live, and what is known of each.

Nothing hangs on them, unlike on tasks: `uvloop.Loop` has no attributes of its own, and with the first one each of its
methods is looked for among them, at every call. And none is kept alive.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from weakref import ref

from loopscope.capture.life import LoopState

#: ids of loops count up within the process, however often one switches off and on
_ids = itertools.count(1)


class Loops:
    """What a core knows of loops."""

    def __init__(self) -> None:
        #: by the loop's address: what is known of a dead one goes with the next one there
        self._states: dict[int, LoopState] = {}

    def state_of(self, loop: Any) -> LoopState:
        """The loop's state, made when it is first seen; each time, where it takes no weak references."""
        state = self._states.get(id(loop))
        if state is None or state.cell() is not loop:
            state = self._meet(loop)
        return state

    def _meet(self, loop: Any) -> LoopState:
        kind = type(loop)
        state = LoopState(next(_ids), f"{kind.__module__}.{kind.__qualname__}")
        try:
            state.cell = ref(loop)
        except TypeError:
            return state
        self._states[id(loop)] = state
        return state

    def living(self) -> Iterator[tuple[Any, LoopState]]:
        """Those that live, and what is known of each."""
        for state in list(self._states.values()):
            loop = state.cell()
            if loop is not None:
                yield loop, state
