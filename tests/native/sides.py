"""The cold side twice, with the ordinary step's way in C and without: fed alike, and compared to the last slot."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any

from loopscope.model import Anchor, Place, Record
from loopscope.pipeline import otlp
from loopscope.pipeline.export.loss import Loss
from loopscope.pipeline.export.outbox import Outbox
from loopscope.pipeline.export.provider import Spare
from loopscope.pipeline.metrics.sample import Sample
from loopscope.pipeline.packed import Packed
from loopscope.pipeline.pipeline import Pipeline
from loopscope.pipeline.spans.placed import RecentlyPlaced
from loopscope.pipeline.spans.traces import Sampled
from loopscope.pipeline.spans.visit import Visit
from loopscope.settings import Settings
from tests.records import OWN_SPAN, OWN_TRACE
from tests.unit.test_rounds import Queue, Sink, unmetered

#: what is no state, is made of it once it is needed, or is a reading of the real clock
APART = {
    "_begun", "_drain", "_encoder", "_encoding", "_exported", "_looked", "_native", "_provider", "_random", "_reading",
    "_source", "_suspected", "_swept", "encoded", "encoder", "since",
}  # fmt: skip


class Ids:
    """A Provider with counted ids."""

    def __init__(self, sampled: bool, always: bool = False) -> None:
        self._traces, self._spans, self._sampled = itertools.count(OWN_TRACE), itertools.count(OWN_SPAN), sampled
        self._spare = Spare([], [], Sampled(True, [], None) if always else None)

    def trace_id(self) -> int:
        """See Provider."""
        return self.spare().trace_ids.pop()

    def span_id(self) -> int:
        """See Provider."""
        return self.spare().span_ids.pop()

    def spare(self) -> Spare:
        """See Provider: a few at a time."""
        for ids, new in ((self._spare.span_ids, self._spans), (self._spare.trace_ids, self._traces)):
            if not ids:
                ids += [next(new) for _ in range(5)][::-1]
        return self._spare

    def sample(self, trace_id: int, name: str) -> Sampled:
        """Two thirds of them, or all."""
        return self._spare.sampled or Sampled(self._sampled or trace_id % 3 > 0, [("sampler.said", name)], None)


class Keeping(Sink):
    """Keeps what it is sent."""

    size = 16

    def __init__(self, native: bool) -> None:
        encoding = otlp.Encoding(Anchor(0), native)
        self.encoder, self.collect = encoding.encoder(), encoding.packed
        self.kept: list[bytes] = []

    def prepare(self, span: Any, resource: Any) -> bytes:
        """See Target."""
        return self.encoder.span(span)

    def send(self, items: Packed, resource: Any) -> Loss | None:
        """See Target."""
        self.kept.append(items.body(b"", b""))
        return None


class Side:
    """One of them."""

    def __init__(
        self, settings: Settings, native: bool, sampled: bool = True, measured: bool = False, always: bool = False
    ) -> None:
        self.sink = Keeping(True)
        ids: Any = Ids(sampled, always)
        source = Queue()
        self.queue = source.queue
        self.pipeline = Pipeline(
            source, ids, settings, lambda: Outbox([self.sink], lambda: None), unmetered(), settings.detail != "none",
            native,
        )  # fmt: skip
        drain: Any = self.pipeline._drain
        self.feed: Callable[[Record], bool | None] = drain.__self__.feed if native else self.pipeline.assembler.feed
        self.pipeline.open()
        self.sums = self.pipeline.metrics.sums
        if measured:
            self.sums.sample = Sample(10_000_000, 5, seed=1)


class Sides:
    """Both, in the place of a `tests.records.Cold`."""

    def __init__(self, settings: Settings, sampled: bool = True, measured: bool = False, always: bool = False) -> None:
        self.sides = [Side(settings, native, sampled, measured, always) for native in (False, True)]
        #: records, and those that went the ordinary way
        self.fed = self.ordinary = 0

    def feed(self, *records: Record) -> None:
        """Feed records."""
        for record in records:
            self.fed += 1
            python, native = (side.feed(record) for side in self.sides)
            assert python is None and native in (True, False)
            self.ordinary += native

    def drain(self, *records: Record) -> None:
        """Put records into the source, and take them from there."""
        for side in self.sides:
            side.queue.extend(records)
            left = len(records)
            while fed := side.pipeline._drain(left):
                left -= fed
            assert left == 0 and not side.queue

    def tick(self, now: int) -> None:
        """A round of what time brings, without the sweep."""
        for side in self.sides:
            if now >= side.pipeline.budget.due:
                side.pipeline.budget.look(now, 0.0)
            side.pipeline.stalls.tick(now)
            for _ in side.pipeline.tracer.tick(now):
                pass

    def sweep(self, now: int) -> None:
        """A round and its sweep."""
        self.tick(now)
        for side in self.sides:
            for _ in side.pipeline.sweep(now):
                pass

    def finish(self, now: int) -> None:
        """Close what is open."""
        for side in self.sides:
            for _ in side.pipeline.tracer.finish(now):
                pass

    def compare(self) -> None:
        """Both sent the same bytes, and are in the same state."""
        python, native = self.sides
        for side in self.sides:
            assert side.pipeline.outbox is not None
            side.pipeline.outbox.flush()
        for one, other in itertools.zip_longest(python.sink.kept, native.sink.kept):
            assert one == other
        difference = differs(python, native)
        assert difference is None, difference


def differs(one: Any, other: Any) -> str | None:
    """Where two graphs of objects differ, None where they do not."""
    seen: set[tuple[int, int]] = set()
    pairs: deque[tuple[str, Any, Any]] = deque([("", one, other)])
    while pairs:
        path, a, b = pairs.pop()
        if a is b or isinstance(a, (FunctionType, MethodType, BuiltinMethodType)) or (id(a), id(b)) in seen:
            continue
        seen.add((id(a), id(b)))
        if isinstance(a, (int, float)) and isinstance(b, (int, float)):
            if abs(a - b) > 1e-6 * abs(a):
                return f"{path}: {a!r} and {b!r}"
        elif isinstance(a, RecentlyPlaced):
            for key, places in a._places._items.items():
                pairs.append((f"{path}.{key}", places, b.get(*key)))
        elif isinstance(a, dict) and not isinstance(b, dict):  # of lives
            pairs.append((path, a, {id: b[id] for id in b}))
        elif type(a) is not type(b):
            return f"{path}: {a!r} and {b!r}"
        elif isinstance(a, (str, bytes, Place)):
            if a != b:
                return f"{path}: {a!r} and {b!r}"
        else:
            parts, others = list(_parts(a)), list(_parts(b))
            if [name for name, _ in parts] != [name for name, _ in others]:
                return f"{path}: {a!r} and {b!r}"
            pairs.extend((f"{path}.{name}", part, its) for (name, part), (_, its) in zip(parts, others, strict=True))
    return None


def _parts(holder: Any) -> Iterator[tuple[str, Any]]:
    """What an object consists of, by name; of what has an order, in it."""
    if isinstance(holder, Mapping):
        # by the ids of objects that each side has for itself, in the order in which they came
        yield from ((str(place) if type(key) is int and key > 1 << 40 else repr(key), value)
                    for place, (key, value) in enumerate(holder.items()))  # fmt: skip
    elif isinstance(holder, (list, tuple, deque)):
        yield from ((str(place), item) for place, item in enumerate(holder))
    elif not isinstance(holder, random.Random):
        slots = {name for kind in type(holder).__mro__ for name in getattr(kind, "__slots__", ())}
        for name in sorted(slots | set(getattr(holder, "__dict__", ()))):
            if name not in APART and hasattr(holder, name) and not (isinstance(holder, Visit) and name == "_whose"):
                yield name, getattr(holder, name)
