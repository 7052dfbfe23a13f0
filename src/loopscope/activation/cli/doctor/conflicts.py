"""Other packages here that touch what loopscope touches."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from loopscope.activation.cli.doctor.finding import OK, WARN, Finding, Findings

#: what each does, and what to do about it; empty for nothing
_KNOWN = {
    "opentelemetry-instrumentation-asyncio": (
        "works beside loopscope: what it wraps is looked through, its own spans and metrics are its own", "",
    ),
    "ddtrace": (
        "where ddtrace-run or its patch() is used, its wrappers are looked through, its traces are its own",
        "send both to one place, or switch one off, to read one story",
    ),
    "sentry-sdk": ("where its asyncio integration is on, its task wrapper is looked through", ""),
    "nest-asyncio": (
        "where apply() is called, it replaces how loops and tasks run: steps may be missing or nested",
        "do not apply it in what loopscope is to record",
    ),
    "gevent": (
        "where monkey.patch_all() is called, threads and the selector are greenlets: times are of greenlets too",
        "do not patch what runs asyncio",
    ),
}  # fmt: skip


def findings() -> Findings:
    """A line for each that is installed."""
    none = True
    for name, (what, advice) in _KNOWN.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        none = False
        yield Finding(WARN if advice else OK, f"{name} {found} is installed: {what}", advice)
    if none:
        yield Finding(OK, "no package is installed that is known to touch asyncio")
