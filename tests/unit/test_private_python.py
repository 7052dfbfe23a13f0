"""What capture touches of asyncio's and CPython's insides is where it was: a test for each name."""

from __future__ import annotations

import asyncio
import concurrent.futures
import concurrent.futures.thread
import gc
import inspect
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from traceback import FrameSummary
from typing import Any

import pytest
import uvloop

from loopscope.capture import private
from loopscope.threads import await_exit


async def two_steps(future: asyncio.Future[None]) -> None:
    """Wait once."""
    await future


def scheduled(make: Callable[..., asyncio.Task[None]]) -> list[tuple[Any, tuple[Any, ...]]]:
    """What a task of two steps gives to `call_soon`, in order."""
    seen: list[tuple[Any, tuple[Any, ...]]] = []

    class Loop(asyncio.SelectorEventLoop):
        def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
            seen.append((callback, args))
            return super().call_soon(callback, *args, context=context)

    loop = Loop()
    try:
        future = loop.create_future()
        task = make(two_steps(future), loop=loop)
        loop.call_later(0, future.set_result, None)
        loop.run_until_complete(task)
    finally:
        loop.close()
    return [(callback, args) for callback, args in seen if getattr(callback, "__self__", None) is task]


def test_what_a_c_task_schedules() -> None:
    """A wrapper for the first step, a builtin method for the wake; both know their task, the wake its future."""
    assert private.Task is not private.PyTask
    (first, no_args), (wake, args) = scheduled(private.Task)
    assert (type(first).__name__, no_args) == (private.STEP_WRAPPER, ())
    assert (type(wake), wake.__name__) == (private.BUILTIN, private.WAKEUP)
    assert isinstance(args[0], private.FUTURES)


def test_what_ends_a_sleep() -> None:
    """A function that is given to a timer with the future on which it waits."""
    seen: list[tuple[Any, ...]] = []

    class Loop(asyncio.SelectorEventLoop):
        def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
            seen.append((callback, *args))
            return super().call_at(when, callback, *args, context=context)

    loop = Loop()
    try:
        loop.run_until_complete(asyncio.sleep(1e-6, 7))
    finally:
        loop.close()
    ((ends, future, result),) = seen
    assert ends is private.END_OF_SLEEP and isinstance(future, private.FUTURES) and result == 7


def test_what_a_python_task_schedules() -> None:
    """Its `__step`, and for a wake its `__wakeup` or the C task's."""
    (first, no_args), (wake, args) = scheduled(private.PyTask)
    assert private.PY_STEP is not None and private.PY_WAKEUP is not None
    assert (first.__func__, no_args) == (private.PY_STEP, ())
    assert getattr(wake, "__func__", None) is private.PY_WAKEUP or wake.__name__ == private.WAKEUP
    assert isinstance(args[0], private.FUTURES)


@pytest.mark.parametrize("kind", [private.Task, private.PyTask])
def test_the_insides_of_a_task(kind: Any) -> None:
    """What it waits for, whether it is to be cancelled, how it failed; and it takes an attribute of ours."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        task = kind(two_steps(future), loop=loop)
        assert private.awaited(task) is None
        task._loopscope_test = "ours"
        await asyncio.sleep(0)
        assert private.awaited(task) is future
        assert task._must_cancel is False
        future.set_exception(ValueError("theirs"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert str(private.failure(task)) == "theirs"
        assert task._loopscope_test == "ours"
        doomed = kind(two_steps(loop.create_future()), loop=loop)
        doomed.cancel()
        assert doomed._must_cancel is True
        told: list[str] = []
        loop.set_exception_handler(lambda _, context: told.append(context["message"]))
        del task
        gc.collect()
        assert told == ["Task exception was never retrieved"], "looking at it has not silenced the warning"
        await asyncio.gather(doomed, return_exceptions=True)

    asyncio.run(main())


def test_a_loop_takes_an_attribute() -> None:
    """Loops of asyncio do."""
    loop = asyncio.new_event_loop()
    loop._loopscope_test = 1  # type: ignore[attr-defined]
    loop.close()


def test_gather() -> None:
    """Its future's type."""

    async def main() -> None:
        assert type(asyncio.gather(asyncio.sleep(0))).__name__ == private.GATHERING

    asyncio.run(main())


