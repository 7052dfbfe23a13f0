"""What matters of a wait: which lock, how full a queue, how long a sleep, which peer, for every kind of wait."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import sys
import time
from typing import Any

import pytest

from tests.ground.spans import Span
from tests.support import LOOPS, Story, checked

loops = pytest.mark.parametrize("loop", LOOPS)

HERE = __file__


def waits(story: Story, name: str) -> list[str]:
    """One line a step of the task of this name: what it awaited, and each `asyncio.wait.*` without the prefix."""
    found = [step for step in story.steps if step.name.split(".")[-1] in (name, f"step {name}")]
    return [told(step) for step in found]


def told(step: Span) -> str:
    """What a step awaited and what was said of that, sorted by name."""
    details = {
        key.removeprefix("asyncio.wait."): value for key, value in step.attributes.items() if "asyncio.wait." in key
    }
    words = [str(step.attributes.get("asyncio.step.awaiting", "-"))]
    for key, value in sorted(details.items()):
        if key == "place":
            value = str(value).replace(HERE, "here")
        words.append(f"{key}={value}")
    return " ".join(words)


def here(offset: int = 0) -> str:
    """The caller's own line, as a wait names it."""
    return f"here:{sys._getframe(1).f_lineno + offset}"


async def _turns(count: int = 2) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@loops
@pytest.mark.parametrize("kind", ["Lock", "Semaphore", "BoundedSemaphore"])
def test_a_lock_convoy(loop: str, kind: str) -> None:
    """Where it was made, how many wait, and who held it."""
    made = ""

    async def main() -> None:
        nonlocal made
        lock, made = getattr(asyncio, kind)(), here()

        async def holder() -> None:
            async with lock:
                await _turns()

        async def first() -> None:
            async with lock:
                pass

        async def second() -> None:
            async with lock:
                pass

        await asyncio.wait([asyncio.create_task(f(), name=f.__name__) for f in (holder, first, second)])

    story = checked(main, loop)
    name = "Lock" if kind == "Lock" else "Semaphore"
    held = [" lock.holder=holder", " lock.holder=first"] if kind == "Lock" else ["", ""]
    assert waits(story, "first") == [f"asyncio.{name}.acquire place={made} waiters=1", f"-{held[0]}"]
    assert waits(story, "second") == [f"asyncio.{name}.acquire place={made} waiters=2", f"-{held[1]}"]
    assert waits(story, "holder") == ["-", "-", "-"]


def releases(lock: asyncio.Lock, others: list[asyncio.Task[None]]) -> None:
    """Wakes the first, which is cancelled before it gets the lock and wakes the next."""
    lock.release()
    others[0].cancel()


def cancels(lock: asyncio.Lock, others: list[asyncio.Task[None]]) -> None:
    """It keeps the lock."""
    others[0].cancel()


@loops
@pytest.mark.parametrize("passes", [releases, cancels])
def test_who_is_cancelled_did_not_get_the_lock(loop: str, passes: Any) -> None:
    """Neither did the canceller hold it, nor who passes it on."""

    async def main() -> None:
        lock = asyncio.Lock()
        others: list[asyncio.Task[None]] = []

        async def holder() -> None:
            await lock.acquire()
            await _turns()
            passes(lock, others)
            await _turns()
            if lock.locked():
                lock.release()

        async def first() -> None:
            async with lock:
                pass

        async def second() -> None:
            async with lock:
                await _turns(1)

        holds = asyncio.create_task(holder(), name="holder")
        await _turns(1)
        others += [asyncio.create_task(f(), name=f.__name__) for f in (first, second)]
        await asyncio.wait([holds, *others])

    story = checked(main, loop)
    assert [step.attributes["asyncio.step.outcome"] for step in story.steps_of("first")] == ["suspended", "cancelled"]
    assert waits(story, "first")[1:] == ["-"]
    assert waits(story, "second")[1:2] == ["-" if passes is releases else "- lock.holder=holder"]


