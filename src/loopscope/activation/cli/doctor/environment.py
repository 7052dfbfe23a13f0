"""Whether the environment here switches loopscope on, and whether its settings can be used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from typing import TypeVar

from loopscope.activation.cli.doctor.finding import FAIL, OK, WARN, Finding, Findings
from loopscope.settings import ENABLED, PREFIX, Settings, Standard, known_settings, switched_on, unknown_settings

_Value = TypeVar("_Value")

_ON = f"export {ENABLED}=true, or use opentelemetry-instrument, instrument() or loopscope run"


def findings(standard: Standard, environment: Mapping[str, str] | None = None) -> Findings:
    """The lines; `environment` is this process's by default."""
    yield _enabled(environment)
    if standard.disabled:
        yield Finding(FAIL, "OTEL_SDK_DISABLED=true: nothing is recorded nor sent", "unset OTEL_SDK_DISABLED")
    with _warnings() as told:
        settings = Settings.load(environment)
    bad = [line for line in told if not line.startswith(ENABLED)]  # that one is told already
    yield from (Finding(FAIL, line, "correct or unset the variable") for line in bad)
    yield from map(_unknown, unknown_settings(environment))
    names = [field.name for field in fields(Settings) if field.name != "enabled"]
    changed = [f"{name.upper()}={getattr(settings, name)}" for name in names if _differs(settings, name)]
    if changed:
        yield Finding(OK, f"settings: {', '.join(changed)}")
    elif not bad:
        yield Finding(OK, "settings: all have their defaults")


def quietly(read: Callable[[], _Value]) -> _Value:
    """What reading gives, without its warnings: they were told before."""
    with _warnings():
        return read()


def _enabled(environment: Mapping[str, str] | None) -> Finding:
    with _warnings() as told:
        on = switched_on(environment)
    if on:
        return Finding(OK, f"switched on by {ENABLED}")
    if told:
        return Finding(FAIL, told[0], f"set {ENABLED}=true")
    if on is None:
        return Finding(WARN, f"{ENABLED} is not set: programs started from here are not recorded", _ON)
    return Finding(WARN, f"{ENABLED} says no: programs started from here are not recorded", f"set {ENABLED}=true")


def _unknown(variable: str) -> Finding:
    near = get_close_matches(variable.removeprefix(PREFIX), known_settings(), 1)
    said = f"{variable} is no setting, nothing reads it"
    return Finding(WARN, said, f"did you mean {PREFIX}{near[0]}?" if near else "unset it")


def _differs(settings: Settings, name: str) -> bool:
    return bool(getattr(settings, name) != getattr(Settings(), name))


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What loopscope's logger says inside, kept from everybody else."""
    logger, told = logging.getLogger("loopscope"), list[str]()

    def keep(record: logging.LogRecord) -> bool:
        told.append(record.getMessage())
        return False

    logger.addFilter(keep)
    try:
        yield told
    finally:
        logger.removeFilter(keep)
