"""What most tasks of a service are born as does not take the way through Python."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from loopscope.capture import births, coroutines
from loopscope.capture.buffer import Buffer
from loopscope.model import BIRTH
from tests.native.records import gated
from tests.support import LOOPS

native = pytest.importorskip("loopscope.capture.native", exc_type=ImportError)


class Derived(asyncio.Task[Any]):
    """As frameworks have them."""


def decorated(function: Callable[[], Awaitable[None]]) -> Callable[[], Coroutine[Any, Any, None]]:
    """As retries, caches and tracers do it."""

    @functools.wraps(function)
    async def call() -> None:
        await function()

    return call


async def job() -> None:
    """Yields once."""
    await asyncio.sleep(0)


async def other() -> None:
    """Likewise."""
    await asyncio.sleep(0)


@pytest.mark.parametrize("loop", LOOPS)
def test_decorated_functions_and_derived_tasks(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    adopted: list[str] = []

    def adopt(*given: Any) -> Any:
        adopted.append(given[2].get_coro().__qualname__)
        return reference(*given)

    reference = births.adopt
    monkeypatch.setattr(births, "adopt", adopt)
    functions = [decorated(job), decorated(other), decorated(decorated(job)), job]

    async def main() -> None:
        running = asyncio.get_running_loop()
        for _ in range(50):
            await asyncio.gather(
                *(running.create_task(function()) for function in functions), Derived(job(), loop=running)
            )

    buffer = Buffer(100_000)
    with gated(native.NativeCore, buffer, lambda name: True):
        LOOPS[loop](main())
    places = [record[5] for record in buffer.queue if record[0] == BIRTH]
    names = [place.qualname for place in places]
    assert (names.count("job"), names.count("other")) == (200, 50)
    assert len({id(place) for place in places if place.qualname == "other"}) == 1
    assert not {"job", "other"} & {*adopted}


def test_a_renamed_coroutine_is_remembered_by_its_name() -> None:
    def renamed(name: str) -> Coroutine[Any, Any, None]:
        coroutine = job()
        coroutine.__qualname__ = name
        return coroutine

    made = [renamed(name) for name in ("one", "two", "".join(("o", "ne")))]
    first, second, third = map(coroutines.place_of_root, made)
    assert first is third and (first.qualname, second.qualname) == ("one", "two")
    for coroutine in made:
        coroutine.close()


def test_an_endless_name_is_cut() -> None:
    coroutine = job()
    coroutine.__qualname__ = "x" * 10_000
    assert coroutines.place_of_root(coroutine).qualname == "x" * 1_000
    coroutine.close()


def test_a_module_s_name_is_a_plain_text_and_cut() -> None:
    """Whatever class it is of."""

    class Rude(str):
        def __hash__(self) -> int:
            raise RuntimeError

    scope = {"__name__": Rude("m" * 10_000)}
    exec("async def job(): pass", scope)
    coroutine = scope["job"]()  # type: ignore[operator]
    coroutine.__qualname__ = "renamed"
    place = coroutines.place_of_root(coroutine)
    assert type(place.module) is str and place.function == "m" * 1_000 + ".renamed"
    coroutine.close()
