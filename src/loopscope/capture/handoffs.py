"""What a step hands to an executor: hooks on the thread pools' work items, and on results that come to the loop.

A work item carries where it was submitted, in numbers and names, and its thread tells when it has run. Of any other
executor only the submission and the result are seen. The function itself is not touched: it is pickled, runs and
raises as without.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import Any, NamedTuple

from loopscope.capture import awaits, coroutines, private
from loopscope.capture.core import Core
from loopscope.capture.life import enter, hang, hung_on
from loopscope.capture.patches import Patches
from loopscope.model import HANDOFF, Handoff, clock

#: attribute of a work item, or of the future that run_in_executor() gave: its Submission
SUBMISSION = "_loopscope_submission"


class Submission(NamedTuple):
    """Which step handed which function over, and when."""

    task: int
    step: int
    function: str
    module: str
    submitted: int


def install(core: Core, patches: Patches) -> None:
    """Put the hooks on thread pools, where there can be any: not once the main program is over."""
    try:
        from concurrent.futures.thread import _WorkItem as item
    except RuntimeError:
        return
    patches.put(item, "__init__", lambda original: _init(core, original))
    patches.put(item, "run", lambda original: _run(core, original))


def label(function: Any, args: tuple[Any, ...]) -> str:
    """How a wait for an executor's function is named."""
    return f"executor {awaits.function_name(_inner(function, args))}"


def foreign(core: Core, future: Any, function: Any, args: tuple[Any, ...], submitted: int) -> None:
    """run_in_executor() made no work item: its executor is no thread pool. Note the submission on the future."""
    submission = _submission(_inner(function, args), submitted)
    if submission is not None:
        hang(future, SUBMISSION, submission)


def passed_on(core: Core, future: Any, source: Any) -> None:
    """An executor's result is passed on to the loop's future: that of a foreign executor is told here."""
    submission = hung_on(future, SUBMISSION)
    if submission is not None:
        delattr(future, SUBMISSION)
        _tell(core, submission, 0, clock(), source, 0, "")


def _inner(function: Any, args: tuple[Any, ...]) -> Any:
    return args[0] if args and getattr(function, "__name__", "") == "run" and callable(args[0]) else function


def _submission(function: Any, submitted: int) -> Submission | None:
    """None where no recorded step runs on this thread."""
    life = enter().life
    if life is None or not life.started:
        return None
    function = awaits.looked_through(function)
    module = ""
    with suppress(Exception):  # the application's own property
        module = function.__module__
    return Submission(
        life.id, life.index, coroutines.qualname_of(function), module if type(module) is str else "", submitted
    )


def _init(core: Core, original: Any) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        if core.on:
            try:
                now = clock()
                enter().items += 1
                function, given = private.work(self)
                submission = _submission(_inner(function, given), now)
                if submission is not None:
                    setattr(self, SUBMISSION, submission)
            except Exception:
                core.fail()

    return __init__


def _run(core: Core, original: Any) -> Any:
    @functools.wraps(original)
    def run(self: Any, *args: Any) -> Any:
        submission = getattr(self, SUBMISSION, None)
        start = core.reading()
        try:
            return original(self, *args)
        finally:
            if submission is not None and core.on:
                try:
                    end, here = clock(), enter()
                    _tell(core, submission, start, end, self.future, here.ident, here.name)
                except Exception:
                    core.fail()
            del self, args  # the traceback of an error that the future keeps holds this frame

    return run


def _tell(core: Core, submission: Submission, start: int, end: int, future: Any, thread: int, name: str) -> None:
    if future.cancelled():  # it never ran
        return
    task, step, function, module, submitted = submission
    error = private.raised(future)
    kind = None if error is None else coroutines.type_name(type(error))
    core.buffer.put((HANDOFF, Handoff(task, step, function, submitted, start, end, thread, name, kind, module)))
