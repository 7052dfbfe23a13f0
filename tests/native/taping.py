"""A pytest plugin: what the core recorded in each test, without what differs from run to run, goes to the file $TAPE."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from loopscope.model import Record
from tests.native.records import timeless
from tests.taking import hear

TAPE = "TAPE"


@pytest.fixture(autouse=True)
def tape(request: pytest.FixtureRequest) -> Iterator[None]:
    """Of all that the pipeline takes."""
    taken: list[Record] = []
    undo = hear(taken.append)
    yield
    undo()
    with open(os.environ[TAPE], "a", encoding="utf-8") as file:
        file.write(json.dumps([request.node.nodeid, [repr(line) for line in timeless(taken)]]) + "\n")
