"""The cause class of a hold, by numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loopscope.capture.causes import Measured, classify
from loopscope.model import BLOCKING, COLLECTOR, GIL, PYTHON, UNSCHEDULED
from tests.records import MS

#: on time, half-way through a second threshold, the thread's clocks at hand
ON_TIME = Measured(150 * MS, 100 * MS, 0, 0, 5 * MS, 0, 100 * MS, 0, 0)
#: the same, 150 ms late
LATE = replace(ON_TIME, held=250 * MS, late=150 * MS, window=200 * MS)


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (ON_TIME, BLOCKING),
        (replace(ON_TIME, cpu=49 * MS), BLOCKING),
        (replace(ON_TIME, cpu=50 * MS), PYTHON),
        (replace(ON_TIME, cpu=90 * MS, delay=60 * MS), PYTHON),
        (replace(ON_TIME, cpu=10 * MS, delay=50 * MS), UNSCHEDULED),
        (replace(ON_TIME, cpu=40 * MS, delay=35 * MS), PYTHON),
        (replace(ON_TIME, cpu=35 * MS, delay=40 * MS), UNSCHEDULED),
        (replace(ON_TIME, cpu=30 * MS, delay=30 * MS), BLOCKING),
        (replace(ON_TIME, delay=None), BLOCKING),
        (replace(ON_TIME, delay=None, cpu=10 * MS), BLOCKING),
        (replace(ON_TIME, delay=None, cpu=11 * MS), None),
        (replace(ON_TIME, delay=None, cpu=50 * MS), PYTHON),
        (replace(ON_TIME, cpu=None, delay=None), None),
        (replace(ON_TIME, collected=75 * MS, cpu=100 * MS), COLLECTOR),
        (replace(ON_TIME, collected=74 * MS, cpu=100 * MS), PYTHON),
        # the watchdog was late: by too little, waiting for the GIL (a switch each 5 ms), stopped, and who knows
        (replace(ON_TIME, late=49 * MS, switches=10), BLOCKING),
        (replace(LATE, switches=30, cpu=200 * MS), GIL),
        (replace(LATE, switches=15), GIL),
        (replace(LATE, switches=14), UNSCHEDULED),
        (replace(LATE, switches=2, cpu=None, delay=None), UNSCHEDULED),
        (replace(LATE, switches=2, cpu=150 * MS), PYTHON),
        (replace(LATE, switches=None), None),
        (replace(LATE, switches=30, collected=200 * MS), COLLECTOR),
    ],
)
def test_rules(seen: Measured, cause: str | None) -> None:
    """Collector, GIL, computing, not scheduled, blocking: the first that at least half of the time tells."""
    assert classify(seen) == cause


def test_a_small_threshold_is_no_lateness() -> None:
    """A watchdog that waits for its turn at the GIL is late by a switch interval or two whatever it watches."""
    seen = replace(ON_TIME, threshold=2 * MS, late=14 * MS, switches=3, cpu=100 * MS)
    assert classify(seen) == PYTHON
    assert classify(replace(seen, late=15 * MS)) == GIL
