"""What a receiver answers over HTTP, read up to a limit: one that never comes to an end takes no memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: bytes: an answer to spans is a few
LIMIT = 1 << 16


class Short:
    """In the place of an answer's body: what comes after its beginning is not read, and the connection is closed."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def stream(self, *args: Any, **options: Any) -> Iterator[bytes]:
        """See urllib3's HTTPResponse."""
        left = LIMIT
        for piece in self._body.stream(*args, **options):
            yield piece
            left -= len(piece)
            if left < 0:
                self._body.close()
                return


def _shorten(answer: Any, **options: Any) -> None:
    answer.raw = Short(answer.raw)


def bound(session: Any) -> None:
    """Have what is answered to a requests.Session, if that is one, be read up to the limit."""
    hooks = getattr(session, "hooks", None)
    if hooks is not None and _shorten not in hooks["response"]:
        hooks["response"].append(_shorten)
