"""Async generators, lazily finalised ones too, and async comprehensions: they run in the steps of their task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support import LOOPS, checked, family


@pytest.mark.parametrize("loop", LOOPS)
def test_async_for(loop: str) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0.001)
        yield 2

    async def main() -> None:
        assert [number async for number in numbers()] == [1, 2]

    story = checked(main, loop)
    assert story.lines("code.function.name") == [
        f"main 0: start > suspended asyncio.sleep code.function.name={__name__}.{numbers.__qualname__}",
        "main 1: timer > returned code.function.name=None",
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_asend_and_athrow(loop: str) -> None:
    async def echo() -> AsyncIterator[int]:
        got = 0
        while True:
            try:
                await asyncio.sleep(0)
                got = yield got  # type: ignore[misc]
            except ValueError:
                await asyncio.sleep(0.001)
                got = -1

    async def main() -> None:
        generator = echo()
        assert await generator.asend(None) == 0  # type: ignore[attr-defined]
        assert await generator.athrow(ValueError()) == -1  # type: ignore[attr-defined]
        await generator.aclose()  # type: ignore[attr-defined]

    assert checked(main, loop).lines() == [
        "main 0: start > yielded",
        "main 1: yield > suspended asyncio.sleep",
        "main 2: timer > yielded",
        "main 3: yield > returned",
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_anext_with_a_default(loop: str) -> None:
    async def numbers() -> AsyncIterator[int]:
        await asyncio.sleep(0.001)
        yield 1

    async def main() -> None:
        generator = numbers()
        assert [await anext(generator, 0), await anext(generator, 0)] == [1, 0]  # type: ignore[call-overload]

    story = checked(main, loop)
    assert story.lines("code.function.name")[0] == (
        f"main 0: start > suspended asyncio.sleep code.function.name={__name__}.{numbers.__qualname__}"
    )


@pytest.mark.parametrize("loop", LOOPS)
def test_lazily_finalised(loop: str) -> None:
    async def main() -> list[str]:
        done: list[str] = []
        closed = asyncio.Event()

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await asyncio.sleep(0)
                done.append("closed")
                closed.set()

        generator = numbers()
        await generator.__anext__()
        del generator  # the loop's hook makes a task of its aclose()
        await closed.wait()
        return done

    story = checked(main, loop)
    assert story.result == ["closed"]  # type: ignore[attr-defined]
    assert story.lines() == [
        "main 0: start > suspended asyncio.Event.wait",
        "async_generator_athrow 0: start > yielded",
        "async_generator_athrow 1: yield > returned",
        "main 1: task by async_generator_athrow > returned",
    ]
    assert family(story) == ["main: returned", "async_generator_athrow: returned"]


@pytest.mark.parametrize("loop", LOOPS)
def test_comprehension(loop: str) -> None:
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async def main() -> list[int]:
        return [await double(number) for number in range(2)]

    story = checked(main, loop)
    assert story.result == [0, 2]  # type: ignore[attr-defined]
    assert story.lines() == ["main 0: start > yielded", "main 1: yield > yielded", "main 2: yield > returned"]


@pytest.mark.parametrize("loop", LOOPS)
def test_left_open_at_the_end(loop: str) -> None:
    kept: list[AsyncIterator[int]] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            kept.clear()

    async def main() -> None:
        kept.append(numbers())
        await kept[0].__anext__()

    story = checked(main, loop)
    assert story.lines()[0] == "main 0: start > returned"
    assert not any("shutdown" in span.name for span in story.spans)  # the runner's own housekeeping is not shown
    assert kept == []
