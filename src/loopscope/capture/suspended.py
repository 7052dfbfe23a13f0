"""Coroutines and generators suspended at known places: the native core reads from them where they keep their place."""

from __future__ import annotations

import types
from typing import Any


def _generator() -> Any:
    yield
    yield


@types.coroutine
def _pause() -> Any:
    yield


async def _coroutine() -> None:
    await _pause()
    await _pause()


def samples() -> list[tuple[Any, Any]]:
    """Two of each kind, the first of which stands at its first suspension, the second further on.

    No asynchronous generators: a running loop would hear of them.
    """
    pairs = [(_generator(), _generator()), (_coroutine(), _coroutine())]
    for first, second in pairs:
        for resumed in first, second, second:
            resumed.send(None)
    return pairs
