"""Asks a backend for one trace, by each of the paths that its API may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loopscope.recording import documents, http
from loopscope.recording.errors import SourceError
from loopscope.recording.spans import Spans

#: Jaeger's API: version 3 keeps the attributes of links, the page's own does not
JAEGER = ("/api/v3/traces/", "/api/traces/")
#: Tempo's: version 2 says when a trace is not whole
TEMPO = ("/api/v2/traces/", "/api/traces/")
#: whose it is, is not known
ANY = ("/api/v3/traces/", "/api/v2/traces/", "/api/traces/")


def read(base: str, paths: Sequence[str], trace_id: str, headers: Mapping[str, str], timeout: float) -> Spans:
    """The trace's spans, by the first path that knows it. Raises SourceError, NotThere where none does."""
    gone: SourceError | None = None
    for path in paths:
        try:
            found = _read(f"{base}{path}{trace_id}", headers, timeout)
        except http.NotThere as error:
            gone = gone or error
            continue
        if found.spans:
            return found
    where = http.without_secrets(base)
    raise http.NotThere(f"{where} has no trace {trace_id}" + ("" if gone is None else f": {gone}"))


def _read(url: str, headers: Mapping[str, str], timeout: float) -> Spans:
    found = Spans()
    for document in http.get(url, headers, timeout):
        try:
            found.add(documents.read(document))
        except documents.Unknown:
            told = http.message(document)
            why = f": {told}" if told else ", but with JSON of something else than traces"
            raise http.NotThere(f"{http.without_secrets(url)} answers{why}") from None
        except documents.BROKEN:
            raise SourceError(f"{http.without_secrets(url)} answers with spans that cannot be read") from None
    return found
