"""What the tracer keeps of a living task."""

from __future__ import annotations

from loopscope.pipeline.spans.span import Link
from loopscope.pipeline.spans.traces import Trace
from loopscope.pipeline.spans.visit import Visit


class Notes:
    """What is kept of a living task."""

    __slots__ = (
        "above", "ahead", "excluded", "home", "idle", "link", "own", "promised", "reserved", "under", "visits",
    )  # fmt: skip

    def __init__(self) -> None:
        #: open visits, one for a trace: nearly always one, so it is a tuple
        self.visits: tuple[Visit, ...] = ()
        #: the trace of steps that work for no other; None until one does
        self.home: Trace | None = None
        #: span id of its latest task span in `home`, or of the one that comes
        self.own = 0
        #: `own` is a parent already and has its room, but is not yet open
        self.reserved = False
        #: span id of what `own` stands under
        self.above = 0
        #: `reserved`, and what stands under it is told: so will it be
        self.promised = False
        #: link for the next own span
        self.link: Link | None = None
        #: the task that created it, but for those that are excluded
        self.under = 0
        #: it has ended, and was excluded
        self.excluded = False
        #: steps in a row that no trace took
        self.idle = 0
        #: index of the next step as capture had it at the last sweep
        self.ahead = 0

    def visit_to(self, trace_id: int) -> Visit | None:
        """The open visit to a trace."""
        for visit in self.visits:
            if visit.trace.trace_id == trace_id:
                return visit
        return None

    def add(self, visit: Visit) -> None:
        """A visit is open."""
        self.visits += (visit,)

    def remove(self, visit: Visit) -> None:
        """It is open no more."""
        self.visits = tuple(other for other in self.visits if other is not visit)
