"""The extension whose source is `src/native/otlp.c`: see loopscope.pipeline.otlp."""

from loopscope.pipeline.protobuf import Values
from loopscope.pipeline.spans.span import Span

class Encoder:
    def __init__(self, offset: int, values: Values, /) -> None: ...
    def span(self, span: Span, /) -> bytes: ...
