"""What loopscope looks at of the application's OpenTelemetry: current spans, activations, starts and ends.

Private names stand here, and a test fails when a version moves them: `_RUNTIME_CONTEXT`, its class and its
ContextVar, `_SPAN_KEY`, the SDK's `Span.start` and `Span.end`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from functools import wraps
from operator import methodcaller
from typing import Any

import opentelemetry.context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.trace import SpanContext
from opentelemetry.trace.propagation import _SPAN_KEY

from loopscope.model import SPAN_END, SPAN_START, Record, SpanIdentity, clock

#: open spans remembered that began before loopscope was switched on, or say so
_SEEN = 4096

RuntimeContext = ContextVarsRuntimeContext
Span = SdkSpan


def _span_in(context: Any) -> Any:
    return context.get(_SPAN_KEY) if context else None


def _is_told(identity: Any) -> bool:
    """Whether that is an identity which can be told: a span may be anybody's, a test's double say."""
    if type(identity) is not SpanContext and not (
        isinstance(identity, SpanContext) and isinstance(identity.trace_id, int) and isinstance(identity.span_id, int)
    ):
        return False
    return identity.is_valid and isinstance(identity.trace_flags, int)


def _never(error: BaseException) -> bool:
    return False


class Application:
    """Looks at current spans for capture; writes records of local spans' starts and ends."""

    def __init__(
        self, put: Callable[[Record], object], since: int, passes: Callable[[BaseException], bool] = _never
    ) -> None:
        self._put = put
        #: whether an error is none of the span's that is asked, but one to be passed on: a signal handler's
        self._passes = passes
        #: Unix time in nanoseconds since which starts are seen
        self._since = since
        self._seen: set[int] = set()
        runtime = opentelemetry.context._RUNTIME_CONTEXT
        if isinstance(runtime, ContextVarsRuntimeContext):
            variable = runtime._current_context
            self.current: Callable[[], Any] = variable.get
            none = Context().run(variable.get)  # its default
            self.current_in: Callable[[Any], Any] = methodcaller("get", variable, none)
            #: activations pass by the class whose methods are hooked
            self.heard = True
        else:
            self.heard = False
            self.current = opentelemetry.context.get_current
            self.current_in = lambda context: context.run(opentelemetry.context.get_current)

    def describe(self, context: Any) -> SpanIdentity | None:
        """The identity of the span in an OpenTelemetry context, None for none."""
        span = _span_in(context)
        if span is None:
            return None
        try:
            identity: SpanIdentity = span.get_span_context()
            if not _is_told(identity):
                return None
        except Exception as error:
            if self._passes(error):
                raise
            return None
        if not identity.is_remote and identity.trace_flags & 1:
            self._meet(span, identity)
        return identity

    def _meet(self, span: Any, identity: SpanIdentity) -> None:
        """A local span whose start was not seen counts as started now."""
        if identity.span_id in self._seen or not self._began_unseen(span):
            return
        self._met(identity.span_id)
        self._put((SPAN_START, identity.trace_id, clock()))

    def _met(self, span_id: int) -> None:
        if len(self._seen) >= _SEEN:
            self._seen.clear()
        self._seen.add(span_id)

    def _began_unseen(self, span: Any) -> bool:
        try:
            if isinstance(span, SdkSpan) and (span.start_time or 0) >= self._since:
                return False
            return bool(span.is_recording())
        except Exception as error:
            if self._passes(error):
                raise
            return False

    @staticmethod
    def attach(activate: Callable[[Any], None], fail: Callable[[], None]) -> Callable[[Any], Any]:
        """For `ContextVarsRuntimeContext.attach`: tell capture what is activated, if it was not current before.

        As an exporter's own attach, say, when a span has ended.
        """

        def replace(original: Any) -> Any:
            @wraps(original)
            def attach(self: Any, context: Any) -> Any:
                try:
                    if _span_in(context) is not _span_in(self._current_context.get()):
                        activate(context)
                except Exception:
                    fail()
                return original(self, context)

            return attach

        return replace

    @staticmethod
    def detach(leave: Callable[[], None], fail: Callable[[], None]) -> Callable[[Any], Any]:
        """For `ContextVarsRuntimeContext.detach`: tell capture that a span is left."""

        def replace(original: Any) -> Any:
            @wraps(original)
            def detach(self: Any, token: Any) -> None:
                try:
                    leave()
                except Exception:
                    fail()
                finally:
                    original(self, token)

            return detach

        return replace

    def started(self, original: Any) -> Any:
        """For the SDK's `Span.start`."""
        put, since, met = self._put, self._since, self._met

        @wraps(original)
        def start(self: Any, *args: Any, **options: Any) -> None:
            identity = self._context
            if identity.trace_flags & 1:
                put((SPAN_START, identity.trace_id, clock()))
            given = args[0] if args else options.get("start_time")
            if type(given) is int and given < since:  # so the application says: it is seen all the same
                met(identity.span_id)
            original(self, *args, **options)

        return start

    def ended(self, original: Any) -> Any:
        """For the SDK's `Span.end`."""
        put, seen = self._put, self._seen

        @wraps(original)
        def end(self: Any, *args: Any, **options: Any) -> None:
            identity = self._context
            if identity.trace_flags & 1 and self._end_time is None:
                put((SPAN_END, identity.trace_id, clock()))
            original(self, *args, **options)
            if seen:
                seen.discard(identity.span_id)

        return end
