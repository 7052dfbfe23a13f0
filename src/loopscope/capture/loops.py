"""The loops that were seen and live, and what is known of each.

Nothing hangs on them, unlike on tasks: `uvloop.Loop` has no attributes of its own, and with the first one each of its
methods is looked for among them, at every call. And none is kept alive.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from weakref import ref

from loopscope.capture.coroutines import names_of
from loopscope.capture.life import LoopState

#: ids of loops count up within the process, however often one switches off and on
_ids = itertools.count(1)

#: so many dead loops may be known
_FEW = 64


class Loops:
    """What a core knows of loops."""

    def __init__(self) -> None:
        #: by the loop's address: what is known of a dead one goes with the next one there, or when there are many
        self._states: dict[int, LoopState] = {}
        #: how many may be known before the dead are forgotten
        self._most = _FEW

    def state_of(self, loop: Any) -> LoopState:
        """The loop's state, made when it is first seen; each time, where it takes no weak references."""
        state = self._states.get(id(loop))
        if state is None or state.cell() is not loop:
            state = self._meet(loop)
        return state

    def _meet(self, loop: Any) -> LoopState:
        module, qualname = names_of(type(loop))
        state = LoopState(next(_ids), f"{module}.{qualname}")
        try:
            state.cell = ref(loop)
        except TypeError:
            return state
        if len(self._states) >= self._most:
            self._forget()
        self._states[id(loop)] = state
        return state

    def _forget(self) -> None:
        """Let go of what is known of the dead; the next time when there are twice as many as live now."""
        for address in list(self._states):
            state = self._states.get(address)
            if state is not None and state.cell() is None:
                gone = self._states.pop(address, None)
                if gone is not None and gone is not state:  # another thread met one that came there
                    self._states.setdefault(address, gone)
        self._most = max(2 * len(self._states), _FEW)

    def living(self) -> Iterator[tuple[Any, LoopState]]:
        """Those that live, and what is known of each."""
        for state in list(self._states.values()):
            loop = state.cell()
            if loop is not None:
                yield loop, state
