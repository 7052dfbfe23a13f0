"""A pytest plugin: what the core recorded in each test, without what differs from run to run, goes to the file $TAPE."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from loopscope.capture.buffer import Buffer
from loopscope.model import Record
from tests.native.records import timeless

TAPE = "TAPE"


@pytest.fixture(autouse=True)
def tape(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of all that the pipeline takes."""
    taken: list[Record] = []
    take = Buffer.take

    def taped(buffer: Buffer) -> Record | None:
        record = take(buffer)
        if record is not None:
            taken.append(record)
        return record

    monkeypatch.setattr(Buffer, "take", taped)
    yield
    with open(os.environ[TAPE], "a", encoding="utf-8") as file:
        file.write(json.dumps([request.node.nodeid, [repr(line) for line in timeless(taken)]]) + "\n")
