"""The watchdog: a thread that looks at a loop's thread while that is held too long.

It wakes about once per threshold while a loop is busy, and not at all while every loop is idle: then it dozes, and
what begins to run on a loop's thread rouses it. Between two looks it keeps numbers and no frame: a frame that is kept
would keep the application's objects. A step is known by its task, index and start. A callback has no such thing, and
the address of its frame is used anew at once: so the frame is marked in its `f_trace`, which goes when it goes.

What it reads of another thread may change at any moment: a stack counts only if the same step runs after the walk.
"""

from __future__ import annotations

import sys
import threading
from _thread import allocate_lock
from typing import Any

from loopscope import uncollected
from loopscope.capture import private, stacks
from loopscope.capture.causes import Measured, classify
from loopscope.capture.collector import Collector
from loopscope.capture.core import Core
from loopscope.capture.glances import Glances
from loopscope.capture.life import Here, Life, enter
from loopscope.model import LOOK, Frame, Look, clock
from loopscope.threads import Starter, await_exit

#: looks taken of one hold: at the threshold, twice it, four times ...
LOOKS = 6
#: shortest and longest time between two wakes, whatever the threshold (nanoseconds)
_LEAST, _MOST = 1_000_000, 3_600_000_000_000
#: holds of steps remembered
_REMEMBERED = 256


class Hold:
    """What is known of a step or callback that runs; it marks the frame of a callback, and holds numbers only."""

    __slots__ = ("cpu", "delay", "looks", "seen", "since", "step", "task")

    def __init__(self, task: int, step: int, since: int, now: int) -> None:
        self.task = task
        self.step = step
        self.since = since
        #: looks taken, or passed over
        self.looks = 0
        #: when it was first seen, and the thread's CPU time and wait for a processor then
        self.seen = now
        self.cpu: int | None = None
        self.delay: int | None = None

    def resume(self, since: int, now: int) -> None:
        """From now on only the time since then counts."""
        self.since, self.seen, self.looks = since, now, 0

    def measure(self, here: Here, due: bool) -> None:
        """Note what the thread has used so far; `due`: it is to be looked at now, what was known before must do.

        To read the delay lets the GIL go, and the hold may be over before it is looked at.
        """
        if due:
            self.seen, self.cpu = here.sampled
        else:
            self.cpu = private.cpu_time(here.cpu)
            self.delay = private.run_delay(here.native)

    def __call__(self, frame: Any, event: str, arg: Any) -> None:
        """A debugger that traces the marked frame calls this."""


class Late:
    """One wake of the watchdog: when it should have come, when it came, how it waited meanwhile."""

    __slots__ = ("due", "now", "switches")

    def __init__(self, due: int, now: int, switches: int | None) -> None:
        self.due = due
        self.now = now
        self.switches = switches


