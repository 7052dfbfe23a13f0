"""The delay histogram keeps its promise on any durations: quantiles within 1/32, the maximum exact."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loopscope.pipeline.metrics.histogram import INTERVAL, Histogram, Window, bucket, middle

DURATIONS = st.one_of(st.integers(0, 2_000), st.integers(0, 10**10), st.integers(0, 49).map(lambda n: (1 << n) - 1))


@given(st.lists(DURATIONS, min_size=1, max_size=200))
def test_quantiles_are_within_the_promised_error(durations: list[int]) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    found = histogram.quantiles()
    assert found is not None and found.max == max(durations)
    ordered = sorted(durations)
    for percent, value in ((50, found.p50), (90, found.p90), (99, found.p99)):
        exact = ordered[-(-len(ordered) * percent // 100) - 1]
        assert abs(value - exact) <= exact / 32
    assert found.p50 <= found.p90 <= found.p99 <= found.max


@given(DURATIONS)
def test_a_buckets_middle_is_in_it(duration: int) -> None:
    index = bucket(duration)
    assert bucket(int(middle(index))) == index
    histogram = Histogram()
    histogram.add(duration)
    assert histogram._counts[index] == 1, "`add` and `bucket` agree"


@given(st.integers(1 << 50, 1 << 70))
def test_what_is_absurdly_long_is_counted(duration: int) -> None:
    histogram = Histogram()
    histogram.add(duration)
    found = histogram.quantiles()
    assert found is not None and found.max == duration


def test_a_window_is_of_an_interval() -> None:
    """Who asks within a second of another is told the same; then only what came since."""
    window = Window()
    assert window.read(0) is None
    window.add(5)
    assert window.read(INTERVAL - 1) is None
    first = window.read(INTERVAL)
    assert first is not None and first.max == 5
    window.add(9)
    assert window.read(INTERVAL + 7) is first
    second = window.read(2 * INTERVAL)
    assert second is not None and (second.p50, second.max) == (9, 9)
    assert window.read(9 * INTERVAL) is None, "nothing came"