@loops
def test_who_is_cancelled_has_not_seen_the_last(loop: str) -> None:
    """Of what it waited for: the canceller is none of those."""

    async def main() -> None:
        waiting = asyncio.create_task(waiter([asyncio.ensure_future(asyncio.sleep(0.01)) for _ in range(2)]))
        await _turns()
        waiting.cancel()
        await asyncio.wait([waiting])

    async def waiter(them: list[asyncio.Future[None]]) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(them)
        await asyncio.gather(*them)
        await _turns(1)

    story = checked(main, loop)
    said = waits(story, "waiter")
    assert [line.split(" last=")[0] for line in said] == [
        "asyncio.wait count=2", "asyncio.gather count=2", "-", "-"
    ] and [" last=" in line for line in said] == [False, False, True, False]  # fmt: skip


@loops
def test_a_full_and_an_empty_queue(loop: str) -> None:
    places = []

    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(2)
        places.append(here(-1))
        priority: asyncio.PriorityQueue[int] = asyncio.PriorityQueue()
        places.append(here(-1))

        async def puts() -> None:
            for number in range(3):
                await queue.put(number)
            await queue.join()

        async def gets() -> None:
            for _ in range(3):
                await queue.get()
                queue.task_done()
            await priority.get()

        task = asyncio.create_task(puts())
        await _turns()
        other = asyncio.create_task(gets())
        await task
        priority.put_nowait(1)
        await other

    story = checked(main, loop)
    assert waits(story, "puts") == [
        f"asyncio.Queue.put place={places[0]} queue.bound=2 queue.size=2",
        f"asyncio.Event.wait place={places[0]} queue.bound=2 queue.size=1",
        "-",
    ]
    assert waits(story, "gets")[-2] == f"asyncio.Queue.get place={places[1]} queue.bound=0 queue.size=0"


@loops
def test_event_condition_barrier(loop: str) -> None:
    """A condition's lock and a barrier's condition are named by the application's own line too."""
    places: dict[str, str] = {}

    async def main() -> None:
        event, condition = asyncio.Event(), asyncio.Condition()
        places["both"] = here(-1)
        asyncio.current_task().set_name("main")  # type: ignore[union-attr]

        async def waits_for_event() -> None:
            await event.wait()

        async def waits_for_condition() -> None:
            async with condition:
                await condition.wait()

        tasks = [asyncio.create_task(f()) for f in (waits_for_event, waits_for_event, waits_for_condition)]
        await _turns()
        event.set()
        async with condition:
            condition.notify()
            await _turns()
        await asyncio.gather(*tasks)

    story = checked(main, loop)
    assert waits(story, "waits_for_event") == [
        f"asyncio.Event.wait place={places['both']} waiters=1", f"asyncio.Event.wait place={places['both']} waiters=2",
        "-", "-",
    ]  # fmt: skip
    assert waits(story, "waits_for_condition") == [
        f"asyncio.Condition.wait place={places['both']} waiters=1",
        f"asyncio.Lock.acquire place={places['both']} waiters=1",
        "- lock.holder=main",
    ]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.Barrier came with 3.11")
@loops
def test_barrier(loop: str) -> None:
    made = ""

    async def main() -> None:
        nonlocal made
        barrier, made = asyncio.Barrier(2), here()

        async def early() -> None:
            await barrier.wait()

        await asyncio.wait([asyncio.create_task(early()), asyncio.create_task(barrier.wait())])

    assert waits(checked(main, loop), "early")[0] == f"asyncio.Condition.wait place={made} waiters=1"


@loops
def test_sleep(loop: str) -> None:
    """The delay that was asked for, exactly; none for a bare yield and for one that never ends."""

    async def main() -> None:
        await asyncio.sleep(0.00125)
        await asyncio.sleep(0)
        await asyncio.sleep(True and 0.002, "result")
        task = asyncio.create_task(asyncio.sleep(float("inf")))
        await _turns(1)
        task.cancel()

    story = checked(main, loop)
    assert waits(story, "main")[:3] == ["asyncio.sleep sleep.delay=0.00125", "-", "asyncio.sleep sleep.delay=0.002"]
    assert told(next(step for step in story.steps if step.name == "step sleep")) == "asyncio.sleep"


@loops
def test_wait_for(loop: str) -> None:
    async def main() -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.get_running_loop().create_future(), 0.01)

    first = checked(main, loop).steps[0].attributes
    assert 0.005 < first["asyncio.wait.timeout"] <= 0.011
    assert first["asyncio.step.awaiting"] == "asyncio.wait_for"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
