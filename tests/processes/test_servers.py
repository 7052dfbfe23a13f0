"""uvicorn's and gunicorn's worker processes, switched on by the environment alone: what each did arrives."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen, TimeoutExpired

import pytest

from tests.ground.ports import free_ports
from tests.ground.receiver import Protocol, Receiver
from tests.processes.program import CALM, PROTOCOLS, assert_unique, to

#: Each request is a task of its own name, and four steps; the answer tells the process.
APP = """
import asyncio, os
async def answer(name):
    asyncio.current_task().set_name(name)
    for _ in range(3):
        await asyncio.sleep(0.001)
    return str(os.getpid()).encode()
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = await asyncio.create_task(answer(scope["path"]))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""

SERVERS = {
    "uvicorn": ["uvicorn", "app:app", "--workers", "2", "--port", "{port}", "--log-level", "warning"],
    "uvicorn alone": ["uvicorn", "app:app", "--port", "{port}", "--log-level", "warning"],
    "gunicorn": [
        "gunicorn", "app:app", "--workers", "2", "--bind", "127.0.0.1:{port}", "--log-level", "warning",
        "--worker-class", "uvicorn_worker.UvicornWorker",
    ],
    "gunicorn preload": [
        "gunicorn", "app:app", "--workers", "2", "--bind", "127.0.0.1:{port}", "--log-level", "warning",
        "--worker-class", "uvicorn_worker.UvicornWorker", "--preload",
    ],
}  # fmt: skip


class Server:
    """A server that is asked and then ended."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        (folder / "app.py").write_text(APP)
        [self._port] = free_ports(1)
        command = [part.format(port=self._port) for part in command]
        self._log = folder / "log"
        with self._log.open("w") as log:
            self._process = Popen([sys.executable, "-m", *command], env=environment, cwd=folder, stdout=log, stderr=log)
        self._wait_until_it_listens()

    def _wait_until_it_listens(self) -> None:
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return
            except ConnectionRefusedError:
                assert self._process.poll() is None, self._log.read_text()
                time.sleep(0.05)
        raise TimeoutError(self._log.read_text())

    def ask(self, path: str) -> int:
        """One request on a connection of its own; the process that answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request("GET", path)
            return int(connection.getresponse().read())
        finally:
            connection.close()

    def end(self) -> tuple[int, str]:
        """SIGTERM; its exit code and what it printed."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(20)
        except TimeoutExpired:
            self._process.kill()
            raise
        return code, self._log.read_text()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", SERVERS)
def test_workers(receiver: Receiver, kind: str, protocol: Protocol, tmp_path: Path) -> None:
    """The last request is answered right before the end: its spans are flushed by the signal that ends the worker."""
    server = Server(SERVERS[kind], to(receiver, protocol, **CALM), tmp_path)
    wanted = 1 if "alone" in kind else 2
    answered: Counter[int] = Counter()
    paths = []
    while len(answered) < wanted or len(paths) < 10:  # until every process had one
        paths.append(f"/{len(paths)}")
        answered[server.ask(paths[-1])] += 1
        assert len(paths) < 400
    code, log = server.end()
    assert code == (-signal.SIGTERM if kind == "uvicorn alone" else 0), log
    assert not re.search("loopscope|Traceback|Error", log), log
    spans = receiver.spans()
    steps = Counter(s.attributes["asyncio.task.name"] for s in spans if s.name == "step answer")
    assert steps == dict.fromkeys(paths, 4)
    tasks = Counter(s.attributes["asyncio.task.name"] for s in spans if s.name == "task answer")
    assert tasks == dict.fromkeys(paths, 1)
    assert_unique(spans)
