"""The composition root: settings make capture and pipeline, and start and stop them.

One runtime per process. `start` and `stop` are idempotent; `flush` waits until what happened so far is sent;
`statistics` tells what was recorded, sent and lost.
"""

from __future__ import annotations

from loopscope.runtime.composition import Runtime
from loopscope.runtime.process import current, flush, start, statistics, stop

__all__ = ["Runtime", "current", "flush", "start", "statistics", "stop"]