@pytest.mark.parametrize("kind", private.TASKS)
def test_what_a_cancelled_task_s_coroutine_did(kind: Any) -> None:
    """It raised a CancelledError, its own or another's; or it returned, and its task was cancelled all the same."""
    told: dict[str, bool] = {}

    async def main() -> None:
        loop = asyncio.get_running_loop()
        dead = loop.create_future()
        dead.cancel("message")

        async def returns() -> None:
            task.cancel()

        async def raises() -> None:
            raise asyncio.CancelledError

        for coroutine in returns(), raises(), asyncio.wait_for(dead, None), asyncio.sleep(9):
            task = kind(coroutine, loop=loop)
            if coroutine.__name__ == "sleep":
                loop.call_soon(task.cancel, "message")
            task.add_done_callback(lambda task: told.update({task.get_coro().__name__: private.raised_cancelled(task)}))
            await asyncio.wait([task])
            assert task.cancelled()

    asyncio.run(main())
    assert told == {"returns": False, "raises": True, "wait_for": True, "sleep": True}


def test_what_each_version_has() -> None:
    """Written out."""
    assert private.CANCELLING == hasattr(asyncio.Task, "cancelling") == (sys.version_info >= (3, 11))
    assert private.EAGER == hasattr(asyncio, "eager_task_factory") == (sys.version_info >= (3, 12))
    if sys.version_info >= (3, 11):
        assert inspect.isfunction(getattr(asyncio.Timeout, private.ON_TIMEOUT))

    async def coroutine() -> None:
        value = object()
        await asyncio.sleep(0)
        del value

    held: Coroutine[Any, Any, None] = coroutine()
    held.send(None)
    frame: Any = held.cr_frame  # type: ignore[attr-defined]
    assert (frame.f_locals is frame.f_locals) == private.LOCALS_SNAPSHOT
    held.close()


def test_who_runs() -> None:
    """The running loop and task, without an error where there is none."""
    assert private.running_loop() is None

    async def main() -> None:
        assert private.running_loop() is asyncio.get_running_loop()
        assert private.current_task() is asyncio.current_task() is not None

    asyncio.run(main())


def test_thread_names() -> None:
    """Without a dummy for a thread that is not threading's."""
    assert private.thread_name(threading.get_ident()) == threading.current_thread().name
    before = threading.enumerate()
    assert private.thread_name(-1) == "thread--1"
    assert threading.enumerate() == before


def test_the_hook_at_the_end_of_threads() -> None:
    """It is there, and takes a call."""
    assert callable(threading._register_atexit)  # type: ignore[attr-defined]


def test_the_source_traceback_of_a_handle() -> None:
    """A list in debug mode, from which our frames can be taken."""
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    handle = loop.call_soon(print)
    traceback = handle._source_traceback  # type: ignore[attr-defined]
    theirs = list(traceback)
    assert any(frame.filename == __file__ for frame in theirs)
    traceback.insert(1, FrameSummary(inspect.getfile(private), 1, "call_soon", lookup_line=False))
    private.trim(handle)
    assert handle._source_traceback == theirs  # type: ignore[attr-defined]
    handle.cancel()
    loop.close()


class Holds:
    """Waits in a method."""

    async def waits(self, first: int, second: str = "second") -> None:
        """Suspend once, with more locals than arguments."""
        third = {}  # type: ignore[var-annotated]
        await asyncio.sleep(0)
        del third


@pytest.mark.parametrize("framed", [False, True])
def test_the_locals_of_a_suspended_coroutine(framed: bool) -> None:
    """Arguments are found by their position, whether or not somebody looked at the frame."""
    holds = Holds()
    coroutine: Any = holds.waits(1)
    coroutine.send(None)
    if framed:
        assert coroutine.cr_frame.f_locals["first"] == 1
        coroutine.cr_frame.f_locals.clear() if private.LOCALS_SNAPSHOT else None
    assert [private.argument(coroutine, position) for position in range(3)] == [holds, 1, "second"]
    things = private.locals_of(coroutine)
    start = next(number for number, thing in enumerate(things) if thing is holds)
    assert things[start : start + 4] == [holds, 1, "second", {}]
    coroutine.close()


def test_what_locks_and_queues_keep() -> None:
    """How many wait, how many items there are and may be."""

    async def main() -> None:
        lock, semaphore, event, condition = asyncio.Lock(), asyncio.Semaphore(0), asyncio.Event(), asyncio.Condition()
        assert [private.waiters(thing) for thing in (lock, semaphore, event, condition)] == [0] * 4
        await lock.acquire()
        await condition.acquire()
        waits = [lock.acquire(), semaphore.acquire(), event.wait(), condition.wait()]
        tasks = [asyncio.create_task(wait) for wait in waits]
        await asyncio.sleep(0)
        assert [private.waiters(thing) for thing in (lock, semaphore, event, condition)] == [1] * 4
        event.set()
        event.clear()
        assert private.waiters(event) == 0, "it was released, and did not run yet"
        late = asyncio.create_task(event.wait())
        await asyncio.sleep(0)
        assert private.waiters(event) == 1
        late.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for kind in (asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue):
            queue: Any = kind(3)
            queue.put_nowait(1)
            assert private.queue_size(queue) == (1, 3)

    asyncio.run(main())


