"""What stands in a function's place is declared, called, copied and pickled as that function is."""

from __future__ import annotations

import asyncio
import copy
import inspect
import os
import pickle
import signal
from typing import Any

import pytest

from tests.noninterference.both import Log, both
from tests.support import LOOPS, recording

loops = pytest.mark.parametrize("loop", LOOPS)


class Text:
    """What can be seen of a method's declaration."""

    def __init__(self, method: Any) -> None:
        self.told = [getattr(method, name, None) for name in ("__name__", "__qualname__", "__module__", "__doc__")]
        try:
            self.told.append(str(inspect.signature(method)))
        except ValueError as error:  # uvloop's have none
            self.told.append(type(error).__name__)


METHODS = (
    "call_soon",
    "call_soon_threadsafe",
    "call_at",
    "call_later",
    "create_task",
    "run_in_executor",
    "run_forever",
)


@loops
@pytest.mark.parametrize("method", METHODS)
def test_declarations_of_a_loops_methods(loop: str, method: str) -> None:
    """As without: features are told by signatures, and mocks made of them."""

    async def program(log: Log) -> None:
        log += [str(line) for line in Text(getattr(asyncio.get_running_loop(), method)).told]

    both(program, loop, steps=0)


@loops
@pytest.mark.parametrize(
    ("method", "arguments", "options"),
    [
        ("call_soon", (), {}),
        ("call_soon", (print,), {"arg": 1}),
        ("call_soon", (print,), {"late": 1}),
        ("call_soon_threadsafe", (), {}),
        ("call_at", (1,), {}),
        ("call_later", (1, print), {"late": 1}),
        ("create_task", (), {}),
        ("run_in_executor", (), {}),
    ],
)
def test_calls_that_are_refused(loop: str, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    async def program(log: Log) -> None:
        try:
            getattr(asyncio.get_running_loop(), method)(*arguments, **options)
        except TypeError as error:
            log.append(str(error) if loop == "asyncio" else "TypeError")  # uvloop's are of a compiler's

    assert both(program, loop, steps=0) != []


@pytest.mark.parametrize("function", [os.kill, signal.raise_signal], ids=["kill", "raise_signal"])
def test_functions_that_are_wrapped_can_be_copied_and_pickled(function: Any) -> None:
    name = function.__name__
    owner = os if function is os.kill else signal
    with recording():
        wrapped = getattr(owner, name)
        assert copy.copy(wrapped) is copy.deepcopy(wrapped) is wrapped
        assert pickle.loads(pickle.dumps(wrapped)) is wrapped
        assert repr(wrapped) == repr(function)
        held = type("Held", (), {"function": wrapped})()
        assert held.function is wrapped, "it binds to nothing"
        sent = pickle.dumps(wrapped)
    assert pickle.loads(sent) is function


def test_methods_of_asyncios_loops_can_be_copied_and_pickled() -> None:
    with recording():
        for name in METHODS:
            method = vars(asyncio.BaseEventLoop).get(name)
            if method is not None and name != "call_soon_threadsafe":
                assert copy.copy(method) is copy.deepcopy(method) is pickle.loads(pickle.dumps(method)) is method
