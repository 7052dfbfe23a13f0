"""The bounded memory of what was seen lately."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from loopscope.pipeline.recent import Recent


@effort(derandomize=True, database=None, deadline=None)
@given(st.integers(1, 5), st.lists(st.integers(0, 12), max_size=60))
def test_the_last_ones_are_remembered_within_bounds(size: int, keys: list[int]) -> None:
    """At least `size` different keys, the latest value of each; at most twice as many entries."""
    recent: Recent[int, int] = Recent(size)
    latest: dict[int, int] = {}
    for moment, key in enumerate(keys):
        recent.put(key, moment)
        latest.pop(key, None)
        latest[key] = moment
        assert len(recent._young) + len(recent._old) <= 2 * size
        for remembered in list(latest)[-size:]:
            assert recent.get(remembered) == latest[remembered]
    assert recent.get(99) is None


def test_what_is_long_ago_is_forgotten() -> None:
    """Written out for a size of two."""
    recent: Recent[str, int] = Recent(2)
    for number, key in enumerate("abcde"):
        recent.put(key, number)
    assert [recent.get(key) for key in "abcde"] == [None, None, 2, 3, 4]
