"""The Python core: what happens when a task becomes ready, and when it runs.

`call_soon` is called by a task whenever it becomes ready, with a callback that runs its next step. The gate
(gate.py) hands both to `Core.ready`, which notes the moment and the waker and passes a `Scheduled` in the
callback's place; the loop calls that, inside the task's own context, and its call is exactly the step.

How the pieces must live and die:
- A `Scheduled` is made per scheduling and strong on the task until its handle goes, as CPython's own callback
  is. One per task would be a cycle, and would delay "exception was never retrieved" until a collection.
- A `Life` hangs on the task and points to nothing of the application. The pipeline shares it as its pulse.
- A `Guard` hangs on the task beside it: only its death tells that a task went away before its end.
- Who woke a task hangs on the `Scheduled`: by a step's end the task may be scheduled anew. `Life.ready` only
  tells the pipeline that a task is ready; it is cleared at the start, and restored if `call_soon` raises.
- No reference to a context is kept: a weak one tells that the current span did not change.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any
from weakref import ref

from loopscope.capture import awaits, coroutines, private, wakes
from loopscope.capture.buffer import Buffer
from loopscope.model import (
    BIRTH,
    CANCEL,
    CANCELLED,
    GONE,
    RAISED,
    RETURNED,
    START,
    STEP,
    SUSPENDED,
    TASK,
    TIMER,
    YIELD,
    YIELDED,
    Place,
    SpanIdentity,
    Where,
    clock,
)

logger = logging.getLogger("loopscope")

#: attributes that we hang on the application's objects
LIFE, GUARD, DUE, LOOP = "_loopscope", "_loopscope_guard", "_loopscope_due", "_loopscope_loop"

#: a timer may fire this much before its due time (nanoseconds): uvloop's clock counts milliseconds
EARLY = 2_000_000

_COROUTINE = 0x80 | 0x200  # CO_COROUTINE, CO_ASYNC_GENERATOR

#: activations kept of one step
_ACTIVATIONS = 64


class Life:
    """A living task as capture knows it: numbers, strings and a Place, nothing of the application's."""

    __slots__ = (
        "activated", "cancels", "cell", "excluded", "id", "index", "last_end", "loop", "muted", "over", "place",
        "ready", "span", "started", "where",
    )  # fmt: skip

    def __init__(self, id: int, place: Place, loop: int, excluded: bool) -> None:
        self.id = id
        self.place = place
        self.loop = loop
        self.excluded = self.muted = excluded
        #: index of the current step, or of the next one
        self.index = 0
        #: since when it is ready, 0 while it is not; since when it runs, 0 while it does not
        self.ready = 0
        self.started = 0
        self.last_end = 0
        #: its end is recorded
        self.over = False
        self.where: Where | None = None
        #: weak reference to the OpenTelemetry context last seen at a start, and the identity of its span
        self.cell: Any = None
        self.span: SpanIdentity | None = None
        #: spans activated during the running step
        self.activated: list[SpanIdentity] | None = None
        #: `task.cancelling()` as last seen; -1 while no cancellation was seen
        self.cancels = -1


class Guard:
    """Dies with the task, and tells of a task that never ended."""

    __slots__ = ("core", "life")

    def __init__(self, core: Core, life: Life) -> None:
        self.core = core
        self.life = life

    def __del__(self) -> None:
        life = self.life
        if not life.over and self.core.on:
            life.over = True
            self.core.buffer.put_vital((GONE, life.id, clock(), life.excluded or life.muted))


class Here:
    """What runs on one thread: the task in its step, the loop's callback, the task in creation."""

    __slots__ = ("birth", "callback", "ident", "life", "loop", "name", "outer")

    def __init__(self) -> None:
        self.life: Life | None = None
        self.callback: Callback | None = None
        self.birth: Birth | None = None
        self.ident = threading.get_ident()
        self.name = private.thread_name(self.ident)
        #: the loop that runs, and what ran on this thread when a nested one began
        self.loop = 0
        self.outer: dict[int, tuple[Life | None, Callback | None]] = {}


