"""The Python core: what happens when a task becomes ready, and when it has run.

`call_soon` is called by a task whenever it becomes ready, with a callback that runs its next step. The gate
(gate.py) asks `Core.wakes` or `Core.yields` for the moment and the waker, and puts a method of `Core.run` in the
callback's place; the loop calls that, inside the task's own context, and its call is exactly the step.

How the pieces must live and die stands in life.py and stand_ins.py. Two things more: `Life.ready` only tells the
pipeline that a task is ready; it is cleared at the start, and restored if `call_soon` raises. And no reference to a
context is kept: a weak one tells that the current span did not change.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, MethodType
from typing import Any
from weakref import ref

from loopscope.capture import births, cancels, coroutines, creations, private, wakers
from loopscope.capture.awaits import point
from loopscope.capture.buffer import Buffer
from loopscope.capture.collector import Collected
from loopscope.capture.interrupts import is_interrupt
from loopscope.capture.life import GUARD, LIFE, Here, Life, LoopState, enter, hung_on, hush, local, nothing
from loopscope.capture.loops import Loops
from loopscope.capture.polls import see, select, selector_of, unsee
from loopscope.capture.stand_ins import Callback, How, Scheduled, named
from loopscope.log import logger
from loopscope.model import (
    BIRTH,
    CALLBACK,
    CANCEL,
    CANCELLED,
    NEVER,
    POLLS,
    RAISED,
    RETURNED,
    START,
    STEP,
    SUSPENDED,
    TASK,
    YIELD,
    YIELDED,
    Place,
    SpanIdentity,
    clock,
)
from loopscope.threads import Bell, Lacking
from loopscope.uncollected import lift, off, weights

#: (task, its own callback, how it became ready)
Subject = tuple[Any, Any, How]

YIELDS: How = (0, YIELD, 0, 0, None)

_CANCELLING = private.CANCELLING

#: ids of tasks count up within the process, however often one switches off and on
_tasks = itertools.count(1)

#: activations kept of one step
_ACTIVATIONS = 64
#: so often a hook finds no room on the stack before that is taken for a fault of its own
CRAMPED = 10_000


class Core:
    """Writes a record per step into its buffer. One per switching-on."""

    name = "python"
    #: makes what hangs on a task: see Life
    life: Callable[[int, Place, LoopState, bool], Any] = Life
    #: make what stands in a callback's place of (`run`, (task, callback, how)): where nobody looks at it; where one may
    bind: Callable[[Any, Subject], Any] = MethodType
    show: Callable[[Any, Subject], Any] = Scheduled
    #: make what stands on a loop's selector as its `select`
    select: Callable[..., Any] = staticmethod(select)
    #: make what stands for a callback that is no task's own
    callback: Callable[..., Any] = Callback

    #: makes what hears of the garbage collector's collections
    collected: Callable[..., Any] = Collected

    #: where what is made now is made: see creations
    creator: Callable[[], str | None] = staticmethod(creations.creator)

    #: wakes a thread of our own
    bell: Callable[[], Any] = Bell
    #: pauses so many seconds, in the background thread
    pause: Callable[[float], None] = staticmethod(time.sleep)

    def __init__(self, buffer: Buffer, wanted: Callable[[str], bool], failed: Callable[[], None]) -> None:
        self.on = True
        self.buffer = buffer
        self.queue = buffer.queue
        self.limit, self.reserve = buffer.limit, buffer.reserve
        #: whether a task of this `module.qualname` is to be recorded
        self.wanted = wanted
        #: called after an error of our own
        self.failed = failed
        #: errors of our own, the first of which switched capture off
        self.errors = 0
        #: times that something was not recorded for want of room on the application's stack
        self.cramped = 0
        self.loops = Loops()
        #: its `state_of`
        self.state_of: Callable[[Any], LoopState] = self.loops.state_of
        #: loops now running, by thread
        self.running: dict[int, LoopState] = {}
        #: nobody takes the records yet: `awaken` is called with the next one
        self.asleep = True
        self.awaken: Callable[[], None] = nothing
        #: what stands for a task's own callback, bound to (task, callback, how it became ready)
        self.run = self._make_run()
        #: activations and their ends are not told to `activate` and `leave`
        self.deaf = True
        #: what runs on the threads on which a loop runs, by thread
        self.threads: dict[int, Here] = {}
        #: those that a loop has left since the watchdog last looked
        self.left: deque[Here] = deque(maxlen=64)
        #: the watchdog sleeps until it is roused, which is to be done when a loop's thread begins to run something
        self.dozing = False
        self.rouse: Callable[[], None] = nothing
        #: the OpenTelemetry context current now, an opaque object; the same of a contextvars context
        self.current: Callable[[], Any] = nothing
        self.current_in: Callable[[Any], Any] = _nothing_in
        #: the identity of the span in an OpenTelemetry context, None for none
        self.describe: Callable[[Any], SpanIdentity | None] = _nothing_in

    # ------------------------------------------------------------ becoming ready

    def yields(self, life: Life) -> How:
        """How a task became ready that is scheduled to go on without waiting for anything."""
        if life.started:  # a bare yield: ready from the end of its own step, which the assembler knows
            life.ready = life.started
            return YIELDS
        actor = enter().life
        life.ready = now = clock()
        # A task is ready from its birth on, which the assembler knows too.
        since, kind = (now, CALLBACK) if life.index else (0, START)
        return (since, kind, 0, 0, None) if actor is None else (since, kind, actor.id, actor.index, None)

    def wakes(self, loop: Any, task: Any, life: Life, future: Any) -> How:
        """How a task became ready that wakes, for `future` is done."""
        now = clock()
        try:
            here = local.here
        except AttributeError:
            here = enter()
        actor = here.life
        how: How
        if actor is None:
            how = wakers.woken(loop, task, life, future, now, here)
        elif not private.own(future).cancelled():
            how = (now, TASK, actor.id, actor.index, None) if actor is not life else YIELDS
        elif actor is life or wakers.cancelled(task, life, future):
            how = (now, CANCEL, actor.id, actor.index, cancels.request(future, actor.place.qualname))
        else:
            how = (now, TASK, actor.id, actor.index, None)
        if how[1] is CANCEL:
            cancels.pass_on(self, task, life, how)
        life.ready = now
        return how

    # ------------------------------------------------------------ running

    def look(self, life: Life, context: Any) -> None:
        """The current span may have changed: describe it anew, and remember the context weakly."""
        try:
            life.span = self.describe(context)
            life.cell = ref(context)
        except TypeError:  # no OpenTelemetry yet, or a context that takes no weak references
            life.cell = nothing
        except Exception:
            self.fail()

    def guards(self, original: Any, gate: Any, *debugging: Any) -> Any:
        """What replaces a loop's `call_soon`, for the gate in Python.

        Of a method for timers one more is given: what tells whether a loop is in debug mode, where its timers do not.
        """
        return gate

    def spawns(self, original: Any, gate: Any) -> Any:
        """What replaces a loop's `create_task`, for the gate in Python."""
        return gate

    def watch_tasks(self, on: bool) -> None:
        """Have those tasks seen whose first step runs as their class makes them. No code in Python can see them."""

    def run_as(self, name: str) -> Any:
        """`run` under another name."""
        return named(self.run, name)

    def _make_run(self) -> Any:
        """What the gate puts in a callback's place, bound to (task, callback, how): its call is one step."""
        core, plain = self, private.Task

        def run(subject: Subject, *args: Any) -> Any:
            task, callback, how = subject
            if not core.on:
                return callback(*args)
            begun = interrupt = None
            try:
                if core.dozing:
                    core.rouse()
                if type(task) is plain:
                    life, doomed = task._loopscope, task._must_cancel
                else:
                    life, doomed = hung_on(task, LIFE), private.own(task)._must_cancel
                here = life.loop.here or core.arrive(life.loop)
                outer = here.life
                here.life, life.ready, begun = life, 0, life
                context = core.current()
                if life.cell() is not context:
                    core.look(life, context)
                del context  # it may be left, and be freed, in this step
                if _CANCELLING and (life.cancels or how[1] is CANCEL):
                    life.cancels = max(life.cancels, 1, private.own(task).cancelling())
                life.started = start = clock()
            except BaseException as error:
                interrupt = core.spoilt(error)
                if begun is not None:
                    life.started = start = core.reading()
            try:
                result = callback(*args)
                if interrupt is not None:
                    raise interrupt
                return result
            finally:
                if begun is not None:
                    here.life = outer
                    try:
                        end = clock()
                        if life.started:
                            life.started = 0
                            core.stepped(how, task, life, here, start, end, doomed)
                    except Exception:
                        core.fail()
                # The traceback of the task's exception may hold this frame: no cycle through it, as in Handle._run.
                subject = task = callback = args = interrupt = None  # type: ignore[assignment]

        return run

    def stepped(
        self, how: How, task: Any, life: Life, here: Here, start: int, end: int, doomed: Any, left: bool = False
    ) -> None:
        """A step has ended: write its record. `left`: the task's own context is no longer entered."""
        asked = task if type(task) is private.Task else private.own(task)
        if life.here is not here:
            life.here = here
            self.threads[here.ident] = here
            life.name = private.name_of(asked)
            if life.unborn:
                births.tell_again(self, life, start)
        waiter = asked._fut_waiter
        state = error = awaiting = place = None
        lasti = -1
        if waiter is not None:
            outcome = SUSPENDED
            awaiting, place, lasti = point(asked, waiter, life.place)
            life.name = private.name_of(asked)
        elif not asked.done():
            outcome = YIELDED
            _, place, lasti = point(asked, None, life.place)
        else:
            outcome, state, error = self._ending(task, asked)
            life.name = private.name_of(asked)
        index = life.index
        life.index = index + 1
        if _CANCELLING and (outcome is not YIELDED or doomed or life.cancels):
            cancels = asked.cancelling()
            if cancels < life.cancels and (cancels or state is not CANCELLED):  # else it heeded what it took back
                life.uncancelled = index + 1
            life.cancels = cancels
        span = after = life.span
        activated = life.activated
        if activated is not None or life.left or self.deaf:
            life.activated, life.left = None, False
            context = self.current_in(asked.get_context()) if left else self.current()
            if context is None or life.cell() is not context:
                after = self.describe(context)
        polls, before = here.polls, here.ended
        here.ended = end
        if polls:
            here.polls = ()
        elif here.blind:
            see(self, here, private.running_loop())
            if not before:  # the first step of a run: nothing was missed
                polls = here.polls
        loop = life.loop
        where = loop.where if loop.here is here else here.at(loop.id)  # an eager first step may run on any thread
        record = (
            STEP, life.id, index, where, how, start, end, outcome, awaiting, place, lasti, span, activated, after,
            life.name, state, error, polls,
        )  # fmt: skip
        if state is None:
            if off or weights:
                lift()
            queue = self.queue
            if len(queue) < self.limit:
                queue.append(record)
            else:
                self.buffer.dropped += 1
        else:
            life.over = True  # also where there is no room: the pipeline finds out by it
            self.buffer.put_vital(record)
        if self.asleep:
            self.asleep = False
            self.awaken()

    @staticmethod
    def _ending(task: Any, asked: Any) -> tuple[str, str, str | None]:
        """(the coroutine's own outcome, the task's state, the type of the error)."""
        if asked.cancelled():
            return CANCELLED if private.raised_cancelled(task) else RETURNED, CANCELLED, None
        error = private.failure(asked)
        if error is None:
            return RETURNED, RETURNED, None
        return RAISED, RAISED, coroutines.type_name(type(error))

    def activate(self, context: Any) -> None:
        """The application makes a span current on this thread."""
        life = enter().life
        if life is None:
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
        if span.trace_flags & 1 and not life.excluded:
            life.muted = False

    def leave(self) -> None:
        """The application makes the span current that was so before, on this thread."""
        life = enter().life
        if life is not None:
            life.left = True

    def _unmute(self, context: Any) -> None:
        """A span is activated in a step that is not recorded: record the task's next steps again."""
        if private.running_loop() is None:
            return
        life: Life | None = hung_on(private.current_task(), LIFE)
        if life is None or life.hush >= NEVER or life.excluded:
            return
        span = self.describe(context)
        if span is not None and span.trace_flags & 1:
            life.muted = False

    # ------------------------------------------------------------ loops

    @staticmethod
    def arrive(state: LoopState) -> Here:
        """This thread's Here, on which a step of this loop runs: the loop's until it starts to run on another."""
        here = enter()
        state.where = here.at(state.id)  # before the other: who finds that one asks no further
        state.here = here
        here.blind = here.polls is None
        return here

    def runs(self, loop: Any, gated: bool) -> None:
        """A loop starts to run on this thread, or (None) the one that ran stops."""
        here = enter()
        state = self.running.get(here.ident)
        if here.polls:
            self.buffer.put((POLLS, here.at(here.loop), here.polls))
        if loop is None:
            if self.threads.pop(here.ident, None) is not None:
                self.left.append(here)
            if state is None:  # it ran already when this was switched on
                state = next((other for _, other in self.loops.living() if other.here is here), None)
            if state is not None:
                state.since = 0
                self.running.pop(here.ident, None)
                self._blindfold(state.cell())
            here.blind, here.polls = False, None
            return
        state = self.state_of(loop)
        state.gated, state.since, state.where, state.here = gated, clock(), here.at(state.id), here
        here.blind, here.polls, here.ended = True, None, 0
        self.running[here.ident] = state
        self.threads[here.ident] = here
        if self.dozing:
            self.rouse()
        if not gated and self.asleep:  # there may never be a step to see: the self-check must run all the same
            self.asleep = False
            self.awaken()
        if here.loop != state.id:
            if here.life is not None or here.callback is not None:
                here.outer[here.loop] = here.life, here.callback
            here.life, here.callback = here.outer.pop(state.id, (None, None))
            here.loop = state.id

    @staticmethod
    def _blindfold(loop: Any) -> None:
        selector = selector_of(loop)
        if selector is not None:
            unsee(selector)

    def release(self) -> None:
        """Off for good: take what hangs on living loops and tasks off them, and let go of the pipeline."""
        self.on = False
        self.failed = self.awaken = self.rouse = nothing
        self.dozing = False
        self.threads.clear()
        self.left.clear()
        for loop, state in self.loops.living():
            for task in private.all_tasks(loop):
                _unhang(task)
            self._blindfold(loop)
            if state.here is not None:
                state.here.blind, state.here.polls = False, None

    @staticmethod
    def next_task() -> int:
        """The id of a task that is seen for the first time."""
        return next(_tasks)

    def forked(self, life: Life) -> None:
        """In a forked child, a task of the parent's is another task."""
        life.id = next(_tasks)
        life.index = life.started = 0
        life.hush = hush(life.excluded)
        self.buffer.put_vital((BIRTH, life.id, clock(), life, "", life.place, 0, 0, None, True))

    def reading(self) -> int:
        """The clock, where there is nothing to catch its error: 0 where there was no memory for the number."""
        try:
            return clock()
        except MemoryError:
            self.fail()
            return 0

    def spoilt(self, error: BaseException) -> BaseException | None:
        """A step could not begin, or be scheduled, as it should: what is to be raised once that is done all the same.

        Else its task never goes on.
        """
        if not isinstance(error, Exception) or is_interrupt(error):
            return error
        self.stumbled(error)
        return None

    def stumbled(self, error: Exception) -> None:
        """As `fail`, but for what comes of another thread that switches off just now, and takes what hangs on tasks."""
        if self.on or is_interrupt(error):
            self.fail()

    def fail(self) -> None:
        """An error of our own, being handled now: switch off, say it once, let the host go on.

        What a signal handler of the application's raised meanwhile is none: it is raised on. Nor is it that a deep
        recursion of the application's left no room for a hook, unless that comes ever again: it is passed over.
        """
        if is_interrupt(sys.exc_info()[1]):
            raise  # what is being handled; named here, it would be in a cycle with this frame
        if isinstance(sys.exc_info()[1], RecursionError) and self.cramped < CRAMPED:
            self.cramped += 1
            return
        self.errors += 1
        self.on = False
        if self.errors > 1:
            return
        if isinstance(sys.exc_info()[1], Lacking):
            logger.warning("loopscope stopped recording: %s", sys.exc_info()[1])
        else:
            logger.exception("loopscope stopped recording after an error of its own; the application goes on")
        self.failed()


#: the code of every core's `run`: where a step begins on a stack
RUN_CODE = next(item for item in Core._make_run.__code__.co_consts if type(item) is CodeType and item.co_name == "run")


def _unhang(task: Any) -> None:
    for name in (LIFE, GUARD):
        with suppress(AttributeError):
            object.__delattr__(task, name)  # past its class, as it was hung


def _nothing_in(_: Any) -> None:
    return None
