"""One Jaeger for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ground.jaeger import Jaeger, Unavailable


def running() -> Iterator[Jaeger]:
    """A Jaeger; whoever needs it is skipped where there is none."""
    try:
        jaeger = Jaeger()
    except Unavailable as error:
        pytest.skip(str(error))
    with jaeger:
        yield jaeger


jaeger = pytest.fixture(running, scope="session", name="jaeger")
