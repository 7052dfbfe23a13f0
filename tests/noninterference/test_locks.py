"""Locks, queues and the like, whose creation is noted, look and behave as without."""

from __future__ import annotations

import asyncio
import inspect
import pickle

import pytest

from loopscope.capture import creations
from loopscope.capture.life import PLACE
from tests.noninterference.both import Log, both, plain
from tests.support import LOOPS, recording

KINDS = [
    getattr(asyncio, name) for name in (*creations.KINDS, "BoundedSemaphore", "PriorityQueue") if hasattr(asyncio, name)
]


@pytest.mark.parametrize("loop", LOOPS)
def test_looks(loop: str) -> None:
    """Signature, documentation, names, repr, and the errors of a wrong call."""

    async def program(log: Log) -> None:
        await asyncio.sleep(0)
        for kind in KINDS:
            log.append(
                f"{inspect.signature(kind)} {inspect.signature(kind.__init__)} {kind.__init__.__qualname__} {kind.__doc__}"
            )
            log.append(plain(repr(kind(2) if kind.__name__ == "Barrier" else kind())))
            for arguments in ((), (1, 2, 3, 4), (-1,), ("no",)):
                try:
                    kind(*arguments)
                    log.append("made")
                except Exception as error:
                    log.append(f"{type(error)} {error}")

    both(program, loop)


@pytest.mark.parametrize("kind", KINDS)
def test_off_again(kind: type) -> None:
    """What is made afterwards carries nothing; `__init__` is the class's own."""
    before = kind.__init__  # type: ignore[misc]

    async def main() -> None:
        make = (lambda: kind(2)) if kind.__name__ == "Barrier" else kind
        with recording():
            await asyncio.sleep(0)
            assert hasattr(make(), PLACE)
        assert not hasattr(make(), PLACE)

    asyncio.run(main())
    assert kind.__init__ is before  # type: ignore[misc]


def test_one_made_while_it_is_on_works_when_off() -> None:
    """And can be pickled, as without."""

    async def main() -> None:
        with recording():
            lock = asyncio.Lock()
        async with lock:
            assert lock.locked()
        assert not pickle.loads(pickle.dumps(lock)).locked()

    asyncio.run(main())


def test_slots_and_other_classes_of_the_application_s() -> None:
    class Counted(asyncio.Semaphore):
        def __init__(self, *names: str) -> None:
            super().__init__(len(names))
            self.names = names

    async def program(log: Log) -> None:
        await asyncio.sleep(0)
        counted = Counted("a", "b")
        log.append(plain(counted))
        log.append(", ".join(sorted(name for name in vars(counted) if name != PLACE)))
        async with counted:
            log.append(plain(counted))

    both(program)
