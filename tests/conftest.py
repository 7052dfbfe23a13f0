"""Nothing of loopscope is left installed after any test."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import os
import signal
import sys
import warnings
from collections.abc import Iterator

import pytest
import uvloop
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.sdk.trace import Span

from loopscope.capture import creations

WATCHED = [
    (asyncio.base_events.BaseEventLoop, ("call_soon", "call_soon_threadsafe", "call_at", "run_in_executor", "create_task", "call_exception_handler")),
    (uvloop.Loop, ("call_soon", "call_soon_threadsafe", "call_later", "run_forever", "run_in_executor", "create_task", "call_exception_handler")),
    (ContextVarsRuntimeContext, ("attach", "detach")),
    (Span, ("start", "end")),
    (signal, ("raise_signal",)),
    (os, ("kill",)),
    (asyncio, ("_set_running_loop",)),
    (asyncio.events, ("_set_running_loop",)),
    (warnings, ("_warn_unawaited_coroutine",)),
    *((stream, ("write",)) for stream in (sys.__stdout__, sys.__stderr__) if stream is not None),
    (concurrent.futures.thread._WorkItem, ("__init__", "run")),
    *((getattr(asyncio, kind), ("__init__",)) for kind in creations.KINDS if hasattr(asyncio, kind)),
]  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_left_installed() -> Iterator[None]:
    """Compare every patched attribute before and after."""
    before = {(owner, name): vars(owner).get(name) for owner, names in WATCHED for name in names}
    yield
    for (owner, name), value in before.items():
        assert vars(owner).get(name) is value, f"{owner!r}: {name} was left replaced"
