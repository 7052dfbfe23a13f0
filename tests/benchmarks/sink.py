"""An OTLP/HTTP receiver in a process of its own that only counts spans."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_counts: dict[str, int] = {}


class Handler(BaseHTTPRequestHandler):
    """Counts the spans of every POST by the first word of their names, but what goes to `/null`; GET tells the counts."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/null":
            _count(body)
        self._answer(b"")

    def do_GET(self) -> None:
        """Tell the counts, `word number` a line."""
        self._answer("\n".join(f"{word} {count}" for word, count in _counts.items()).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _count(body: bytes) -> None:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                word = span.name.split(" ")[0]
                _counts[word] = _counts.get(word, 0) + 1


class Sink:
    """The receiver, while the block lasts."""

    def __enter__(self) -> Sink:
        self._process = subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    def counts(self) -> dict[str, int]:
        """Spans received, by the first word of their names."""
        with urllib.request.urlopen(self.url) as answer:
            lines = answer.read().decode().splitlines()
        return {word: int(count) for word, count in (line.split(" ") for line in lines)}


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()
