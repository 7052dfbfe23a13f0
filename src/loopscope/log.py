"""The logger `loopscope`, as all of ours write to it.

Filters, record factories and handlers are the application's own, and may raise where loopscope has something to say, as
a filter that reads a request's id does outside of one. A lost line is no reason to stop, and nothing of the host's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from loopscope import collection


class Log(logging.LoggerAdapter):  # type: ignore[type-arg]  # generic at run time from 3.11 on
    """Raises nothing but what is meant for the host."""

    #: whether that is so: what a signal handler raises is
    passes: Callable[[BaseException], bool] = staticmethod(lambda error: False)

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        """See LoggerAdapter."""
        try:
            with collection.running():
                super().log(level, msg, *args, **more)
        except Exception as error:
            if self.passes(error):
                raise


logger = Log(logging.getLogger("loopscope"), {})
