"""On, but blind: what loopscope cannot see is said once, within 10 seconds of a running loop."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.ground.receiver import Receiver
from tests.processes.program import Program, to

BLIND = "loopscope is on but cannot see all: "

PROGRAM = """
import asyncio, sys
{head}
async def beside():
    while True:
        await asyncio.sleep(0.2)
async def main():
    {begin}
    task = asyncio.ensure_future(beside())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    task.cancel()
loop = {loop}()
print("runs", flush=True)
loop.run_until_complete(main())
loop.close()
"""

LOOPS = {
    # the C Task's own way to the ready queue, past every hook
    "bypass": """
class Loop(asyncio.SelectorEventLoop):
    def call_soon(self, callback, *args, context=None):
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle
""",
    "super": """
class Loop(asyncio.SelectorEventLoop):
    def call_soon(self, callback, *args, context=None):
        return super().call_soon(callback, *args, context=context)
""",
    "plain": "Loop = asyncio.SelectorEventLoop",
}

REPLACE = """
    original = asyncio.BaseEventLoop.call_soon
    asyncio.BaseEventLoop.call_soon = lambda self, *args, **options: original(self, *args, **options)
"""
# Somebody puts back what was there before loopscope came.
RESTORE = """
    asyncio.BaseEventLoop.call_soon = plain
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def watch(receiver: Receiver, kind: str, begin: str = "pass") -> tuple[list[str], str]:
    """What is told in a loop's first seconds, and what at its end."""
    head = "plain = asyncio.BaseEventLoop.call_soon\n" + LOOPS[kind]
    program = Program(PROGRAM.format(head=head, begin=begin.strip() or "pass", loop="Loop"), to(receiver))
    assert program.hear() == "runs"
    time.sleep(5)
    program.say("")
    ended = program.end()
    assert ended.code == 0
    return [line for line in ended.told if line.startswith(BLIND)], ended.err


def test_loop_class_that_goes_past_the_gate(receiver: Receiver) -> None:
    told, _ = watch(receiver, "bypass")
    assert told == [BLIND + "the event loop __main__.Loop has a call_soon of its own"]


def test_loop_class_that_calls_super(receiver: Receiver) -> None:
    told, err = watch(receiver, "super")
    assert (told, err) == ([], "")
    names = {span.name for span in receiver.spans()}
    assert {"task main", "task beside", "step main", "step beside"} <= names


def test_plain_loop(receiver: Receiver) -> None:
    assert watch(receiver, "plain") == ([], "")


@pytest.mark.parametrize("begin", [RESTORE, REPLACE])
def test_call_soon_replaced_while_a_loop_runs(receiver: Receiver, begin: str) -> None:
    """Wrapped or undone: loopscope cannot know which, and says that it was replaced."""
    told, _ = watch(receiver, "plain", begin)
    assert told == [BLIND + "BaseEventLoop.call_soon was replaced after loopscope wrapped it"]