@loops
def test_timeout(loop: str) -> None:
    """The next of the deadlines that are entered in the innermost function that has any; none once it is left."""

    async def main() -> None:
        async def inner() -> None:
            await asyncio.sleep(0.001)

        async with asyncio.timeout(50), asyncio.timeout(20) as left:
            await inner()
        async with asyncio.timeout(None):
            await inner()
        assert left.when() is not None
        await inner()

    steps = checked(main, loop).steps
    assert 19.9 < steps[0].attributes["asyncio.wait.timeout"] <= 20.001
    assert [told(step) for step in steps[1:]] == ["asyncio.sleep sleep.delay=0.001"] * 2 + ["-"]


@loops
def test_gather_and_wait(loop: str) -> None:
    """How many, and which task's end let it go on."""

    async def main() -> None:
        async def ends(turns: int) -> None:
            await _turns(turns)

        def tasks() -> list[asyncio.Task[None]]:
            return [asyncio.create_task(ends(turns), name=f"{turns} turns") for turns in (1, 3, 2)]

        await asyncio.gather(*tasks())
        await asyncio.wait(tasks(), timeout=30)

    assert waits(checked(main, loop), "main") == [
        "asyncio.gather count=3",
        "asyncio.wait count=3 last=3 turns timeout=30.0",
        "- last=3 turns",
    ]


@loops
def test_streams(loop: str) -> None:
    """The peer of what is read and written."""
    ports = []

    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ports.append(writer.get_extra_info("peername")[1])
            await reader.readline()
            writer.write(b"answer\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[0])
        await _turns(4)
        writer.write(b"question\n")
        await reader.readline()
        writer.close()
        server.close()

    story = checked(main, loop)
    assert [w for w in waits(story, "main") if "readuntil" in w or "readline" in w] == [
        f"asyncio.StreamReader.readuntil peer=127.0.0.1:{ports[0]}"
    ]
    assert waits(story, "serve")[0] == f"asyncio.StreamReader.readuntil peer=127.0.0.1:{ports[1]}"


class Rude:
    """A transport whose peer cannot be asked for."""

    def get_extra_info(self, name: str) -> str:
        """Never answers."""
        raise OSError("gone")


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        ("/run/socket", " peer=/run/socket"),
        (("::1", 80, 0, 0), " peer=[::1]:80"),
        (None, ""),
        (b"\0abstract", ""),
        (("?",), ""),
    ],
)
def test_peers_of_all_kinds(peer: Any, said: str) -> None:
    class Transport:
        def get_extra_info(self, name: str) -> Any:
            return peer

    assert _of_a_reader(Transport()) == [f"asyncio.StreamReader.read{said}", "-"]


def test_a_peer_that_raises() -> None:
    assert _of_a_reader(Rude()) == ["asyncio.StreamReader.read", "-"]


def _of_a_reader(transport: Any) -> list[str]:
    async def main() -> None:
        reader = asyncio.StreamReader()
        reader._transport = transport  # type: ignore[attr-defined]
        asyncio.get_running_loop().call_soon(reader.feed_data, b"x")
        await reader.read(1)

    return waits(checked(main, "asyncio"), "main")


@loops
def test_a_subprocess(loop: str) -> None:
    async def main() -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, "-Sc", "input()", stdin=asyncio.subprocess.PIPE)
        asyncio.get_running_loop().call_later(0.05, process.stdin.close)  # type: ignore[union-attr]
        await process.wait()
        return process.pid

    story = checked(main, loop)
    assert f"asyncio.subprocess.Process.wait pid={story.result}" in waits(story, "main")  # type: ignore[attr-defined]


