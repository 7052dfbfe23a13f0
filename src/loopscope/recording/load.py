"""From files, trace ids and pasted addresses to one Timeline."""

from __future__ import annotations

import os
from collections.abc import Sequence

from loopscope.recording import addresses, api, file, http
from loopscope.recording.assembly import assemble
from loopscope.recording.errors import SourceError
from loopscope.recording.spans import Spans
from loopscope.recording.timeline import Timeline
from loopscope.settings import Backends

_NO_BACKEND = "say where: OTEL_PYTHON_LOOPSCOPE_JAEGER_URL or OTEL_PYTHON_LOOPSCOPE_TEMPO_URL"
_NONE_OF_OURS = (
    "was the service run with OTEL_PYTHON_LOOPSCOPE_ENABLED=true, and does loopscope export to the same place?"
)


def load(sources: Sequence[str], backends: Backends | None = None) -> Timeline:
    """The Timeline of all sources together: paths of trace files, trace ids, addresses of pages or APIs.

    Raises SourceError, also where no task of loopscope's is among what was read.
    """
    return timeline(sources, load_spans(sources, backends))


def timeline(sources: Sequence[str], found: Spans) -> Timeline:
    """The Timeline of what sources held. Raises SourceError where nothing of it is loopscope's."""
    made = assemble(found)
    if not made.tasks:
        where = ", ".join(map(http.without_secrets, sources))
        raise SourceError(f"{where}: none of the {len(found.spans)} spans is loopscope's, {_NONE_OF_OURS}")
    return made


def load_spans(sources: Sequence[str], backends: Backends | None = None) -> Spans:
    """The spans of all sources together, also those that are not loopscope's. Raises SourceError."""
    if not sources:
        raise SourceError("name a trace file, a trace id, or the address of a page that shows a trace", usage=True)
    found = Spans()
    for source in sources:
        found.add(_one(source, backends or Backends()))
    return found


def _one(source: str, backends: Backends) -> Spans:
    if addresses.is_address(source):
        return _asked(addresses.parse(source), backends)
    if os.path.exists(source):
        return _file(source)
    if addresses.is_trace_id(source):
        return _by_id(source.lower().zfill(32), backends)
    raise SourceError(
        f"no such file: {source} (and no trace id, which has 32 hexadecimal digits, and no address)", usage=True
    )


def _file(path: str) -> Spans:
    found = file.read(path)
    if not found.spans and not found.missing:
        raise SourceError(f"{path} is empty: nothing was recorded in it")
    return found


def _asked(asked: addresses.Asked, backends: Backends) -> Spans:
    base = asked.base or backends.tempo
    if not base:
        raise SourceError(asked.advice, usage=True)
    found = Spans()
    for trace_id in asked.trace_ids:
        found.add(api.read(addresses.base(base), asked.paths, trace_id, backends.headers, backends.timeout))
    return found


def _by_id(trace_id: str, backends: Backends) -> Spans:
    """Ask each backend that is known, until one has it."""
    known = [(base, paths) for base, paths in ((backends.jaeger, api.JAEGER), (backends.tempo, api.TEMPO)) if base]
    if not known:
        raise SourceError(f"no file is named {trace_id}, and if it is a trace's id, {_NO_BACKEND}", usage=True)
    gone: SourceError | None = None
    for base, paths in known:
        try:
            return api.read(addresses.base(base), paths, trace_id, backends.headers, backends.timeout)
        except http.NotThere as error:
            gone = gone or error
    assert gone is not None
    raise gone
