"""Why a loop's thread was held, by rules over what was measured. Pure. Durations are nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass

from loopscope.model import BLOCKING, COLLECTOR, GIL, PYTHON, UNSCHEDULED

#: where it is not known how long a thread waited for a processor: one that was at work for no more than this part of
#: the time did not want to be
_LITTLE = 10
#: a watchdog that is late by so many switch intervals at least was kept from running
_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """What the watchdog knows of a hold. None: the platform does not tell."""

    #: how long the thread is held so far, and the threshold
    held: int
    threshold: int
    #: of that, how long the watchdog should have been awake and was not
    late: int = 0
    #: how often it gave its processor away meanwhile, and how often one that waits for the GIL does (the interval)
    switches: int | None = None
    interval: int = 5_000_000
    #: how long the garbage collector ran while the thread was held
    collected: int = 0
    #: over the last so many nanoseconds: the thread's CPU time, and its wait for a processor
    window: int = 0
    cpu: int | None = None
    delay: int | None = None

    @property
    def kept(self) -> bool:
        """Whether the watchdog itself was kept from running."""
        return self.late >= max(self.threshold // 2, _INTERVALS * self.interval)


def classify(seen: Measured) -> str | None:
    """The cause class, None where it cannot be told."""
    if 2 * seen.collected >= seen.held:
        return COLLECTOR
    if seen.kept and seen.switches is not None and 2 * seen.switches * seen.interval >= seen.late:
        return GIL
    if seen.cpu is not None and 2 * seen.cpu >= seen.window:
        return PYTHON
    if seen.kept:
        return None if seen.switches is None else UNSCHEDULED
    if seen.cpu is None:
        return None
    if seen.delay is None:
        return BLOCKING if _LITTLE * seen.cpu <= seen.window else None
    # No majority: the greatest of computing, waiting for a processor, and neither.
    delay = seen.delay
    if delay > max(seen.cpu, seen.window - seen.cpu - delay):
        return UNSCHEDULED
    return PYTHON if seen.cpu > seen.window - seen.cpu - delay else BLOCKING
