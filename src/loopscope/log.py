"""The logger `loopscope`, as all of ours write to it.

Filters, record factories and handlers are the application's own, and may raise where loopscope has something to say, as
a filter that reads a request's id does outside of one. A lost line is no reason to stop, and nothing of the host's.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from loopscope.uncollected import release

#: frames from where a line is said to come to the one of ours that says it; before 3.11 logging's own count, too
_ABOVE = 2 if sys.version_info >= (3, 11) else 3


class Log(logging.LoggerAdapter):  # type: ignore[type-arg]  # generic at run time from 3.11 on
    """Raises nothing but what is meant for the host."""

    #: whether that is so: what a signal handler raises is, and what ends the program in its main thread
    passes: Callable[[BaseException], bool] = staticmethod(lambda error: not isinstance(error, Exception))

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        """See LoggerAdapter."""
        more.setdefault("stacklevel", _ABOVE)
        release()  # a handler may take its time
        try:
            super().log(level, msg, *args, **more)
        except BaseException as error:
            if self.passes(error):
                raise


logger = Log(logging.getLogger("loopscope"), {})