class Birth:
    """A task that is being created and may run its first step before its creation returns."""

    __slots__ = ("coroutine", "life", "outer")

    def __init__(self, coroutine: Any, life: Life, outer: Life | None) -> None:
        self.coroutine = coroutine
        self.life = life
        self.outer = outer


class LoopState:
    """A loop as the self-check knows it; holds no loop."""

    __slots__ = ("gated", "id", "kind", "seen", "since")

    def __init__(self, id: int, kind: str) -> None:
        self.id = id
        self.kind = kind
        #: the loop's `call_soon` is ours, as far as its class tells
        self.gated = True
        #: a task of this loop came through the gate
        self.seen = False
        #: since when it runs, 0 while it does not
        self.since = 0


class Scheduled:
    """Stands for the task's own callback in a handle; its call is one step."""

    __slots__ = ("__self__", "callback", "core", "kind", "life", "ready", "waker", "waker_name", "waker_step")

    def __init__(
        self, task: Any, callback: Any, life: Life, core: Core, ready: int, kind: str, waker: int, waker_step: int,
        waker_name: str | None,
    ) -> None:  # fmt: skip
        self.__self__ = task
        self.callback = callback
        self.life = life
        self.core = core
        self.ready = ready
        self.kind = kind
        self.waker = waker
        self.waker_step = waker_step
        self.waker_name = waker_name

    def __call__(self, *args: Any) -> Any:
        core = self.core
        if not core.on:
            return self.callback(*args)
        life = self.life
        try:
            here = core.local.here
        except AttributeError:
            here = core.enter()
        task = self.__self__
        outer = here.life
        start, context, thrown = 0, None, task._must_cancel
        try:
            here.life = life
            life.ready = 0
            context = core.current()
            cell = life.cell
            if cell is None or cell() is not context:
                core.look(life, context)
            life.started = start = clock()
            return self.callback(*args)
        finally:
            end = clock()
            here.life = outer
            if start:
                life.started = 0
                try:
                    core.stepped(self, task, life, here, start, end, context, thrown or args and args[0].cancelled())
                except Exception:
                    core.fail()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.callback, name)

    def __repr__(self) -> str:
        return repr(self.callback)


class Callback:
    """Stands for a callback of the loop that may wake tasks, so that their waker is known."""

    __slots__ = ("__wrapped__", "core", "kind", "since", "waker", "waker_step")

    def __init__(
        self, callback: Any, core: Core, kind: str, since: int, waker: int = 0, waker_step: int = 0
    ) -> None:
        self.__wrapped__ = callback
        self.core = core
        self.kind = kind
        #: when it could run: a timer's due time, the moment another thread submitted it; 0 for now
        self.since = since
        self.waker = waker
        self.waker_step = waker_step

    def __call__(self, *args: Any) -> Any:
        here = self.core.enter()
        outer = here.callback, here.life
        try:
            here.callback, here.life = self, None
            return self.__wrapped__(*args)
        finally:
            here.callback, here.life = outer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


def wrappable(callback: Any) -> bool:
    """Whether a callback can be stood for: callable, and none that debug mode would refuse."""
    function = callback.__func__ if type(callback) is MethodType else callback
    if type(function) is FunctionType:
        return not function.__code__.co_flags & _COROUTINE
    return callable(callback) and type(callback) is not Callback


