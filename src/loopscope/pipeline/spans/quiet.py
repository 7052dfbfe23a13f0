"""DETAIL=slow, and the budget's last resort for quick tasks: a visit's spans wait, within bounds, until one of its
steps is worth telling; else nobody is told.
"""

from __future__ import annotations

from collections.abc import Callable

from loopscope import conventions as c
from loopscope.model import TaskLife
from loopscope.pipeline.recent import Recent
from loopscope.pipeline.spans.notes import Notes
from loopscope.pipeline.spans.span import Span
from loopscope.pipeline.spans.visit import Visit

#: spans of one visit, and of all, that wait
ONE, ALL = 256, 20_000


class Quiet:
    """Lets spans out, or keeps them."""

    def __init__(
        self, emit: Callable[[Span], None], lost: Callable[[str, int], None], known: Callable[[int], TaskLife | None]
    ) -> None:
        self._emit = emit
        self._lost = lost
        self._known = known
        #: spans that wait
        self.waiting = 0
        #: ids of own task spans that were not told
        self._silenced: Recent[int, bool] = Recent(8192)

    def tell(self, visit: Visit | None, span: Span) -> None:
        """A span of a visit; None: of one that was told."""
        if visit is None or (visit.quiet is None and not visit.silent):
            self._emit(span)
        elif visit.quiet is None:
            return
        elif (len(visit.quiet) < ONE and self.waiting < ALL) or span.name.startswith(c.TASK_SPAN):
            self.waiting += 1
            visit.quiet.append(span)
        else:
            visit.unkept += 1

    def speak(self, life: TaskLife, visit: Visit) -> None:
        """A visit is worth telling, and so are the task spans that it stands under."""
        worth = [(life, visit)]
        while worth:
            life, visit = worth.pop()
            if visit.quiet is None:
                continue
            quiet, visit.quiet = visit.quiet, None
            self.waiting -= len(quiet)
            if visit.unkept:
                self._lost("quiet", visit.unkept)
            for span in quiet:
                self._emit(span)
            if visit.trace.own:
                visit.parent_id = self._stand(life, visit.parent_id, worth)

    def stand(self, life: TaskLife, above: int) -> int:
        """A task span that is told stands under this one of the task's creator: it is told too.

        Its id, 0 where it is over and was not told.
        """
        worth: list[tuple[TaskLife, Visit]] = []
        above = self._stand(life, above, worth)
        for creator, visit in worth:
            self.speak(creator, visit)
        return above

    def _stand(self, life: TaskLife, above: int, worth: list[tuple[TaskLife, Visit]]) -> int:
        """The same, but that open visits which are told too are noted."""
        found, promised = self._promise(life, above, worth)
        while promised is not None:
            promised.notes.above, promised = self._promise(promised, promised.notes.above, worth)
        return found

    def _promise(self, life: TaskLife, above: int, worth: list[tuple[TaskLife, Visit]]) -> tuple[int, TaskLife | None]:
        """The same for this creator alone; and the creator, if its span is yet to be opened and was just promised."""
        creator = self._known(life.notes.under) if above else None
        if creator is None:
            return above, None
        notes: Notes = creator.notes
        worth += [(creator, other) for other in notes.visits if other.span_id == above]
        news = notes.reserved and notes.own == above and not notes.promised
        if news:
            notes.promised = True
        return 0 if self.is_silenced(above) else above, creator if news else None

    def silence(self, notes: Notes, visit: Visit) -> None:
        """A visit ended. If none of its steps was worth telling, or its span found no room, it is not told."""
        if visit.quiet is not None:
            self.waiting -= len(visit.quiet)
            untold = len(visit.quiet) + visit.unkept
            visit.trace.spans -= untold
            if visit.untold and untold:
                visit.trace.lost += untold
                self._lost(visit.untold, untold)
        elif visit.room:
            return
        visit.quiet, visit.silent = None, True
        if visit.trace.own:
            self._silenced.put(visit.span_id, True)
            if notes.link is None or notes.link.span_id == visit.span_id:  # the next one is linked in its place
                notes.link = visit.links[0] if visit.links else None

    def is_silenced(self, span_id: int) -> bool:
        """Whether an own task span is over and was not told, as far as is remembered."""
        return self._silenced.get(span_id) is True
