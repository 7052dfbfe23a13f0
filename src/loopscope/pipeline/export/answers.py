"""What a receiver answers over HTTP, read up to a limit: one that never comes to an end takes no memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

#: bytes: an answer to spans is a few, but for what a receiver says of those that it did not take; gRPC takes no more
LIMIT = 1 << 22


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

    def read(self, *args: Any, **options: Any) -> bytes:
        """See urllib3's HTTPResponse. What cannot be decoded is read at one go."""
        beginning: bytes = self._body.read(LIMIT, **options)
        self._body.close()
        return beginning


class Limit:
    """Shortens what is answered to a requests.Session, which may be the application's: to requests within `with`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._thread = 0
        self._before = hooks = getattr(session, "hooks", None)
        self._hooks: Any = None
        if isinstance(hooks, dict):
            heard = hooks.get("response") or ()
            self._hooks = {**hooks, "response": [*(heard if isinstance(heard, (list, tuple)) else [heard]), self]}
            session.hooks = self._hooks

    def __call__(self, answer: Any, **options: Any) -> None:
        """See requests' hooks."""
        if self._thread == threading.get_ident():
            answer.raw = Short(answer.raw)

    def __enter__(self) -> None:
        self._thread = threading.get_ident()

    def __exit__(self, *error: object) -> None:
        self._thread = 0

    def remove(self) -> None:
        """Take it off, unless somebody has put other hooks there since."""
        if self._hooks is not None and self._session.hooks is self._hooks:
            self._session.hooks = self._before
