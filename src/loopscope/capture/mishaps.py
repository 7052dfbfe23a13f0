"""What was forgotten: exceptions never retrieved, tasks destroyed while pending, coroutines never awaited.

CPython calls `warnings._warn_unawaited_coroutine(coroutine)`, which warns of its caller's line: a function of ours
around it would be that caller, and stand in the traceback where warnings are errors. So a list's `__contains__` stands
there: it compares the coroutine with two objects, the first of which notes it, and the second *is* the original
function, called by C with no frame between.
"""

from __future__ import annotations

import asyncio.base_events
import functools
import warnings
from typing import Any

from loopscope.capture.core import Core
from loopscope.capture.life import LIFE, hung_on, local
from loopscope.capture.patches import Patches
from loopscope.model import MISHAP, NEVER_AWAITED, NEVER_RETRIEVED, PENDING_DESTROYED, clock

#: what asyncio's messages end with, and where in its context the task is
_MESSAGES = (
    ("exception was never retrieved", "future", NEVER_RETRIEVED),
    ("was destroyed but it is pending!", "task", PENDING_DESTROYED),
)


def install(core: Core, patches: Patches) -> None:
    """Put the hooks on asyncio's loops and on the warning."""
    install_on(core, patches, asyncio.base_events.BaseEventLoop)
    patches.put(warnings, "_warn_unawaited_coroutine", lambda original: _unawaited(core, original))


def install_on(core: Core, patches: Patches, loop: Any) -> None:
    """Put the hook on a class of loops."""
    patches.put(loop, "call_exception_handler", lambda original: _call_exception_handler(core, original))


def _call_exception_handler(core: Core, original: Any) -> Any:
    @functools.wraps(original)
    def call_exception_handler(self: Any, context: Any) -> Any:
        if core.on:
            try:
                _told(core, context)
            except Exception:
                core.fail()
        return original(self, context)

    return call_exception_handler


def _told(core: Core, context: Any) -> None:
    message = context.get("message") if type(context) is dict else None
    if type(message) is not str:
        return
    for ending, key, kind in _MESSAGES:
        if message.endswith(ending):
            life = hung_on(context.get(key), LIFE)
            core.buffer.put((MISHAP, 0 if life is None else life.id, clock(), kind))


def _unawaited(core: Core, original: Any) -> Any:
    class Note:
        """Compared with a coroutine that was never awaited."""

        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, coroutine: object) -> bool:
            if core.on:
                try:
                    here = getattr(local, "here", None)
                    life = None if here is None else here.life
                    core.buffer.put((MISHAP, 0 if life is None else life.id, clock(), NEVER_AWAITED))
                except Exception:
                    core.fail()
            return False

    class Then:
        """Compared with it afterwards."""

        __hash__ = None  # type: ignore[assignment]
        __eq__ = staticmethod(original)

    return [Note(), Then()].__contains__
