"""The TracerProvider whose resource, sampler and ids loopscope uses: the application's, else one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import opentelemetry.trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    TELEMETRY_SDK_LANGUAGE,
    TELEMETRY_SDK_NAME,
    TELEMETRY_SDK_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, DEFAULT_ON
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import SpanKind

from loopscope import uncollected
from loopscope.log import logger
from loopscope.pipeline.ids import Ids
from loopscope.pipeline.spans.traces import Sampled
from loopscope.threads import is_for_host

#: so many providers may stand one for the other
_STANDING = 8
#: what a sampler says that always says yes
_ALWAYS = Sampled(True, [], None)


def _always(sampler: Any) -> bool:
    """Whether it says yes to every root, and need not be asked."""
    return sampler is DEFAULT_ON or sampler is ALWAYS_ON


class Spare(NamedTuple):
    """What can be used for spans without asking for each. Ids are taken from the lists' ends; none of them is zero."""

    span_ids: list[int]
    trace_ids: list[int]
    #: what the sampler says to every root; None where it is to be asked
    sampled: Sampled | None


def global_provider() -> Any:
    """The provider that the application set, None for none. `get_tracer_provider()` would set one."""
    return within(opentelemetry.trace._TRACER_PROVIDER)


def within(provider: Any) -> Any:
    """The SDK's provider that another one stands for, by the name that such have for it; else the provider itself."""
    if provider is None:
        return None
    one = provider
    for _ in range(_STANDING):
        if type(one) is TracerProvider or isinstance(one, TracerProvider):  # its class is slow to ask
            return one
        try:
            one = one.provider
        except Exception:
            break
    return provider


def _plain_resource() -> Resource:
    """The SDK's default resource and what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say: no other detectors."""
    default = Resource(
        {
            SERVICE_NAME: "unknown_service",
            TELEMETRY_SDK_LANGUAGE: "python",
            TELEMETRY_SDK_NAME: "opentelemetry",
            TELEMETRY_SDK_VERSION: sdk_version,
        }
    )
    try:
        return default.merge(OTELResourceDetector().detect())
    except Exception:
        return default


class Provider:
    """Asks the application's provider, from the moment there is one."""

    def __init__(self, given: Any = None) -> None:
        self.given = given
        self._own: TracerProvider | None = None
        #: the global provider as last seen, and what was chosen then
        self._seen: Any = None
        self._chosen: Any = None
        self._ids = Ids()
        #: the id generator of the provider in use, None where it makes random ids as we do
        self._generator: Any = None
        #: errors of a sampler, an id generator or a resource detector
        self.errors = 0

    def sdk(self) -> Any:
        """The provider in use: given, the application's, or our own."""
        found = global_provider()
        if self._chosen is None or found is not self._seen:
            self._seen, self._chosen = found, self._choose(found)
            generator = self._chosen.id_generator
            self._generator = None if type(generator) is RandomIdGenerator else generator
        return self._chosen

    def _choose(self, found: Any) -> Any:
        for provider in (within(self.given), found):
            if isinstance(provider, TracerProvider):
                return provider
        if self._own is None:
            try:
                with uncollected.paused():  # what detects resources may take its time
                    self._own = TracerProvider(shutdown_on_exit=False)
            except Exception as error:
                # The SDK detects resources in threads, and 3.12 starts none once the main program is over.
                if "shutdown" not in str(error):
                    self._fail("building a TracerProvider from the OTEL_* variables")
                self._own = TracerProvider(resource=_plain_resource(), shutdown_on_exit=False)
        return self._own

    def resource(self) -> Any:
        """The resource of what is exported now."""
        return self.sdk().resource

    def trace_id(self) -> int:
        """A new trace id."""
        self.sdk()
        return self._generated("generate_trace_id", 128) or self._ids.trace_id()

    def span_id(self) -> int:
        """A new span id."""
        if global_provider() is not self._seen or self._chosen is None:  # as `sdk`, for speed
            self.sdk()
        return self._generated("generate_span_id", 64) or self._ids.span_id()

    def _generated(self, method: str, bits: int) -> int | None:
        """An id of the application's generator; None where it has none, or gives none that can be one."""
        if self._generator is None:
            return None
        with self._failing("the id generator"):
            with uncollected.paused(0):
                made = int(getattr(self._generator, method)())
            if not 0 < made < 1 << bits:
                raise ValueError(f"{method}() returned {made}, which is no id of {bits} bits")
            return made
        return None

    def spare(self) -> Spare | None:
        """What may be used at once; None where each id is to be asked for."""
        sdk = self.sdk()
        if self._generator is not None:
            return None
        return Spare(self._ids.spans(), self._ids.traces(), _ALWAYS if _always(sdk.sampler) else None)

    def sample(self, trace_id: int, name: str) -> Sampled:
        """Ask the sampler of a new root; one that fails samples nothing."""
        with self._failing("the sampler"):
            sampler = self.sdk().sampler
            if _always(sampler):
                return _ALWAYS
            with uncollected.paused(0):
                said = sampler.should_sample(Context(), trace_id, name, SpanKind.INTERNAL, None, ())
            return Sampled(said.decision.is_sampled(), list((said.attributes or {}).items()), said.trace_state)
        return Sampled(False, [], None)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """Whatever the application's own code within raises is told, but for what is meant to end the program."""
        try:
            yield
        except BaseException as error:
            if is_for_host(error):
                raise
            self._fail(what)

    def _fail(self, what: str) -> None:
        self.errors += 1
        if self.errors == 1:
            logger.exception("loopscope: %s failed; going on without", what)

    def forked(self) -> None:
        """In a forked child: random ids of its own."""
        self._ids = Ids()