def test_streams_and_gather() -> None:
    """A stream's transport, a gather's children."""

    async def main() -> None:
        reader = asyncio.StreamReader()
        assert private.transport(reader) is None

        class Closed(asyncio.Transport):
            def is_closing(self) -> bool:
                return True

        transport = Closed()
        writer = asyncio.StreamWriter(transport, asyncio.Protocol(), None, asyncio.get_running_loop())
        assert private.transport(writer) is transport
        gathered = asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
        assert type(gathered) is private.GatheringFuture and private.children(gathered) == 2
        await gathered

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
def test_timeouts() -> None:
    """When it expires, while it is entered; a suspended coroutine's stack shows it."""

    async def main() -> None:
        async def waits() -> None:
            async with asyncio.timeout(7):
                await asyncio.sleep(3)

        loop = asyncio.get_running_loop()
        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        things = private.locals_of(task.get_coro())
        held = [getattr(thing, "__self__", thing) for thing in things]
        (timeout,) = {thing for thing in held if type(thing) is private.Timeout}
        assert 6 < private.expiry(timeout) - loop.time() <= 7  # type: ignore[operator]
        task.cancel()
        await asyncio.wait([task])
        assert private.expiry(timeout) is None

    asyncio.run(main())


def test_wait_for() -> None:
    """Whether it waits in the calling task; who cancels where it does not."""
    names = asyncio.wait_for.__code__.co_names
    assert ("timeouts" in names) == private.WAIT_FOR_INLINE
    assert private.CANCEL_AND_WAIT in names
    assert private.CANCEL_AND_WAIT in vars(asyncio.tasks)


def test_cancel_messages() -> None:
    """A future keeps what it was cancelled with."""
    loop = asyncio.new_event_loop()
    for future in (loop.create_future(), getattr(asyncio.futures, "_PyFuture", asyncio.Future)(loop=loop)):
        assert private.cancel_message(future) is None
        future.cancel("enough")
        assert private.cancel_message(future) == "enough"
    loop.close()


def test_thread_pools() -> None:
    """Their work items: made per submission, and run in the thread."""
    seen: list[Any] = []
    item = concurrent.futures.thread._WorkItem
    run = item.run

    def watch(self: Any, *args: Any) -> None:
        seen.append((private.work(self), threading.get_ident()))
        run(self, *args)
        seen.append(private.raised(self.future))

    item.run = watch  # type: ignore[method-assign]
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            error = pool.submit(int, "seven").exception()
    finally:
        item.run = run  # type: ignore[method-assign]
    (work, thread), raised = seen
    assert tuple(work) == (int, ("seven",)) and thread != threading.get_ident()
    assert raised is error is not None


