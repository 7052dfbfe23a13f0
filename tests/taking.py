"""What pipelines take from their sources, heard by a test: the native core takes many records at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from loopscope.model import Record
from loopscope.pipeline.pipeline import Pipeline

#: records that are taken at once at most
_MANY = 64


class _Heard:
    """In the place of a pipeline's `_drain`."""

    def __init__(self, pipeline: Pipeline, taken: Callable[[Record], object]) -> None:
        self._drain, self._queue, self._taken = pipeline._drain, pipeline._source.queue, taken

    def __call__(self, most: int) -> int:
        before = list(islice(self._queue, min(most, _MANY)))
        fed = self._drain(most)
        assert fed <= len(before), "it takes more at once than is heard"
        for record in before[:fed]:
            self._taken(record)
        return fed


def hear(taken: Callable[[Record], object]) -> Callable[[], None]:
    """Have `taken` called with each record that any pipeline takes from now on. Gives what undoes it."""
    taking = Pipeline.round

    def heard(self: Pipeline, final: bool = False) -> Iterator[None]:
        if not isinstance(self._drain, _Heard):
            self._drain = _Heard(self, taken)
        return taking(self, final)

    Pipeline.round = heard  # type: ignore[method-assign]

    def undo() -> None:
        Pipeline.round = taking  # type: ignore[method-assign]

    return undo
