"""One Jaeger for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ground.jaeger import Jaeger, Unavailable


@pytest.fixture(scope="session")
def jaeger() -> Iterator[Jaeger]:
    try:
        jaeger = Jaeger()
    except Unavailable as error:
        pytest.skip(str(error))
    with jaeger:
        yield jaeger
