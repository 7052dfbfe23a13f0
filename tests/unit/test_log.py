"""The logger `loopscope`: the application's own logging may raise."""

from __future__ import annotations

import logging
import threading

import pytest

from loopscope.log import logger


class Raising(logging.Handler):
    """A handler that raises past what logging catches."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def handle(self, record: logging.LogRecord) -> bool:
        """See Handler."""
        raise self._error


def test_a_line_says_who_wrote_it(caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("here")
    logger.exception("and here")
    assert [record.filename for record in caplog.records] == ["test_log.py"] * 2


def test_an_error_costs_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("loopscope"), "handlers", [Raising(LookupError())])
    logger.warning("lost")


def test_what_is_meant_for_the_host_is_raised_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread of ours nothing is."""
    monkeypatch.setattr(logging.getLogger("loopscope"), "handlers", [Raising(SystemExit())])
    monkeypatch.setattr(logger, "passes", lambda error: threading.current_thread() is threading.main_thread())
    told: list[str] = []

    def line() -> None:
        logger.warning("lost")
        told.append("went on")

    thread = threading.Thread(target=line)
    thread.start()
    thread.join()
    assert told == ["went on"]
    with pytest.raises(SystemExit):
        logger.warning("lost")