class Watchdog:
    """Looks from a daemon thread of its own. `threshold` is nanoseconds."""

    def __init__(self, core: Core, threshold: int, stacks: bool) -> None:
        self._core = core
        self._threshold = threshold
        self._pause = min(max(threshold, _LEAST), _MOST)
        self._stacks = stacks
        self._collector = Collector(core)
        #: what others see while it is kept from looking itself
        self.glances = Glances(core, threshold, stacks)
        self._thread: threading.Thread | None = None
        self._starting = allocate_lock()
        self._installed = False
        self._stopping = False
        self._starter = Starter()
        #: it sleeps until somebody rings, and when somebody did
        self._deep = False
        self._roused = 0
        self._bell = core.bell()
        self._holds: dict[tuple[int, int, int], Hold] = {}
        #: since when the step ran that was looked at last on each thread
        self._looked: dict[int, int] = {}
        #: how often it woke, and how many looks it took
        self.wakes = 0
        self.looks = 0

    # ------------------------------------------------------------ on and off

    def install(self) -> None:
        """The thread starts with the first loop or step."""
        self._collector.install()
        self._installed = self._core.dozing = True
        self._core.rouse = self.rouse

    def remove(self) -> None:
        """Take the hook off; the thread is stopped by `stop`."""
        self._collector.remove()
        self._installed = self._core.dozing = False

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def rouse(self) -> None:
        """Something begins to run on a loop's thread. Called there: it waits for nothing."""
        self._core.dozing = False
        if self._thread is None:
            try:
                self._core.dozing = not self._start()
                self._starter.tell()
            except Exception:
                self._core.fail()
        elif self._deep:
            self._roused = clock()
            self._bell.ring()

    def _start(self) -> bool:
        """False where the system refuses the thread: to be asked again."""
        if not self._starting.acquire(False):  # another loop's thread is at it
            return True
        try:
            if self._thread is None and self._installed:
                self._stopping = False
                self._thread = self._starter.start(self._run, "loopscope-watchdog")
                return self._thread is not None
        finally:
            self._starting.release()
        return True

    def stop(self, timeout: float) -> bool:
        """Stop and join the thread within `timeout` seconds; what runs next on a loop's thread starts it again."""
        thread = self._thread
        if thread is not None:
            self._stopping = True
            self._bell.ring()
            thread.join(timeout)
            if thread.is_alive():
                return False
            await_exit(thread)
            self._thread = None
        self._core.dozing = self._installed
        return True

    def forked(self) -> None:
        """In a forked child there is no thread of the parent's."""
        self._thread = None
        self._deep = False
        self.glances.due = None
        self.glances.clear()
        self._starting, self._bell = allocate_lock(), self._core.bell()
        self._holds.clear()
        self._looked.clear()
        own = enter()
        own.identify()
        kept = own.ident in self._core.threads
        self._core.threads.clear()
        self._core.left.clear()
        if kept:
            self._core.threads[own.ident] = own
        self._core.dozing = self._installed

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        core = self._core
        self._thread = threading.current_thread()  # whoever starts it may be interrupted before it knows the thread
        try:
            due = clock()
            switches = private.switches()
            while core.on:
                off = uncollected.begin()
                try:
                    now = clock()
                    self.wakes += 1
                    roused, self._roused = self._roused, 0
                    if roused:
                        due = min(due, roused)
                    before, switches = switches, private.switches()
                    following = self._pass(Late(min(due, now), now, _since(before, switches)))
                    self.glances.clear()
                finally:
                    if off:
                        uncollected.end()
                if self._stopping:
                    break
                idle = following == 0
                if idle and core.dozing:  # twice in a row, and nothing ran meanwhile: sleep until roused
                    due = _MOST + now
                    self.glances.due = None
                    self._deep = True
                    if core.dozing:  # asked anew: who rouses clears it, and then looks whether to ring
                        self._bell.wait()
                    self._deep = False
                    continue
                core.dozing = idle
                self.glances.due = due = following or now + self._pause
                self._bell.wait(max(due - clock(), 0) / 1e9)
        except Exception:
            core.fail()
        finally:
            self.glances.due = None
            self.glances.clear()
            self._holds.clear()
            self._looked.clear()

    def _pass(self, late: Late) -> int:
        """Look at every loop's thread. When the next pass is due; 0 where all are idle."""
        now, core = late.now, self._core
        following = 0
        while core.left:
            self._missed(core.left.popleft(), late, now)
        for here in list(core.threads.values()):
            life = here.life
            if life is not None:
                due = self._step(here, life, late)
            elif here.ident not in core.running:
                continue
            elif polling := here.polling:
                self._missed(here, late, polling)
                # It waits for something, or for the GIL: the records tell whether a task was ready meanwhile.
                self._missed(here, Late(max(late.due, polling), now, late.switches), now)
                due = 0
            else:
                due = self._callback(here, late)
            here.sampled = now, private.cpu_time(here.cpu)
            if due:
                due = min(max(due, now + self._pause // 2), now + self._pause)
                following = min(following, due) if following else due
        return following

    def _step(self, here: Here, life: Life, late: Late) -> int:
        """A step runs, as it seems. When to look again."""
        since, index = life.started, life.index
        if not since or life.started != since:
            self._missed(here, late, late.now)
            return late.now + self._pause
        key = life.id, index, since
        hold = self._holds.get(key)
        if hold is None:
            if len(self._holds) >= _REMEMBERED:
                del self._holds[next(iter(self._holds))]
            hold = self._holds[key] = Hold(life.id, index, since, late.now)
            hold.measure(here, self._due(hold, late.now))
        if hold.since < self._looked.get(here.ident, 0):  # what held it was a step within this one, which is over
            hold.resume(here.ended, late.now)
            hold.measure(here, self._due(hold, late.now))
        if self._due(hold, late.now):
            stack = self._read(here.ident).stack
            if here.life is life and life.started == since and life.index == index:
                self._looked[here.ident] = hold.since
                self._look(here, hold, late, stack)
            else:
                self._missed(here, late, late.now)
        if since > late.due:
            self._missed(here, late, since)
        return hold.since + (self._threshold << hold.looks)

    def _callback(self, here: Here, late: Late) -> int:
        """No step runs. When to look again, 0 where the loop is idle."""
        stack, busy, holder = self._read(here.ident)
        if not busy:
            self._missed(here, late, late.now)
            return 0
        if holder is None or here.life is not None:  # a step that has just ended, or not yet begun
            self._missed(here, late, late.now)
            return late.now + self._pause
        hold = holder.f_trace
        fresh = hold is None
        if fresh:
            kept = Measured(0, self._threshold, late.now - late.due, interval=_interval()).kept
            hold = Hold(0, -1, max(late.due, here.polled) if kept else late.now, late.now)
            holder.f_trace = hold
        del holder  # what follows lets the GIL go
        if type(hold) is not Hold:  # a debugger's
            return late.now + self._pause
        if fresh:
            hold.measure(here, self._due(hold, late.now))
        if self._due(hold, late.now):
            self._look(here, hold, late, stack)
        return hold.since + (self._threshold << hold.looks)

    def _due(self, hold: Hold, now: int) -> bool:
        return hold.looks < LOOKS and now - hold.since >= self._threshold << hold.looks

    def _read(self, ident: int) -> stacks.Seen:
        try:
            return stacks.read(private.current_frames().get(ident), self._stacks)
        except Exception:
            return stacks.IDLE

    # ------------------------------------------------------------ what it tells

    def _look(self, here: Here, hold: Hold, late: Late, stack: tuple[Frame, ...]) -> None:
        now, held = late.now, late.now - hold.since
        # Until it was held the thread was idle, if the sample is old.
        window = now - hold.seen if hold.since - hold.seen < self._threshold else held
        while self._due(hold, now):
            hold.looks += 1
        cpu = _since(hold.cpu, private.cpu_time(here.cpu))
        delay = None
        if cpu is not None and 2 * cpu < window:  # to read it lets the GIL go
            delay = _since(hold.delay, private.run_delay(here.native))
        kept = max(0, now - max(late.due, hold.since))
        collected = self._collector.within(hold.since, now)
        cause = classify(
            Measured(held, self._threshold, kept, late.switches, _interval(), collected, window, cpu, delay)
        )
        self._write(Look(here.ident, here.loop, hold.task, hold.step, hold.since, now, cause, stack))

    def _missed(self, here: Here, late: Late, end: int) -> None:
        """The watchdog was kept from running; what held the thread then is over, and told by its time alone."""
        held = end - late.due
        seen = Measured(
            held, self._threshold, held, late.switches, _interval(),
            self._collector.within(late.due, end), held,
        )  # fmt: skip
        if not seen.kept or held <= 0:
            return
        cause = classify(seen)
        saw = self.glances.of(here)
        if saw is None:
            self._write(Look(here.ident, here.loop, -1, -1, late.due, end, cause, ()))
        else:
            self._write(Look(here.ident, here.loop, saw.task, saw.step, saw.since, saw.time, cause, saw.stack))

    def _write(self, look: Look) -> None:
        self.looks += 1
        self._core.buffer.put_vital((LOOK, look))


def _interval() -> int:
    return int(sys.getswitchinterval() * 1e9)


def _since(before: int | None, now: int | None) -> int | None:
    return None if before is None or now is None else now - before
