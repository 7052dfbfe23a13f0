"""Switching on by the environment alone: called by the .pth or .start file at every interpreter start.

Until asyncio is imported there is only an import hook. The first loop that is made starts the runtime, which
imports OpenTelemetry's SDK. (wrapt's import hooks cannot serve here: importing wrapt imports asyncio; nor do the
bases of importlib.abc and `typing`, which take longer than all else that Python does at its start.)
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_LOOPS = {"asyncio.base_events": "BaseEventLoop", "uvloop": "Loop"}

#: for how long a loop that another thread makes meanwhile waits for the start (seconds)
_PATIENCE = 5.0

_watching: Finder | None = None
_undo: list[Callable[[], None]] = []
#: held by who starts the runtime: process and thread
_starting = allocate_lock()
_starter = (0, 0)


def main() -> None:
    """Watch for the first loop. Idempotent: in a virtual environment it is called twice."""
    global _watching
    if _watching is not None:
        return
    _watching = Finder()
    for name in _LOOPS:
        module = sys.modules.get(name)
        if module is not None:
            _watch(module)
    sys.meta_path.insert(0, _watching)


class Finder:
    """Finds nothing itself: lets `_watch` see the loops' modules once they are imported."""

    def __init__(self) -> None:
        self._busy: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if fullname not in _LOOPS or fullname in self._busy:
            return None
        self._busy.add(fullname)
        try:
            from importlib.util import find_spec

            spec = find_spec(fullname)
        finally:
            self._busy.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = Watched(spec.loader)  # type: ignore[assignment]  # as one, without its bases
        return spec


class Watched:
    """A module's own loader, and a look at the module afterwards."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        """What else a loader has, for who looks at the spec of a module that is not imported yet."""
        if name in ("_loader", "load_module"):  # of a copy that was not made yet; unwatched
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See importlib.abc.Loader."""
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        if _watching is not None:
            _watch(module)


def _watch(module: ModuleType) -> None:
    """Start the runtime when the first loop of this module is made."""
    kind = getattr(module, _LOOPS[module.__name__], None)
    if kind is None:
        return
    before = vars(kind).get("__init__")
    original = kind.__init__

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        try:
            begin()
        except BaseException:
            if isinstance(self, sys.modules["asyncio"].BaseEventLoop):
                self._closed = True  # what its `__del__` asks: there is nothing to close yet
            raise
        original(self, *args, **options)

    kind.__init__ = __init__

    def undo() -> None:
        if vars(kind).get("__init__") is __init__:
            if before is None:
                del kind.__init__
            else:
                kind.__init__ = before

    _undo.append(undo)


def begin() -> None:
    """Start the runtime and stop watching, once: what is made in another thread meanwhile waits to be seen.

    What a signal handler raises meanwhile passes, and the next loop that is made starts it.
    """
    global _watching, _starter
    here = os.getpid(), get_ident()
    if _watching is None or _starter == here:  # it was begun; or begins, and makes a loop itself
        return
    if not _starting.acquire(timeout=_PATIENCE if _starter[0] in (0, here[0]) else 0):
        return
    try:
        if _watching is None:
            return
        _starter = here
        _start()
        if _watching in sys.meta_path:
            sys.meta_path.remove(_watching)
        _watching = None
        while _undo:
            _undo.pop()()
    finally:
        _starter = (0, 0)
        _starting.release()


def _start() -> None:
    """An error is logged once; the application goes on."""
    instrumentor = sys.modules.get("loopscope.activation.instrumentor")
    try:
        from loopscope import runtime

        if instrumentor is None or not instrumentor.LoopscopeInstrumentor().is_instrumented_by_opentelemetry:
            runtime.start()
    except Exception as error:
        if _is_interrupt(error):
            raise
        try:
            from loopscope.log import logger
        except Exception:  # something is wrong with what is installed
            return
        logger.exception("loopscope could not start; the application goes on")


def _is_interrupt(error: Exception) -> bool:
    """Whether a signal handler of the application's raised it."""
    try:
        from loopscope.capture.interrupts import is_interrupt

        return is_interrupt(error)
    except Exception:  # then something is wrong with what is installed
        return False
