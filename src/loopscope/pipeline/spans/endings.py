"""What is said of how a task ended: who asked for its cancellation, whether it heeded it, what befell it."""

from __future__ import annotations

from loopscope import conventions as c
from loopscope.model import CANCELLED, ENDINGS, TaskLife
from loopscope.pipeline.spans.describe import SECOND
from loopscope.pipeline.spans.span import Attributes


def ending_attributes(life: TaskLife, asker: str | None) -> Attributes:
    """On a task span that is closed now; `asker` is the name of the task that asked for the cancellation."""
    return [] if life.cancel is None else _cancel_attributes(life, asker)


def mishap_attributes(life: TaskLife) -> Attributes:
    """What befell the task, as far as it is known by now."""
    return [(c.TASK_MISHAP, ",".join(life.mishaps))] if life.mishaps else []


def _cancel_attributes(life: TaskLife, asker: str | None) -> Attributes:
    request = life.cancel
    assert request is not None
    if life.state not in ENDINGS and not life.cancel_stands:
        return []
    if life.state == CANCELLED and life.cancel_over:  # by something else, that was not seen
        return []
    attributes: Attributes = []
    if request.name is not None:
        attributes.append((c.CANCEL_REQUESTED_BY, request.name))
    if asker is not None:
        attributes.append((c.CANCEL_TASK, asker))
    if request.place is not None:
        attributes.append((c.CANCEL_PLACE, f"{request.place.file}:{request.line}"))
    if request.message is not None:
        attributes.append((c.CANCEL_MESSAGE, request.message))
    latency = life.cancel_latency
    if latency is not None:
        attributes.append((c.CANCEL_LATENCY, latency / SECOND))
        if life.state != CANCELLED:
            attributes.append((c.CANCEL_SWALLOWED, True))
    return attributes
