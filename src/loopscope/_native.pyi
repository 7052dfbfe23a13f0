"""The extension whose sources are in `src/native`: see loopscope.capture.native, pipeline.otlp, pipeline.pipeline."""

from collections import deque
from collections.abc import Callable
from typing import Any

from loopscope.capture.buffer import Buffer
from loopscope.model import Record
from loopscope.pipeline.protobuf import Values
from loopscope.pipeline.spans.span import Span

class Core:
    on: bool
    dozing: bool
    asleep: bool
    deaf: bool
    limit: int
    buffer: Buffer
    queue: deque[Record]
    current: Callable[[], Any]

class Step:
    def __init__(self, core: Core, subject: tuple[Any, Any, Any]) -> None: ...

class Gate:
    def __init__(self, core: Core, original: Any, reference: Any) -> None: ...

class Encoder:
    def __init__(self, offset: int, values: Values, /) -> None: ...
    def span(self, span: Span, /) -> bytes: ...

class Ordinary:
    def __init__(self, pipeline: Any, /) -> None: ...
    def feed(self, record: Record, /) -> bool: ...