def test_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio's own; uvloop's is written in Cython, and shows the future alone. 3.14 does not wait for quick ones."""
    for name in ("getaddrinfo", "getnameinfo"):
        asked = getattr(socket, name)
        monkeypatch.setattr(socket, name, lambda *args, asked=asked: (time.sleep(0.01), asked(*args))[1])

    async def main() -> None:
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        await asyncio.get_running_loop().getnameinfo(("127.0.0.1", 80))

    assert waits(checked(main, "asyncio"), "main")[:2] == [
        "asyncio.getaddrinfo host=localhost", "asyncio.getnameinfo host=127.0.0.1",
    ]  # fmt: skip


@loops
def test_a_chain_of_the_application_s_own(loop: str) -> None:
    """For waits that have nothing of their own to tell: the functions that await each other, outermost first."""

    async def fetch() -> None:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, None)
        await future

    async def page() -> None:
        await fetch()

    async def deep(levels: int) -> None:
        await (deep(levels - 1) if levels else fetch())

    async def main() -> None:
        await fetch()
        await page()
        await deep(20)

    chains = [step.attributes.get("asyncio.wait.chain", "-") for step in checked(main, loop).steps]
    names = [[part.split(".")[-1] for part in chain.split(" > ")] for chain in chains]
    assert names == [["main", "fetch"], ["main", "page", "fetch"], ["main", *["deep"] * 7], ["-"]]


def test_objects_that_refuse_attributes_and_lie_about_themselves() -> None:
    class Slotted(asyncio.Event):
        def __setattr__(self, name: str, value: Any) -> None:
            if name.startswith("_loopscope"):
                raise TypeError("no attributes of others")
            super().__setattr__(name, value)

    class Liar(asyncio.Queue):  # type: ignore[type-arg]
        maxsize = property(lambda self: 1 / 0)  # type: ignore[assignment]

        def qsize(self) -> int:
            raise RuntimeError("asked")

        def _init(self, maxsize: int) -> None:
            self._items: list[Any] = []

        def _get(self) -> Any:
            return self._items.pop()

        def _put(self, item: Any) -> None:
            self._items.append(item)

        def empty(self) -> bool:
            return not self._items

        def full(self) -> bool:
            return False

    async def main() -> None:
        event, queue = Slotted(), Liar()
        loop = asyncio.get_running_loop()
        loop.call_soon(event.set)
        await event.wait()
        loop.call_soon(queue.put_nowait, "item")
        await queue.get()

    event, queue, last = waits(checked(main, "asyncio"), "main")
    assert event.startswith("asyncio.Event.wait") and event.endswith("waiters=1")
    assert (queue, last) == ("asyncio.Queue.get", "-")


def test_older_than_switching_on() -> None:
    """An object that was there before has no place."""

    async def main() -> None:
        asyncio.get_running_loop().call_soon(event.set)
        await event.wait()

    event = asyncio.Event()
    assert waits(checked(main, "asyncio"), "main") == ["asyncio.Event.wait waiters=1", "-"]


def test_in_the_standard_library() -> None:
    """The innermost line of the application's own, not of the library that made the lock for it."""

    async def main() -> None:
        lock = contextlib.ExitStack().enter_context(_locked())
        assert lock._loopscope_place.replace(HERE, "here") == made_inside[0]  # type: ignore[attr-defined]

    checked(main, "asyncio")


LIBRARY = "/site-packages/library.py"


def _library(source: str) -> dict[str, Any]:
    """What this source defines, as a module of an installed package."""
    names: dict[str, Any] = {"asyncio": asyncio}
    exec(compile(source, LIBRARY, "exec"), names)
    return names


@loops
def test_made_by_a_callback_of_a_library(loop: str) -> None:
    """As a protocol's connection_made does: the line that runs the loop, here, did not make it."""
    made = _library("locks = []\ndef connection_made():\n    locks.append(asyncio.Lock())")

    async def main() -> None:
        asyncio.get_running_loop().call_soon(made["connection_made"])
        await asyncio.sleep(0)
        assert [lock._loopscope_place for lock in made["locks"]] == [f"{LIBRARY}:3"]

    checked(main, loop)


@loops
def test_made_by_code_without_a_file(loop: str) -> None:
    """A string's line is nobody's: a spawned process begins with one, and dataclasses write theirs as one."""
    made = _library("def make():\n    return asyncio.Lock()")

    @dataclasses.dataclass
    class Till:
        lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)

    async def main() -> None:
        await asyncio.to_thread(exec, "lock = make()", made)
        assert made["lock"]._loopscope_place == f"{LIBRARY}:2"
        till, line = Till(), here()
        assert till.lock._loopscope_place.replace(HERE, "here") == line  # type: ignore[attr-defined]

    checked(main, loop)


made_inside: list[str] = []


@contextlib.contextmanager
def _locked() -> Any:
    lock = asyncio.Lock()
    made_inside[:] = [here(-1)]
    yield lock
