"""Streams and subprocesses: woken by I/O where that is known."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.support import LOOPS, checked, line

#: 3.10 knows a function of a frame by its bare name only
NAMED = sys.version_info >= (3, 11)
_WAKEUP = "StreamReader._wakeup_waiter" if NAMED else "_wakeup_waiter"
_CONNECTED = "BaseSelectorEventLoop._sock_connect_cb" if NAMED else "_sock_connect_cb"


@pytest.mark.parametrize("loop", LOOPS)
def test_streams(loop: str) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def client(address: tuple[str, int]) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"hello\n")
        answer = await reader.readline()
        writer.close()
        return answer

    async def main() -> bytes:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        answer = await client(server.sockets[0].getsockname())
        server.close()
        return answer

    story = checked(main, loop)
    assert story.result == b"hello\n"  # type: ignore[attr-defined]
    assert [line(step) for step in story.steps_of("handle")] == [
        "handle 0: start > suspended asyncio.StreamReader.readuntil",
        f"handle 1: io by {_WAKEUP} > returned",
    ]
    assert [line(step) for step in story.steps_of("main")] == STREAMS[loop]


STREAMS = {
    "asyncio": [
        "main 0: start > suspended asyncio.BaseEventLoop.create_server",
        "main 1: callback by _done_callback > yielded",
        "main 2: yield > suspended asyncio.selector_events.BaseSelectorEventLoop.sock_connect",
        f"main 3: io by {_CONNECTED} > suspended asyncio.BaseEventLoop.create_connection",
        "main 4: callback by _set_result_unless_cancelled > suspended asyncio.StreamReader.readuntil",
        f"main 5: io by {_WAKEUP} > returned",
    ],
    "uvloop": [
        "main 0: start > suspended asyncio.start_server",
        "main 1: callback by _done_callback > suspended asyncio.open_connection",
        "main 2: callback > suspended asyncio.StreamReader.readuntil",
        f"main 3: io by {_WAKEUP} > returned",
    ],
}


@pytest.mark.parametrize("loop", LOOPS)
def test_subprocess(loop: str) -> None:
    async def main() -> int:
        process = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.close()
        return await process.wait()

    story = checked(main, loop)
    assert story.result == 0  # type: ignore[attr-defined]
    *starting, ended = (line(step) for step in story.steps_of("main"))
    assert starting == SUBPROCESS[loop]
    assert ended in EXITED[loop]


SUBPROCESS = {
    "asyncio": [
        "main 0: start > suspended asyncio.BaseEventLoop.subprocess_exec",
        "main 1: task by BaseSubprocessTransport._connect_pipes > suspended asyncio.subprocess.Process.wait",
    ],
    "uvloop": [
        "main 0: start > suspended asyncio.create_subprocess_exec",
        "main 1: callback > suspended asyncio.subprocess.Process.wait",
    ],
}

#: who tells of the exit moved between releases of one version: 3.10, 3.11 to 3.13, 3.14
EXITED = {
    "asyncio": [
        "main 2: callback by _process_exited > returned",
        "main 2: callback by BaseSubprocessTransport._call_connection_lost > returned",
        "main 2: io by BaseSubprocessTransport._process_exited > returned",
    ],
    "uvloop": ["main 2: callback > returned"],
}
