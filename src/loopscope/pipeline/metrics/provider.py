"""The meter provider on which the instruments are: the one given, or the application's once there is one."""

from __future__ import annotations

from typing import Any

import opentelemetry.metrics
from opentelemetry.metrics import NoOpMeterProvider

_internal = getattr(opentelemetry.metrics, "_internal", None)

#: whether this version keeps the global provider where it can be read without setting one
READABLE = hasattr(_internal, "_METER_PROVIDER")


def global_meter_provider() -> Any:
    """The provider that the application set, None for none. `get_meter_provider()` may set one."""
    return _internal._METER_PROVIDER if READABLE else None  # type: ignore[union-attr]


def application_provider(given: Any) -> Any:
    """The provider given, else the application's; None for none, and for one that does nothing."""
    provider = global_meter_provider() if given is None else given
    return None if isinstance(provider, NoOpMeterProvider) else provider
