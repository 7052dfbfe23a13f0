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


async def _client(port: int, until: float) -> int:
    """One connection's requests, one after the other; how many."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < until:
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        assert head.startswith(b"HTTP/1.1 200") and await reader.readexactly(length) == b'{"hello":"world"}'
        count += 1
    writer.close()
    return count


def load(port: int, seconds: float) -> float:
    """Requests a second, by several connections."""

    async def main() -> float:
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(_client(port, until) for _ in range(CONNECTIONS)))) / seconds

    return asyncio.run(main())


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
