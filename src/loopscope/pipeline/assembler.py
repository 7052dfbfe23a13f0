"""Turns records into task lives and steps. Pure: no thread, no clock, no OpenTelemetry."""

from __future__ import annotations

from loopscope.model import (
    BIRTH,
    CANCEL,
    COLLECTION,
    DESTROYED,
    GONE,
    HANDOFF,
    IO,
    LOOK,
    MISHAP,
    NEVER,
    POLLS,
    PRINTED,
    REQUEST,
    SPAN_END,
    SPAN_START,
    STEP,
    UNKNOWN,
    CancelRequest,
    Place,
    Printed,
    Record,
    Step,
    TaskLife,
)
from loopscope.pipeline.lives import Lives, Muted
from loopscope.pipeline.recent import Recent
from loopscope.pipeline.sinks import Sink


class Assembler:
    """Feed it records in the order in which they were written.

    It holds to this, whatever is lost: a task's steps neither overlap nor run backwards, and its sums are
    those of its steps. A gap in a task's step numbers is counted as `missing`.
    """

    def __init__(self, sink: Sink, lives: Lives | None = None, muted: Muted | None = None) -> None:
        self._sink = sink
        #: those of tasks that have not ended; sinks may look at them, while a task's last step is told too
        self.lives: Lives = lives if lives is not None else dict[int, TaskLife]()
        #: those whose steps may be passed by
        self.muted: Muted = muted if muted is not None else {}
        #: those of them that are heard again: index of a step from which on they are
        self._heard: dict[int, int] = {}
        #: records of what was already told
        self.repeated = 0
        self._over: Recent[int, bool] = Recent(8192)

    def feed(self, record: Record) -> None:
        """Take one record."""
        tag = record[0]
        if tag == STEP:
            self._step(record)
        elif tag == BIRTH:
            self._birth(record)
        elif tag == GONE:
            life = self.lives.get(record[1])
            if life is not None:
                life.state = None if record[3] else DESTROYED
                self._end(life, max(record[2], life.last_end))
        elif tag == SPAN_START:
            self._sink.span_started(record[1], record[2])
        elif tag == SPAN_END:
            self._sink.span_ended(record[1], record[2])
        elif tag == POLLS:
            self._sink.polled(record[1], record[2])
        elif tag == HANDOFF:
            self._sink.handed(record[1])
        elif tag == LOOK:
            self._sink.looked(record[1])
        elif tag == COLLECTION:
            self._sink.collected(record[1], record[2], record[3])
        elif tag == MISHAP:
            self._sink.mishap(record[1], record[2], record[3])
        elif tag == PRINTED:
            self._sink.printed(record[1], record[2], Printed(*record[3:]))
        elif tag == REQUEST:
            _, id, index, time, request, asker = record
            life = self.lives.get(id)
            if life is not None:
                life.asked(request, time, index, asker)

    def _birth(self, record: Record) -> None:
        _, id, born, pulse, name, place, creator, creator_step, span, late = record
        life = self.lives.get(id)
        if life is not None and not life.name:  # it was not known yet
            life.name = name
            return
        if life is not None or self._over.get(id):
            self.repeated += 1
            return
        life = TaskLife(id, name, place, born, pulse, creator, creator_step, span, late)
        life.last_end = born
        self._sink.born(life)
        if pulse is not None and pulse.excluded:
            self.muted[id] = pulse, 0
        self.lives[id] = life

    def _step(self, record: Record) -> None:
        (
            _, id, index, where, how, start, end, outcome, awaiting, point, lasti, span, activated, span_after, name,
            state, error, polls,
        ) = record  # fmt: skip
        ready, waker_kind, waker, waker_step, waker_name = how
        life = self.lives.get(id)
        if life is None:
            if self._over.get(id):
                self.repeated += 1
                return
            place = point if isinstance(point, Place) else UNKNOWN
            life = TaskLife(id, name, place, ready or start, late=True, steps=index)
            life.last_end = life.born
            self._sink.born(life)
            self.lives[id] = life
        if index < life.steps:
            self.repeated += 1
            return
        waited = life.awaiting
        if state is None:  # else it remains known what the last step had waited for
            life.awaiting = awaiting
        if index > life.steps:
            waited = None
            if not ready:  # a bare yield: its own last end is not known
                ready = start
            if not self._passed_by(id, index):
                life.missing += index - life.steps
        life.steps = index + 1
        life.name = name
        life.where = where
        last = life.last_end
        if start < last:
            start = last
        if ready < last:
            ready = last
        elif ready > start:
            ready = start
        if end < start:
            end = start
        cancel = unpolled = None
        if waker_kind is IO and not waker:
            unpolled, waker_step = (None if waker_step < 0 else waker_step), 0
        elif waker_kind is CANCEL and type(waker_name) is CancelRequest:
            cancel, waker_name = waker_name, waker_name.name
            life.asked(cancel, ready, index, waker)
        if unpolled:
            unpolled = min(unpolled, ready - last)
        life.before, life.last_end = last, end
        life.running += end - start
        life.ready += start - ready
        step = Step(
            index, where, ready, start, end, waker_kind, waker, waker_step, waker_name, outcome, awaiting,
            point, lasti, span, tuple(activated) if activated else (), span_after, error, polls, cancel, unpolled,
            waited=waited,
        )  # fmt: skip
        if state is not None:
            life.state = state
        self._sink.stepped(life, step)
        if state is not None:
            self._end(life, end)

    def _passed_by(self, id: int, index: int) -> bool:
        """Whether the steps that are missing before this one were not recorded on purpose."""
        muted = self.muted.get(id)
        if muted is None:
            return False
        heard = muted[0].hush - NEVER
        if heard < 0:
            self._heard.pop(id, None)
        elif index >= self._heard.setdefault(id, heard):  # from now on all are
            del self.muted[id], self._heard[id]
        return True

    def _end(self, life: TaskLife, time: int) -> None:
        self.lives.pop(life.id, None)
        self.muted.pop(life.id, None)
        self._heard.pop(life.id, None)
        self._over.put(life.id, True)
        self._sink.ended(life, time)
