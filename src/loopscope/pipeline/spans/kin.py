"""The tasks by their ids, those that live and those that ended lately: who created whom, and in which trace."""

from __future__ import annotations

from loopscope.model import SpanIdentity, TaskLife
from loopscope.pipeline.lives import Lives
from loopscope.pipeline.recent import Recent
from loopscope.pipeline.spans.traces import Trace, Traces

#: tasks that ended and are still known
ENDED = 8192


class Kin:
    """What is known of tasks and their creators."""

    def __init__(self, traces: Traces, lives: Lives) -> None:
        self._traces = traces
        #: the assembler's
        self.lives = lives
        self._ended: Recent[int, TaskLife] = Recent(ENDED)

    def ended(self, life: TaskLife) -> None:
        """It lives no more."""
        self._ended.put(life.id, life)

    def trace(self, life: TaskLife, identity: SpanIdentity, time: int, activated: bool) -> Trace | None:
        """The application's trace that a step with this span works for, None where the span is stale."""
        trace = self._traces.of(identity, time, activated)
        if trace is not None or activated or life.span is None or life.span.trace_id != identity.trace_id:
            return trace
        one, untold = life, False
        while one.creator:
            creator = self.known(one.creator)
            if creator is None:
                return None
            runs = _runs(creator, one.creator_step)  # one is eager: what its creator's step did is not told yet
            if creator.span is None or creator.span.trace_id != identity.trace_id:
                untold = runs
                break
            if not runs:  # its creator had it already, as far as is known, and it was stale for that one
                return None
            one = creator
        return self._traces.inherited(identity, life.born, time, untold)

    def known(self, id: int) -> TaskLife | None:
        """A task that lives, or ended lately."""
        return self.lives.get(id) or self._ended.get(id)

    def creator(self, life: TaskLife) -> TaskLife | None:
        """Under whose own span a task's own is."""
        return None if life.span is not None else self.known(life.notes.under)


def _runs(life: TaskLife, index: int) -> bool:
    """Whether that step's record, which will come, has not come yet."""
    pulse = life.pulse
    passed_by = pulse is not None and (pulse.muted or pulse.excluded)
    return life.state is None and not passed_by and index >= life.steps
