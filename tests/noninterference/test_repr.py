"""The repr of tasks and handles, in debug mode too."""

from __future__ import annotations

import asyncio
import functools
import threading

import pytest

from tests.noninterference.both import Log, both, plain
from tests.scenarios.tasks import failing, quick, stuck
from tests.support import LOOPS


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_tasks(loop: str, debug: bool) -> None:
    async def program(log: Log) -> None:
        tasks = [asyncio.create_task(f(), name=f.__name__) for f in (quick, stuck, failing)]
        tasks[2].add_done_callback(functools.partial(print, end=""))

        def show() -> None:
            log.extend(plain(repr(task)) for task in (*tasks, asyncio.current_task()))
            log.extend(plain(repr(task._callbacks)) for task in tasks)  # type: ignore[attr-defined]

        show()
        await asyncio.sleep(0)
        show()
        tasks[1].cancel()
        show()
        await asyncio.wait(tasks)
        show()

    log = both(program, loop, debug=debug, steps=6)
    assert log[8].startswith("<Task pending name='stuck'") and "wait_for=<Future pending cb=[" in log[8]


@pytest.mark.parametrize("debug", [False, True])
def test_handles(debug: bool) -> None:
    async def program(log: Log) -> None:
        loop = asyncio.get_running_loop()

        def show() -> None:
            log.extend(plain(repr(handle)) for handle in loop._ready)  # type: ignore[attr-defined]

        future = loop.create_future()
        waiting = asyncio.create_task(_await(future))
        show()
        await asyncio.sleep(0)
        future.set_result(1)
        show()
        await waiting
        asyncio.create_task(stuck()).cancel()
        show()
        await asyncio.sleep(0)

    log = both(program, debug=debug, steps=5)
    assert [line.replace("_asyncio.", "").split("(")[0].split(" created")[0] for line in log] == [
        "<Handle <TaskStepMethWrapper object at 0x>",
        "<Handle Task.task_wakeup",
        "<Handle <TaskStepMethWrapper object at 0x>",
    ]


async def _await(future: asyncio.Future[int]) -> int:
    return await future


def _callbacks() -> dict[str, object]:
    class Thing:
        def method(self, *args: object) -> None: ...

        def __call__(self, *args: object) -> None: ...

        def __repr__(self) -> str:
            return "a thing"

    def function(*args: object) -> None: ...

    return {
        "function": function,
        "lambda": lambda *args: None,
        "method": Thing().method,
        "callable": Thing(),
        "builtin": [].append,
        "class": Thing,
        "partial": functools.partial(function, 1, key=2),
        "partial of partial": functools.partial(functools.partial(function, 1), 2),
        "wrapped": functools.lru_cache(function),
    }


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("kind", _callbacks())
@pytest.mark.parametrize("loop", LOOPS)
def test_callbacks(loop: str, kind: str, debug: bool) -> None:
    """Each kind of callback in each kind of handle; also one that another thread submits, and one of a task's end."""
    callback: object = _callbacks()[kind]

    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        submitted: list[asyncio.Handle] = []
        task = asyncio.create_task(quick())
        await asyncio.sleep(0)
        thread = threading.Thread(target=lambda: submitted.append(running.call_soon_threadsafe(callback, 1)))
        thread.start()
        thread.join()
        handles = (
            running.call_soon(callback, 1, "two"),
            running.call_soon(callback, task),
            running.call_later(1000, callback, 3),
            running.call_at(running.time() + 1000, callback),
            running.call_soon_threadsafe(callback, 4),
            *submitted,
        )
        for handle in handles:
            log.append(_timeless(plain(repr(handle))))
            handle.cancel()
            log.append(_timeless(plain(repr(handle))))

    log = both(program, loop, debug=debug)
    assert len(log) == 12


def _timeless(text: str) -> str:
    return " ".join(word for word in text.split() if not word.startswith(("when=", "created")))


@pytest.mark.parametrize("loop", LOOPS)
def test_equal_timers(loop: str) -> None:
    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        when = running.time() + 1000
        one, two, three = running.call_at(when, print), running.call_at(when, print), running.call_at(when, repr)
        if loop == "asyncio":
            log.append(f"{one == two} {one == three}")
        for handle in (one, two, three):
            handle.cancel()

    assert both(program, loop) == (["True False"] if loop == "asyncio" else [])


@pytest.mark.parametrize("loop", LOOPS)
def test_what_debug_mode_refuses(loop: str) -> None:
    """A coroutine function is no callback, in whatever it is wrapped."""

    class Holder:
        async def method(self) -> None: ...

    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        wrong: dict[str, object] = {
            "function": quick,
            "method": Holder().method,
            "partial": functools.partial(quick),
            "partial of method": functools.partial(Holder().method),
            "number": 7,
        }
        for name, callback in wrong.items():
            for schedule in (
                running.call_soon,
                running.call_soon_threadsafe,
                functools.partial(running.call_later, 1000),
                functools.partial(running.call_at, running.time() + 1000),
            ):
                try:
                    schedule(callback).cancel()
                    log.append(f"{name}: taken")
                except TypeError as error:
                    log.append(f"{name}: {plain(error)}")

    log = both(program, loop, debug=True)
    assert loop != "asyncio" or all("coroutines cannot be used" in line for line in log[:16])
