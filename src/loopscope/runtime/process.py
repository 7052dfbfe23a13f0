"""The one runtime of this process: switched on and off, flushed, asked."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from functools import partial
from typing import Any

from loopscope.log import logger
from loopscope.runtime import exits
from loopscope.runtime.composition import Runtime
from loopscope.settings import Settings, Standard
from loopscope.threads import lacking

_runtime: Runtime | None = None
_lock = threading.Lock()
_watching = False


def current() -> Runtime | None:
    """The runtime of this process, None while loopscope is off."""
    return _runtime


def start(settings: Settings | None = None, **options: Any) -> Runtime | None:
    """Switch on, if it is not. Options: `tracer_provider`, `meter_provider`, `span_exporter`.

    None where settings or the standard variables say that nothing is to be recorded.
    """
    global _runtime
    settings = settings or Settings.load()
    standard = Standard.load()
    with _lock:
        if _runtime is not None:
            return _runtime
        if not settings.enabled or standard.disabled or _lacks_threads():
            return None
        runtime = Runtime(settings, standard, **options)
        if not runtime.spans and not runtime.metrics.possible and not (settings.detail == "none" and settings.metrics):
            return None
        try:
            runtime.install()
            _watch_uvloop()
            exits.install(runtime.patches, current, partial(stop, leaving=True))
        except BaseException:
            with suppress(Exception):
                runtime.close()
            raise
        _runtime = runtime
    return runtime


def stop(leaving: bool = False) -> None:
    """Switch off: flush, take everything off, leave nothing behind.

    `leaving`: the process ends, and the application's meter provider may collect for a last time after this.
    """
    global _runtime
    with _lock:
        runtime, _runtime = _runtime, None
    if runtime is not None:
        runtime.close(leaving)


def flush(timeout: float | None = None) -> bool:
    """Send all that ended so far, within `timeout` seconds (the exporter's own by default). Whether it worked."""
    return _runtime.flush(timeout) if _runtime is not None else True


def statistics() -> dict[str, Any]:
    """Counts since switching on: records, lines dropped; spans exported, coalesced, and dropped by cause; values of
    attributes that OTLP cannot say, which were replaced; errors; changes of the level of detail. `targets`: what each
    place that spans go to is handed; a stock OTLP exporter that is handed `spans` is of a version unknown to loopscope.

    And that level, and `coverage`: by loop, the share of its active time that is in recorded steps and named callbacks.
    """
    return _runtime.statistics() if _runtime is not None else {}


def _lacks_threads() -> bool:
    """Whether there are no threads for us, which is logged."""
    why = lacking()
    if why:
        logger.warning("loopscope stays off: %s", why)
    return bool(why)


def _watch_uvloop() -> None:
    """Once per process, for a hook on an import cannot be taken off: put the gate on uvloop when it comes."""
    global _watching
    if not _watching and "uvloop" not in sys.modules:
        _watching = True
        import wrapt

        wrapt.register_post_import_hook(_uvloop_imported, "uvloop")


def _uvloop_imported(module: Any) -> None:
    if _runtime is not None:
        _runtime.gate.install_uvloop(module)
