"""An HTTP server that answers as Jaeger, as Tempo, or badly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from loopscope.recording.spans import Span
from tests.views import made
from tests.views.made import TRACE

#: status, content type, content
Answer = tuple[int, str, str]
_JSON = "application/json"
PAGE = 200, "text/html; charset=utf-8", "<!doctype html><title>Jaeger UI</title>"


class StandIn:
    """Runs while it is entered. `answer` is called with each path; `asked` are the paths, `headers` the last request's, in lower case."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append(self.path)
                owner.headers = {name.lower(): value for name, value in self.headers.items()}
                status, kind, content = answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if status == 302:
                    self.send_header("Location", content)
                self.send_header("Content-Length", str(len(content.encode())))
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def tempo(spans: list[Span], version: int = 2, message: str = "") -> Callable[[str], Answer]:
    """Tempo, with one trace; of version 1 where it knows no other path."""

    def answer(path: str) -> Answer:
        trace = path.rpartition("/")[2]
        if not set(trace) <= set("0123456789abcdef"):
            return (
                400,
                "text/plain",
                f"trace IDs can only contain hex characters: invalid character {trace[0]!r} at position 1",
            )
        if path.startswith("/api/v2/traces/") and version == 2:
            document = made.tempo(spans) if trace == TRACE else {"trace": {}, "metrics": {}}
            return (
                200,
                _JSON,
                json.dumps({**document, "status": "PARTIAL", "message": message} if message else document),
            )
        if path.startswith("/api/traces/") and trace == TRACE:
            return 200, _JSON, json.dumps(made.old_tempo(spans))
        return (
            (404, "", "")
            if path.startswith("/api/traces/")
            else (404, "text/plain; charset=utf-8", "404 page not found\n")
        )

    return answer


def jaeger(spans: list[Span], base: str = "", version: int = 3) -> Callable[[str], Answer]:
    """Jaeger, with one trace, its API and page beneath a base path; version 3 gives a stream of answers."""

    def answer(path: str) -> Answer:
        path, trace = path.removeprefix(base), path.rpartition("/")[2]
        if path.startswith("/api/v3/traces/") and version == 3:
            if trace != TRACE:
                return 404, _JSON, '{"error":{"httpCode":404,"message":"No traces found"}}'
            parts = [json.dumps(made.jaeger(spans[at::3])) for at in range(3)]
            return 200, _JSON, "\n".join(parts)
        if path.startswith("/api/traces/"):
            if trace != TRACE:
                missing = {"code": 404, "msg": "trace not found"}
                return 404, _JSON, json.dumps({"data": None, "total": 0, "errors": [missing]})
            return 200, _JSON, json.dumps({**made.old_jaeger(spans), "total": 0, "errors": None})
        return PAGE

    return answer


def always(status: int, kind: str = _JSON, content: str = "{}") -> Callable[[str], Answer]:
    """The same answer to everything."""
    return lambda path: (status, kind, content)


def late(seconds: float) -> Callable[[str], Answer]:
    """An answer that comes too late."""

    def answer(path: str) -> Answer:
        time.sleep(seconds)
        return 200, _JSON, "{}"

    return answer
