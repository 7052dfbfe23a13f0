"""The extension whose sources are in `src/native`: see loopscope.capture.native."""

from collections import deque
from collections.abc import Callable
from typing import Any

from loopscope.capture.buffer import Buffer
from loopscope.model import Record

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