class Core:
    """Writes a record per step into its buffer. One per switching-on."""

    name = "python"

    def __init__(self, buffer: Buffer, wanted: Callable[[str], bool], failed: Callable[[], None]) -> None:
        self.on = True
        self.buffer = buffer
        #: whether a task of this `module.qualname` is to be recorded
        self.wanted = wanted
        #: called after an error of our own
        self.failed = failed
        #: errors of our own, the first of which switched capture off
        self.errors = 0
        self.local = threading.local()
        self.tasks = itertools.count(1)
        self.loops = itertools.count(1)
        #: loops now running, by thread
        self.running: dict[int, LoopState] = {}
        #: a task was muted at some time
        self.muting = False
        #: nobody takes the records yet: `awaken` is called with the next one
        self.asleep = True
        self.awaken: Callable[[], None] = _nothing
        #: the OpenTelemetry context current now, an opaque object; the same of a contextvars context
        self.current: Callable[[], Any] = _nothing
        self.current_in: Callable[[Any], Any] = _nothing_in
        #: the identity of the span in an OpenTelemetry context, None for none
        self.describe: Callable[[Any], SpanIdentity | None] = _nothing_in

    def enter(self) -> Here:
        """This thread's Here."""
        try:
            return self.local.here  # type: ignore[no-any-return]
        except AttributeError:
            here = self.local.here = Here()
            return here

    # ------------------------------------------------------------ becoming ready

    def ready(self, loop: Any, task: Any, callback: Any, args: tuple[Any, ...], context: Any) -> Any:
        """A task becomes ready: note when and by whom. What to pass in the callback's place."""
        now = clock()
        try:
            life: Life = task._loopscope
        except AttributeError:
            life = self.adopt(loop, task, context, bool(args), now)
        if life.muted:
            life.index += 1
            return callback
        try:
            here = self.local.here
        except AttributeError:
            here = self.enter()
        actor = here.life
        name: str | None = None
        if actor is life:
            kind = CANCEL if args and args[0].cancelled() else YIELD
            if kind is YIELD:
                waker = step = 0
            else:
                waker, step = life.id, life.index
        elif not args and not life.index:
            kind, waker, step = START, 0, 0
            if actor is not None:
                waker, step = actor.id, actor.index
        elif actor is not None:
            kind, waker, step = TASK, actor.id, actor.index
            if args and args[0].cancelled() and self._cancelled(task, life, args[0]):
                kind = CANCEL
        else:
            since, kind, waker, step, name = self._woken(loop, task, life, args[0] if args else None, now, here)
            life.ready = now
            return Scheduled(task, callback, life, self, since, kind, waker, step, name)
        life.ready = now
        return Scheduled(task, callback, life, self, now, kind, waker, step, name)

    def _woken(
        self, loop: Any, task: Any, life: Life, future: Any, now: int, here: Here
    ) -> tuple[int, str, int, int, str | None]:
        """(ready since, kind, task, step, name) of the waker where no recorded step woke the task."""
        callback = here.callback
        cancelled = future is not None and future.cancelled() and self._cancelled(task, life, future)
        if callback is not None:
            function = callback.__wrapped__
            name = awaits.function_name(function)
            kind = callback.kind
            if cancelled:
                kind = CANCEL
                if name.endswith(private.ON_TIMEOUT):
                    name = "timeout"
            since = callback.since
            return (since if 0 < since < now else now), kind, callback.waker, callback.waker_step, name
        due = getattr(future, DUE, 0)
        if due and due <= now + EARLY and not cancelled:
            return (due if due < now else now), TIMER, 0, 0, None
        running = private.current_task(loop) if self.muting else None
        other: Life | None = getattr(running, LIFE, None)
        if other is not None:  # a task whose steps are not recorded
            return now, CANCEL if cancelled else TASK, other.id, other.index, other.place.qualname
        kind, name = wakes.caller(4)
        return now, CANCEL if cancelled else kind, 0, 0, name

    @staticmethod
    def _cancelled(task: Any, life: Life, future: Any) -> bool:
        """Whether this wake is a cancellation of the task, not of what it waits for."""
        if isinstance(future, private.TASKS):
            return False
        if not private.CANCELLING:
            return True
        seen, life.cancels = life.cancels, task.cancelling()
        return life.cancels > max(seen, 0)

    # ------------------------------------------------------------ running

    def look(self, life: Life, context: Any) -> None:
        """The current span may have changed: describe it anew, and remember the context weakly."""
        try:
            life.span = self.describe(context)
            life.cell = ref(context)
        except TypeError:  # no OpenTelemetry yet, or a context that takes no weak references
            life.cell = None
        except Exception:
            self.fail()

    def stepped(
        self, how: Scheduled, task: Any, life: Life, here: Here, start: int, end: int, context: Any, thrown: Any
    ) -> None:
        """A step has ended: write its record."""
        waiter = task._fut_waiter
        state = error = None
        if waiter is not None:
            outcome = SUSPENDED
            awaiting, point, lasti = awaits.point(task, waiter)
        elif not task.done():
            outcome = YIELDED
            awaiting, point, lasti = awaits.point(task, None)
        else:
            outcome, state, error = self._ending(task, life, thrown)
            awaiting, point, lasti = None, None, -1
        after = self.current()
        where = life.where
        if where is None or where.thread != here.ident:
            where = life.where = Where(here.ident, here.name, life.loop)
        activated = life.activated
        if activated is not None:
            life.activated = None
        index = life.index
        life.index = index + 1
        ready = how.ready
        if ready < life.last_end:
            ready = life.last_end
        life.last_end = end
        if life.cancels >= 0 and private.CANCELLING:
            life.cancels = task.cancelling()
        span = life.span
        record = (
            STEP, life.id, index, where, ready if ready < start else start, start, end, how.kind, how.waker,
            how.waker_step, how.waker_name, outcome, awaiting, point, lasti, span, activated,
            span if after is context else self.describe(after), task.get_name(), state, error,
        )  # fmt: skip
        if state is None:
            self.buffer.put(record)
        else:
            life.over = self.buffer.put_vital(record)
        if self.asleep:
            self.asleep = False
            self.awaken()

    @staticmethod
    def _ending(task: Any, life: Life, thrown: bool) -> tuple[str, str, str | None]:
        """(the coroutine's own outcome, the task's state, the type of the error)."""
        if task.cancelled():
            own = not thrown and private.CANCELLING and task.cancelling() > max(life.cancels, 0)
            return RETURNED if own else CANCELLED, CANCELLED, None
        error = private.failure(task)
        if error is None:
            return RETURNED, RETURNED, None
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        return RAISED, RAISED, name

    def activate(self, context: Any) -> None:
        """The application makes a span current on this thread."""
        life = self.enter().life
        if life is None:
            if self.muting:
                self._unmute(context)
            return
        span = self.describe(context)
        if span is None:
            return
        seen = life.activated
        if seen is None:
            life.activated = [span]
        elif seen[-1].span_id != span.span_id and len(seen) < _ACTIVATIONS:
            seen.append(span)

    def _unmute(self, context: Any) -> None:
        """A span is activated in a step that is not recorded: record the task's next steps again."""
        if private.running_loop() is None:
            return
        life: Life | None = getattr(private.current_task(), LIFE, None)
        if life is None or not life.muted or life.excluded:
            return
        span = self.describe(context)
        if span is not None and span.trace_flags & 1:
            life.muted = False

    # ------------------------------------------------------------ births

    def adopt(self, loop: Any, task: Any, context: Any, waking: bool, now: int) -> Life:
        """A task seen for the first time: make its Life and write its birth."""
        here = self.enter()
        birth = here.birth
        if birth is not None and not waking and not _running(birth.coroutine):
            here.birth, here.life = None, birth.outer
            self._attach(task, birth.life)
            return birth.life
        coroutine = task.get_coro()
        life = self._conceive(loop, coroutine)
        self._attach(task, life)
        current = self.current() if context is None else self.current_in(context)
        self._born(life, task.get_name(), now, here.life, current, waking or _running(coroutine))
        return life

    def _conceive(self, loop: Any, coroutine: Any) -> Life:
        place = coroutines.identify(coroutine)
        state = self.state_of(loop)
        state.seen = True
        excluded = coroutines.is_housekeeping(coroutine) or not self.wanted(place.function)
        if excluded:
            self.muting = True
        return Life(next(self.tasks), place, state.id, excluded)

    def _attach(self, task: Any, life: Life) -> None:
        setattr(task, LIFE, life)
        setattr(task, GUARD, Guard(self, life))

    def _born(self, life: Life, name: str, now: int, creator: Life | None, context: Any, late: bool) -> None:
        by, step = (0, 0) if creator is None else (creator.id, creator.index)
        life.span = self.describe(context)
        self.buffer.put_vital((BIRTH, life.id, now, life, name, life.place, by, step, life.span, late))

    def create(self, original: Any, loop: Any, coroutine: Any, options: dict[str, Any]) -> Any:
        """Create a task that may run its first step at once: that step is recorded here."""
        birth, here, context, how = None, None, None, None
        try:
            here = self.enter()
            outer = here.life
            life = self._conceive(loop, coroutine)
            given = options.get("context")
            context = self.current() if given is None else self.current_in(given)
            self._born(life, str(options.get("name") or ""), clock(), outer, context, False)
            birth = Birth(coroutine, life, outer)
            by, step = (0, 0) if outer is None else (outer.id, outer.index)
            how = Scheduled(None, None, life, self, 0, START, by, step, None)
        except Exception:
            self.fail()
            return original(loop, coroutine, **options)
        previous, here.birth, here.life = here.birth, birth, life
        how.ready = life.started = start = clock()
        task = None
        try:
            task = original(loop, coroutine, **options)
            return task
        finally:
            end = clock()
            waiting, here.birth, here.life = here.birth is birth, previous, outer
            life.started = 0
            try:
                self._created(task, life, waiting, how, here, start, end, context)
            except Exception:
                self.fail()

    def _created(
        self, task: Any, life: Life, waiting: bool, how: Scheduled, here: Here, start: int, end: int, context: Any
    ) -> None:
        if not waiting:  # scheduled as any other task: adopt() took it over
            return
        if not isinstance(task, private.TASKS) or getattr(task, LIFE, None) is not None:
            life.over = True
            self.buffer.put_vital((GONE, life.id, end, True))
            return
        self._attach(task, life)
        if life.muted:
            life.index = 1
        else:
            self.stepped(how, task, life, here, start, end, context, False)

    # ------------------------------------------------------------ loops

    def state_of(self, loop: Any) -> LoopState:
        """The loop's state, made when it is first seen."""
        state: LoopState | None = getattr(loop, LOOP, None)
        if state is None:
            kind = type(loop)
            state = LoopState(next(self.loops), f"{kind.__module__}.{kind.__qualname__}")
            try:
                setattr(loop, LOOP, state)
            except AttributeError:
                pass
        return state

    def runs(self, loop: Any, gated: bool) -> None:
        """A loop starts to run on this thread, or (None) the one that ran stops."""
        here = self.enter()
        state = self.running.get(here.ident)
        if loop is None:
            if state is not None:
                state.since = 0
                del self.running[here.ident]
            return
        state = self.state_of(loop)
        state.gated, state.since = gated, clock()
        self.running[here.ident] = state
        if here.loop != state.id:
            if here.life is not None or here.callback is not None:
                here.outer[here.loop] = here.life, here.callback
            here.life, here.callback = here.outer.pop(state.id, (None, None))
            here.loop = state.id

    def forked(self, life: Life) -> None:
        """In a forked child, a task of the parent's is another task."""
        life.id = next(self.tasks)
        life.index = 0
        self.buffer.put_vital((BIRTH, life.id, clock(), life, "", life.place, 0, 0, None, True))

    def fail(self) -> None:
        """An error of our own, being handled now: switch off, say it once, let the host go on."""
        self.errors += 1
        if self.on:
            self.on = False
            logger.exception("loopscope stopped recording after an error of its own; the application goes on")
            self.failed()


def _running(coroutine: Any) -> bool:
    return getattr(coroutine, "cr_running", False) or getattr(coroutine, "gi_running", False)


def _nothing() -> None:
    return None


def _nothing_in(_: Any) -> None:
    return None
