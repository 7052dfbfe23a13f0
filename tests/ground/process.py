"""Real parts in processes of their own: started on free ports, waited for, and ended."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import ClassVar, TypeVar

_Self = TypeVar("_Self", bound="Server")


class Server:
    """Runs while it is entered. `prepare` says how it is started; it is asked anew where somebody took a port meanwhile."""

    #: its name in messages, and what is raised where it does not start
    name: ClassVar[str]
    failure: ClassVar[type[Exception]]
    #: seconds that it may take to end
    patience: ClassVar[float] = 2

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=f"loopscope-{self.name.lower()}-")
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self, folder: Path) -> tuple[list[str], Callable[[], bool]]:
        """Choose ports, write what it reads into the folder: its command, and what tells whether it is ready."""
        raise NotImplementedError

    def __enter__(self: _Self) -> _Self:
        try:
            if not any(self._start() for _ in range(3)):
                raise self.failure(f"{self.name} does not start: {self.log()}")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def log(self) -> str:
        """The end of what it has logged."""
        return self._log.read_text(errors="replace").strip()[-2000:]

    @property
    def _log(self) -> Path:
        return Path(self._folder.name, "log")

    def _start(self) -> bool:
        """Start it; False if it exits at once or does not become ready."""
        self._kill()
        command, ready = self.prepare(Path(self._folder.name))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        return comes_up(self._process, ready, 20)

    def _stop(self) -> None:
        self._kill()
        self._folder.cleanup()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            end(process, self.patience)


def comes_up(process: subprocess.Popen[bytes], ready: Callable[[], bool], timeout: float) -> bool:
    """Whether it becomes ready within `timeout` seconds; False at once where it exits."""
    deadline = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(0.05)
    return False


def end(process: subprocess.Popen[bytes], patience: float) -> None:
    """Ask it to end, and kill it after `patience` seconds."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def answers(address: str) -> bool:
    """Whether an HTTP address answers with 200."""
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def listens(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
