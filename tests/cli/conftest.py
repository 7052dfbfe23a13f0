"""The command in this process, with nothing of OpenTelemetry's set."""

from __future__ import annotations

import os

import pytest

from tests.cli.calling import Caller
from tests.outside import without


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Caller:
    """Call it."""
    for name in os.environ.keys() - without("OTEL_").keys():
        monkeypatch.delenv(name)
    return Caller(capsys)
