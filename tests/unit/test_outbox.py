"""Batches: when they are sent, what is counted when they do not arrive, and how often that is told."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from loopscope.model import Anchor, clock
from loopscope.pipeline.export import outbox as module
from loopscope.pipeline.export.loss import Loss
from loopscope.pipeline.export.outbox import AGE, Outbox
from loopscope.pipeline.export.targets import Bytes
from loopscope.pipeline.otlp import Encoding
from loopscope.pipeline.spans.span import Span
from tests.records import SECOND


class Target:
    """A target that notes what is sent, and fails as it is told."""

    takes = "spans"

    def __init__(self, size: int = 3, where: str = "there") -> None:
        self.where, self.size = where, size
        self.sent: list[list[str]] = []
        self.calls: list[str] = []
        self.lost: Loss | Exception | None = None
        self.unfit: set[str] = set()

    def collect(self) -> list[str]:
        """See Target."""
        return []

    def prepare(self, span: Span, resource: Any) -> str:
        """See Target."""
        if span.name in self.unfit:
            raise ValueError(span.name)
        return f"{resource()}:{span.name}"

    def send(self, items: list[str], resource: Any) -> Loss | None:
        """See Target."""
        if isinstance(self.lost, Exception):
            raise self.lost
        if self.lost is None or self.lost.spans < len(items):
            self.sent.append(items)
        return self.lost

    def hurry(self, ends: bool) -> None:
        """See Target."""
        self.calls.append(f"hurry {ends}")

    def abort(self) -> None:
        """See Target."""
        self.calls.append("abort")

    def disconnect(self) -> None:
        """See Target."""
        self.calls.append("disconnect")

    def close(self) -> None:
        """See Target."""
        self.calls.append("close")


def span(name: str) -> Span:
    """A span of this name."""
    return Span(name, 1, 2, 0, 0, 1, [])


def put(outbox: Outbox, names: str) -> None:
    """Put spans of these names."""
    for name in names:
        outbox.put(span(name))


def test_a_batch_is_sent_when_it_is_full() -> None:
    """Each target has its own size."""
    small, large = Target(2), Target(3)
    outbox = Outbox([small, large], lambda: "r")
    put(outbox, "abcd")
    assert small.sent == [["r:a", "r:b"], ["r:c", "r:d"]]
    assert large.sent == [["r:a", "r:b", "r:c"]]
    assert outbox.exported == 7
    assert outbox.flush()
    assert (large.sent[1:], outbox.exported, dict(outbox.dropped)) == ([["r:d"]], 8, {})


def test_a_batch_is_sent_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its age is that of its first span."""
    now = 1_000
    monkeypatch.setattr(module, "clock", lambda: now)
    outbox = Outbox([target := Target()], lambda: "r")
    put(outbox, "a")
    now += 7
    put(outbox, "b")
    outbox.due(1_000 + AGE - 1)
    assert target.sent == []
    outbox.due(1_000 + AGE)
    assert target.sent == [["r:a", "r:b"]]
    put(outbox, "c")
    outbox.backdate(now - AGE)
    outbox.due(now)
    assert target.sent[1:] == [["r:c"]]
    assert AGE <= 500_000_000, "spans leave within a second of their end"


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (Loss(2, "status 503"), "status 503"),
        (OSError("no route"), "OSError: no route"),
        (Loss(2, "für\nERROR \x1b[2J"), r"für\nERROR \x1b[2J"),
    ],
    ids=["said", "raised", "forged"],
)
def test_what_does_not_arrive_is_counted_and_told_once(
    lost: Loss | Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning a target, however many batches fail; the others are not held up."""
    bad, good = Target(2, "nowhere"), Target(2)
    bad.lost = lost
    outbox = Outbox([bad, good], lambda: "r")
    put(outbox, "abcdef")
    assert dict(outbox.dropped) == {"export_failed": 6}
    assert (outbox.exported, len(good.sent)) == (6, 3)
    assert [record.getMessage() for record in caplog.records] == [f"loopscope's spans do not reach nowhere: {told}"]
    put(outbox, "g")
    assert not outbox.flush()
    bad.lost = None
    put(outbox, "h")
    assert outbox.flush()
    assert bad.sent == [["r:h"]]
    assert len(caplog.records) == 1


def test_a_span_that_cannot_be_encoded_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The rest of its batch goes out."""
    target = Target()
    target.unfit = {"b"}
    outbox = Outbox([target], lambda: "r")
    put(outbox, "abcb")
    outbox.flush()
    assert target.sent == [["r:a", "r:c"]]
    assert dict(outbox.dropped) == {"not_encodable": 2}
    assert len(caplog.records) == 1


def test_without_a_target_spans_are_counted() -> None:
    """All that could have been an exporter failed to be built."""
    outbox = Outbox([], lambda: "r")
    put(outbox, "ab")
    assert (dict(outbox.dropped), outbox.exported) == ({"no_exporter": 2}, 0)


def test_a_flush_without_time_leaves_what_waits() -> None:
    """For the next one; it says that not all arrived."""
    outbox = Outbox([target := Target()], lambda: "r")
    put(outbox, "a")
    assert not outbox.flush(clock() - 1)
    assert target.sent == []
    assert outbox.flush(clock() + 10**10)
    assert target.sent == [["r:a"]]


def test_past_the_end_nothing_is_sent() -> None:
    """A full batch too is counted as lost to the shutdown; so is all that waits when it is given up."""
    outbox = Outbox([target := Target(2)], lambda: "r")
    outbox.hurry(clock() - 1)
    put(outbox, "abc")
    assert dict(outbox.dropped) == {"shutdown": 2}
    outbox.give_up()
    assert (dict(outbox.dropped), target.sent) == ({"shutdown": 3}, [])


def test_near_the_end_a_target_that_failed_is_not_tried_again() -> None:
    """A dead backend costs its timeout once."""
    target = Target(1)
    target.lost = Loss(1, "dead")
    outbox = Outbox([target], lambda: "r")
    outbox.hurry(clock() + 10**12)
    put(outbox, "a")
    target.lost = None
    put(outbox, "b")
    assert (dict(outbox.dropped), target.sent) == ({"export_failed": 1, "shutdown": 1}, [])


def test_what_is_down_is_tried_once_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile spans wait, as many as one batch holds; what comes back is told all of them."""
    now = 10 * SECOND
    monkeypatch.setattr(module, "clock", lambda: now)
    target = Target(3)

    def send(items: list[str], resource: Any) -> Loss | None:
        nonlocal now
        now += took
        return Target.send(target, items, resource)

    target.send = send  # type: ignore[method-assign]
    outbox, took, target.lost = Outbox([target], lambda: "r"), 9 * SECOND, Loss(3, "dead")
    put(outbox, "abc")
    assert target.calls == ["hurry True"]
    put(outbox, "de")
    outbox.due(now + SECOND - 1)
    put(outbox, "f")
    put(outbox, "gh")
    assert (dict(outbox.dropped), outbox.exported) == ({"export_failed": 6}, 0)
    now += SECOND
    took = SECOND // 100
    outbox.due(now)
    assert dict(outbox.dropped) == {"export_failed": 8}
    assert target.calls == ["hurry True"]
    target.lost = None
    put(outbox, "i")
    outbox.due(now + SECOND - 1)
    assert outbox.exported == 0
    now += SECOND
    outbox.due(now)
    assert (target.sent, target.calls[-1]) == ([["r:i"]], "hurry False")
    put(outbox, "jkl")
    assert outbox.exported == 4


def test_who_says_no_at_once_is_not_down() -> None:
    """It takes nobody's time."""
    target = Target(1)
    target.lost = Loss(1, "HTTP 400")
    outbox = Outbox([target], lambda: "r")
    put(outbox, "a")
    target.lost = None
    put(outbox, "b")
    assert (target.sent, target.calls) == ([["r:b"]], [])


def test_at_the_end_one_that_was_being_sent_says_nothing_of_the_next() -> None:
    """Its receiver may be back: it was tried for long, and given up for the end alone."""
    target = Target(1)

    def send(items: list[str], resource: Any) -> Loss | None:
        outbox.hurry(clock() + 10**12)
        return Loss(1, "dead")

    outbox = Outbox([target], lambda: "r")
    target.send = send  # type: ignore[method-assign]
    put(outbox, "a")
    del target.send  # type: ignore[method-assign]
    put(outbox, "b")
    assert (dict(outbox.dropped), target.sent) == ({"export_failed": 1}, [["r:b"]])


def test_at_the_end_only_who_was_met_is_waited_for() -> None:
    """Where something arrived before, somebody listens, or will again."""
    met, unmet = Target(1), Target(1)
    unmet.lost = Loss(1, "dead")
    outbox = Outbox([met, unmet], lambda: "r")
    put(outbox, "a")
    outbox.hurry(clock() + 10**12)
    outbox.hurry(0)
    assert (met.calls, unmet.calls) == (["hurry False"], ["hurry True", "hurry False"])


def test_a_sender_that_gave_up_is_followed_by_another() -> None:
    """Where the process lives on; one that did not is kept, for it may be sending."""

    class Sender:
        where, shut, ends = "there", False, False

        def hurry(self, ends: bool) -> None:
            self.ends = ends

        def close(self) -> None:
            self.shut = True

    made: list[Any] = []
    target = Bytes(lambda: made.append(Sender()) or made[-1], Encoding(Anchor(0)))
    target.hurry(True)
    target.hurry(False)
    assert target._sender is made[0] and not made[0].ends
    target.hurry(True)
    made[0].shut = True
    target.hurry(False)
    assert target._sender is None
    target.hurry(True)
    target.send([b""], Resource({}))
    assert len(made) == 2 and made[1].ends, "opened while the process ends"


def test_the_resource_is_asked_for_each_span() -> None:
    """The application may set its provider late."""
    resources = iter("1234")
    outbox = Outbox([target := Target(2)], lambda: next(resources))
    put(outbox, "ab")
    assert target.sent == [["1:a", "2:b"]]


def test_connections() -> None:
    """Passed on to every target."""
    targets: list[Any] = [Target(), Target()]
    outbox = Outbox(targets, lambda: "r")
    outbox.abort()
    outbox.disconnect()
    outbox.close()
    assert [target.calls for target in targets] == [["abort", "disconnect", "close"]] * 2
    assert outbox.targets == targets


@pytest.mark.parametrize("takes", ["bytes", "lines"])
def test_a_heavy_batch_is_not_made_heavier(takes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver refuses requests that are too large, and what waits for a file takes memory."""

    monkeypatch.setattr(module, "HEAVY", 20)
    target = Target(size=100)
    target.takes = takes
    outbox = Outbox([target], lambda: "r")  # type: ignore[list-item]
    put(outbox, "aaaaaaaaaa")
    assert target.sent == [["r:a"] * 7] and [batch.bytes for batch in outbox._batches] == [9]
    outbox.flush()
    assert outbox._batches[0].bytes == 0


def test_what_is_sent_by_a_thread_that_does_not_come_back_is_lost_once() -> None:
    """However often it is given up."""
    target = Target(2)
    outbox = Outbox([target], lambda: "r")

    def send(items: list[str], resource: Any) -> Loss | None:
        outbox.give_up()
        outbox.give_up()
        return None

    target.send = send  # type: ignore[method-assign]
    put(outbox, "ab")
    assert dict(outbox.dropped) == {"shutdown": 2}
