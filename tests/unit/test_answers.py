"""Answers are read up to a limit on requests of ours alone, though the session may be the application's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.hooks import dispatch_hook

from loopscope.pipeline.export.answers import LIMIT, Limit


class Body:
    """Endless."""

    def __init__(self) -> None:
        self.given = 0
        self.closed = False
        self.status = 200

    def stream(self, amount: int) -> Iterator[bytes]:
        while True:
            yield self.read(amount)

    def read(self, amount: int) -> bytes:
        self.given += amount
        return bytes(amount)

    def close(self) -> None:
        self.closed = True


def answered(session: requests.Session) -> Any:
    """What becomes of an answer's body in this session."""
    answer = requests.Response()
    answer.raw = Body()
    return dispatch_hook("response", session.hooks, answer).raw


def heard(answer: Any, **options: Any) -> None:
    """A hook of the application's."""
    answer.raw.status = 299


@pytest.mark.parametrize(
    "hooks", [{"response": []}, {"response": [heard]}, {"response": heard}, {"response": (heard,)}, {}]
)
def test_whose_request_it_is(hooks: Any) -> None:
    session = requests.Session()
    session.hooks = hooks
    limit = Limit(session)
    assert type(answered(session)) is Body
    with limit:
        ours = answered(session)
        theirs: list[Any] = []
        thread = threading.Thread(target=lambda: theirs.append(answered(session)))
        thread.start()
        thread.join()
    assert (type(ours) is Body, type(theirs[0]) is Body) == (False, True)
    assert ours.status == theirs[0].status == (299 if hooks.get("response") else 200)
    assert type(answered(session)) is Body
    limit.remove()
    assert session.hooks is hooks


def test_hooks_that_somebody_put_there_since_stay() -> None:
    session = requests.Session()
    limit = Limit(session)
    session.hooks = later = {"response": [*session.hooks["response"], heard]}
    limit.remove()
    assert session.hooks is later


@pytest.mark.parametrize("session", [None, object()])
def test_what_is_no_session(session: Any) -> None:
    limit = Limit(session)
    with limit:
        pass
    limit.remove()


def test_no_more_than_the_limit_is_read() -> None:
    session = requests.Session()
    with Limit(session):
        streamed, read = answered(session), answered(session)
    assert LIMIT <= sum(map(len, streamed.stream(10_240))) < 2 * LIMIT
    assert len(read.read()) == LIMIT
    assert streamed.closed and read.closed
