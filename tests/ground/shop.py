"""The example service in its processes, its problems switched over HTTP, and the traces of what it was asked."""

from __future__ import annotations

import asyncio
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.ground.ports import free_ports
from tests.outside import without

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its method and path, the body as JSON, and how many seconds after the first it is sent."""

    method: str
    path: str
    json: Any = None
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """Its answer, and the trace that it belongs to."""

    trace_id: str
    answer: httpx.Response


class Shop:
    """`python -m examples.service`, running while it is entered; the variables are added to an environment without any OTEL_*."""

    def __init__(self, variables: Mapping[str, str], workers: int = 2) -> None:
        self._variables = variables
        self._workers = workers
        self._log = tempfile.TemporaryFile()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Shop:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "examples.service", f"--port={port}", f"--workers={self._workers}"],
            env={**without("OTEL_"), **self._variables},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._await_workers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()

    def stop(self) -> tuple[int, str]:
        """Have it end as a supervisor would; its exit code and everything it printed. What hangs is killed."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self._log.seek(0)
        return code, self._log.read().decode(errors="replace")

    @contextmanager
    def problem(self, name: str) -> Iterator[None]:
        """On while it is entered, in every worker."""
        self.turn(name, True)
        try:
            yield
        finally:
            self.turn(name, False)

    def turn(self, name: str, on: bool) -> dict[str, bool]:
        switches: dict[str, bool] = httpx.put(f"{self.url}/problems/{name}", json={"on": on}).raise_for_status().json()
        return switches

    def ask(self, *asked: Asked) -> list[Answered]:
        """All at once (or `after`), each on a connection of its own to the one same worker, each in a trace of its own."""
        return asyncio.run(self._ask(asked))

    async def _ask(self, asked: tuple[Asked, ...]) -> list[Answered]:
        async with AsyncExitStack() as stack:
            by_worker: dict[int, list[httpx.AsyncClient]] = {}
            while max(map(len, by_worker.values()), default=0) < len(asked):
                client = await stack.enter_async_context(httpx.AsyncClient(base_url=self.url, timeout=30))
                worker = (await client.get("/health")).json()["worker"]
                by_worker.setdefault(worker, []).append(client)
            clients = max(by_worker.values(), key=len)
            return list(await asyncio.gather(*map(_send, clients, asked)))

    def _await_workers(self) -> None:
        """Until each of the workers has answered."""
        deadline, seen = time.monotonic() + 90, set()
        while len(seen) < self._workers:
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                self._log.seek(0)
                raise RuntimeError(f"the shop does not open: {self._log.read().decode(errors='replace')[-2000:]}")
            try:
                seen.add(httpx.get(f"{self.url}/health", timeout=2).json()["worker"])
            except httpx.TransportError:
                time.sleep(0.1)


async def _send(client: httpx.AsyncClient, asked: Asked) -> Answered:
    await asyncio.sleep(asked.after)
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    return Answered(trace_id, await client.request(asked.method, asked.path, json=asked.json, headers=headers))
