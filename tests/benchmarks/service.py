"""Requests a second of uvicorn and FastAPI on uvloop, with everything on and without: the server is never idle.

Run it: python -m tests.benchmarks.service
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from typing import Any

import uvloop

from tests.benchmarks.export import apart
from tests.benchmarks.sink import Sink

CONNECTIONS, SECONDS, REPEATS = 16, 4.0, 5

APP = """
import asyncio, fastapi
app = fastapi.FastAPI()
@app.get("/")
async def root():
    await asyncio.sleep(0.001)
    return {"hello": "world"}
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
ANSWER = b'{"hello":"world"}'


class Client(asyncio.Protocol):
    """One connection's requests, one after the other. It does little: the server is what is measured."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._got = b""
        self.count = 0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See Protocol."""
        self._transport: Any = transport
        self._transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        """See Protocol."""
        self._got += data
        if not self._got.endswith(ANSWER):
            return
        assert self._got.startswith(b"HTTP/1.1 200")
        self._got = b""
        self.count += 1
        if time.perf_counter() < self._until:
            self._transport.write(REQUEST)
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """See Protocol."""
        self.done.set_result(None)


def load(port: int, seconds: float) -> float:
    """Requests a second, by several connections."""

    async def main() -> float:
        loop, until = asyncio.get_running_loop(), time.perf_counter() + seconds
        opened = [await loop.create_connection(lambda: Client(until), "127.0.0.1", port) for _ in range(CONNECTIONS)]
        clients = [client for _, client in opened]
        await asyncio.gather(*(client.done for client in clients))
        assert all(client.count for client in clients)
        return sum(client.count for client in clients) / seconds

    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


def serve(url: str | None, core: str) -> float:
    """Requests a second of a new server, with loopscope sending to this URL, or without."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    if url is not None:
        environment |= {
            "OTEL_PYTHON_LOOPSCOPE_ENABLED": "true",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_PYTHON_LOOPSCOPE_CORE": core,
        }
    code = f"{APP}\nimport uvicorn; uvicorn.run(app, port={port}, loop='uvloop', access_log=False, log_level='error')"
    server = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.05)
        apart(f"service.load({port}, 0.5)")
        return float(apart(f"service.load({port}, {SECONDS})"))
    finally:
        server.terminate()
        server.wait()


def measure(repeats: int = REPEATS, core: str = "auto") -> dict[str, float]:
    """Requests a second without and with, and the share that is lost: of the best of several."""
    bare, on = [], []
    with Sink() as sink:
        for _ in range(repeats):
            bare.append(serve(None, core))
            on.append(serve(f"{sink.url}/null", core))
    return {"bare": max(bare), "on": max(on), "lost": 1 - max(on) / max(bare)}


if __name__ == "__main__":
    print(measure())