def test_how_results_come_to_the_loop() -> None:
    """By `call_soon_threadsafe` of a function with this code, the future and its source."""
    seen: list[Any] = []

    class Loop(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
            if getattr(callback, "__code__", None) is private.SET_STATE:
                seen.append(args)
            return super().call_soon_threadsafe(callback, *args, context=context)

    loop = Loop()
    source: concurrent.futures.Future[int] = concurrent.futures.Future()
    future = asyncio.wrap_future(source, loop=loop)
    source.set_result(1)
    assert loop.run_until_complete(future) == 1
    loop.close()
    assert private.SET_STATE is not None and seen == [(future, source)]


@pytest.mark.parametrize("kind", private.TASKS, ids=lambda kind: kind.__module__)
def test_who_waits_for_a_task(kind: Any) -> None:
    """Its waiting task, and what gather() made, which another one waits for."""

    async def main() -> None:
        async def waits() -> None:
            await child

        async def gathers() -> None:
            await asyncio.gather(child, asyncio.sleep(0.01))

        loop = asyncio.get_running_loop()
        child = kind(asyncio.sleep(0.01), loop=loop)
        first, second = kind(waits(), loop=loop), kind(gathers(), loop=loop)
        child.add_done_callback(lambda _: first)
        assert list(private.waiting_for(child)) == []
        await asyncio.sleep(0)
        task, gathered = private.waiting_for(child)
        assert task is first and list(private.waiting_for(first)) == []
        assert type(gathered) is private.GatheringFuture and list(private.waiting_for(gathered)) == [second]
        await asyncio.wait([first, second])

        assert private.GATHERED is not None
        cells = tuple(types.CellType(None) for _ in private.GATHERED.co_freevars)
        future = loop.create_future()
        future.add_done_callback(types.FunctionType(private.GATHERED, {}, None, None, cells))
        assert list(private.waiting_for(future)) == [], "gather() has not made it yet"

    asyncio.run(main())


def test_who_warns_of_a_coroutine_that_was_never_awaited() -> None:
    """A function of the module `warnings`, looked up there by C."""
    seen: list[Any] = []
    original = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
    warnings._warn_unawaited_coroutine = lambda coroutine: seen.append(coroutine.__name__)  # type: ignore[attr-defined]
    try:
        two_steps(None)  # type: ignore[arg-type,unused-coroutine]
    finally:
        warnings._warn_unawaited_coroutine = original  # type: ignore[attr-defined]
    assert seen == ["two_steps"]


def test_what_is_asked_of_the_system() -> None:
    """A thread's CPU time, its wait for a processor, how often it gave its processor away; None once it is gone."""
    linux = sys.platform.startswith("linux")
    assert (private.THREAD_CPU, private.SWITCHES) == (True, True) or not linux
    told: list[tuple[int | None, int]] = []

    def work() -> None:
        clock = private.cpu_clock(threading.get_ident())
        used, waited = private.cpu_time(clock), private.run_delay(threading.get_native_id())
        given = private.switches()
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        time.sleep(0.001)
        after = private.cpu_time(clock)
        if linux:
            assert used is not None and after is not None and given is not None
            assert 20_000_000 <= after - used < 1_000_000_000
            assert (private.switches() or 0) > given
            if private.RUN_DELAY:  # whose kernel may keep no account of it
                accounts = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()[0] != "0"
                assert (waited is not None) == accounts
        told.append((clock, threading.get_native_id()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    ((clock, native),) = told
    await_exit(thread)
    assert private.cpu_time(clock) is None
    assert private.run_delay(native) is None


def test_a_thread_that_waits_for_the_gil_gives_its_processor_away_each_interval() -> None:
    """That is how the watchdog knows what it waited for."""
    given: list[int] = []
    begun = threading.Event()

    def waits() -> None:
        before, start = private.switches() or 0, time.perf_counter()
        begun.set()
        time.sleep(0.001)
        given.append(
            int(((private.switches() or 0) - before) / ((time.perf_counter() - start) / sys.getswitchinterval()) * 100)
        )

    numbers = [str(number * 7919 % 1_000_003) for number in range(400_000)]
    for _ in range(4):
        thread = threading.Thread(target=waits)
        begun.clear()
        thread.start()
        begun.wait()
        sorted(numbers)
        thread.join()
        if private.SWITCHES and given[-1] > 50:
            break
    assert not private.SWITCHES or given[-1] > 50, f"per cent of the intervals: {given}"


def test_frames_where_there_are_several_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython looks at all their threads, which run meanwhile where they have a GIL of their own: a crash."""
    here = threading.get_ident()
    interpreters = types.SimpleNamespace(list_all=lambda: [0])
    monkeypatch.setitem(sys.modules, "_interpreters", interpreters)
    assert here in private.current_frames()
    interpreters.list_all = lambda: [0, 1]
    assert private.current_frames() == {}


def test_the_frames_of_loops() -> None:
    """A callback stands in Handle._run, that in _run_once, that in run_forever; a frame takes a mark, and loses it."""
    codes: list[Any] = []
    marks: list[Any] = []

    def callback() -> None:
        frame: Any = sys._getframe()
        marks.append(frame.f_trace)
        frame.f_trace = print
        while frame is not None:
            codes.append(frame.f_code)
            frame = frame.f_back

    loop = asyncio.SelectorEventLoop()
    for _ in range(2):
        loop.call_soon(callback)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert codes[1:4] == [private.HANDLE_RUN, private.LOOP_RUN[1], private.LOOP_RUN[0]]
    assert marks == [None, None]


def test_the_coroutine_around_that_of_uvloop_run() -> None:
    """It is no frame of the application's."""
    seen: list[bool] = []

    async def main() -> None:
        frame: Any = sys._getframe()
        seen.extend(private.is_runner(each.f_code) for each in (frame, frame.f_back))

    uvloop.run(main())
    assert seen == [False, True]
