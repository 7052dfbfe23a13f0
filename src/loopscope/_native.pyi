"""The extension whose sources are in `src/native`: see loopscope.capture.native, pipeline.otlp, pipeline.pipeline."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from loopscope import model
from loopscope.capture.buffer import Buffer
from loopscope.capture.life import Here, LoopState
from loopscope.model import SpanIdentity, Where
from loopscope.pipeline.protobuf import Values
from loopscope.pipeline.spans.span import Span

class Core:
    on: bool
    dozing: bool
    cramped: int
    asleep: bool
    deaf: bool
    limit: int
    reserve: int
    buffer: Buffer
    queue: deque[model.Record]
    threads: dict[int, Here]
    current: Callable[[], Any]
    current_in: Callable[[Any], Any]
    describe: Callable[[Any], SpanIdentity | None]
    def creator(self) -> str | None: ...

class Life:
    activated: list[SpanIdentity] | None
    cancels: int
    cell: Callable[[], Any]
    excluded: bool
    here: Here | None
    hush: int
    id: int
    index: int
    left: bool
    loop: LoopState
    muted: bool
    name: str
    over: bool
    place: model.Place
    ready: int
    span: SpanIdentity | None
    started: int
    unborn: bool
    uncancelled: int
    def __init__(self, id: int, place: model.Place, loop: LoopState, excluded: bool, /) -> None: ...

class Weight: ...

class Step:
    def __init__(self, core: Core, subject: tuple[Any, Any, Any]) -> None: ...

class Callback:
    def __init__(
        self, core: Core, callback: Any, kind: str, since: int, waker: int = 0, waker_step: int = 0, /
    ) -> None: ...

class Record: ...
class Guard: ...

class Bell:
    def ring(self) -> None: ...
    def wait(self, timeout: float = ..., /) -> None: ...

class Gate:
    def __init__(self, core: Core, original: Any, reference: Any, debugging: Any = ..., spawns: bool = ...) -> None: ...

class Collected:
    def __init__(self, core: Core, lately: deque[tuple[int, int]], least: int) -> None: ...
    def __call__(self, phase: str, info: dict[str, int]) -> None: ...
    since: int

class Select:
    def __init__(self, core: Core, here: Here, where: Where, original: Any) -> None: ...

class Encoder:
    def __init__(self, offset: int, values: Values, /) -> None: ...
    def span(self, span: Span, /) -> bytes: ...

class Placed:
    def __init__(self, size: int, /) -> None: ...
    def add(self, task: int, step: int, trace_id: int, span_id: int, /) -> None: ...
    def get(self, task: int, step: int, /) -> tuple[int, ...] | None: ...

class Lives:
    awake: int
    def __init__(self, most: int, /) -> None: ...
    def get(self, id: int, /) -> model.TaskLife | None: ...
    def pop(self, id: int, default: None, /) -> model.TaskLife | None: ...
    def __setitem__(self, id: int, life: model.TaskLife, /) -> None: ...
    def __getitem__(self, id: int, /) -> model.TaskLife: ...
    def __contains__(self, id: int, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...

class Packed:
    size: int
    def append(self, span: bytes, /) -> None: ...
    def __len__(self) -> int: ...
    def body(self, head: bytes, tail: bytes, /) -> bytes: ...

class Ordinary:
    def __init__(self, pipeline: Any, /) -> None: ...
    def feed(self, record: model.Record, /) -> bool: ...
    def drain(self, most: int, /) -> int: ...

def watch_tasks(kind: type, instead: Callable[..., None] | None, /) -> None: ...
