"""The bounded memory of what was seen lately."""

from __future__ import annotations

import gc

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from loopscope.pipeline.recent import Recent
from tests.records import Cold, Pulse, birth, place, step


@effort(derandomize=True, database=None, deadline=None)
@given(st.integers(1, 5), st.lists(st.integers(0, 12), max_size=60))
def test_the_last_ones_are_remembered_within_bounds(size: int, keys: list[int]) -> None:
    """So many different keys, the latest value of each."""
    recent: Recent[int, int] = Recent(size)
    latest: dict[int, int] = {}
    for moment, key in enumerate(keys):
        recent.put(key, moment)
        latest[key] = moment
        if len(latest) > size:
            del latest[next(iter(latest))]
        assert recent._items == latest and list(recent._order) == list(latest)
    assert recent.get(99) is None


def test_what_is_long_ago_is_forgotten() -> None:
    """Written out for a size of two."""
    recent: Recent[str, int] = Recent(2)
    for number, key in enumerate("abcde"):
        recent.put(key, number)
    assert [recent.get(key) for key in "abcde"] == [None, None, None, 3, 4]


def test_what_is_remembered_costs_the_application_little() -> None:
    """What a collection of garbage must look at: of an ended task its life and notes, and its holder; of steps nothing."""

    def tracked() -> int:
        gc.collect()
        return len(gc.get_objects())

    def told(tasks: range) -> None:
        for task in tasks:
            born = birth(task, task * 10, creator=1, pulse=Pulse())
            cold.feed((*born[:5], everywhere, *born[6:]), *(
                step(task, index, task * 10, task * 10 + index, task * 10 + index, "returned" if index == 3 else None)
                for index in range(4)
            ))  # fmt: skip
        cold.spans.clear()

    everywhere, cold = place("work"), Cold().feed(birth(1), step(1, 0, 0, 0, 1))
    told(range(2, 100))
    before = tracked()
    told(range(100, 1_100))
    assert tracked() - before <= (4 + 1) * 1_000, "and a thread, which is shared where it is real"
