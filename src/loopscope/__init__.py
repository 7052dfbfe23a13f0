"""loopscope shows what an asyncio event loop did, as OpenTelemetry spans.

The house: `settings` reads the environment, `model` has the vocabulary, `conventions` the names; `capture`
writes a record per step in the loop's thread, `pipeline` makes spans of them in a background thread,
`recording` reads and writes trace files, `views` draw them, `runtime` puts all together, `activation` is how
one switches it on. ARCHITECTURE.md tells more. Importing this package imports nothing else.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes longer to import than all else at a start
if TYPE_CHECKING:
    from typing import Any

    from loopscope.activation.instrumentor import LoopscopeInstrumentor as LoopscopeInstrumentor
    from loopscope.settings import Settings as Settings

    __version__: str

__all__ = ["LoopscopeInstrumentor", "Settings", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "LoopscopeInstrumentor":
        from loopscope.activation.instrumentor import LoopscopeInstrumentor

        return LoopscopeInstrumentor
    if name == "Settings":
        from loopscope.settings import Settings

        return Settings
    if name == "__version__":
        from loopscope.conventions import VERSION

        return VERSION
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
