"""Asks an HTTP API for JSON, and says in one line what went wrong."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from loopscope.recording import documents
from loopscope.recording.errors import SourceError
from loopscope.recording.inflate import MAGIC

_REFUSED = {
    401: "it wants to know who asks: give a header, such as Authorization",
    403: "it does not let you read this: give another header, such as Authorization",
}


class NotThere(SourceError):
    """The API does not know this address (404), or answers with a page in its place."""


def get(url: str, headers: Mapping[str, str], timeout: float) -> list[Any]:
    """The JSON documents of the answer. Raises SourceError, NotThere for a 404 and for a page of HTML."""
    said = without_secrets(url)
    try:
        request = urllib.request.Request(said, headers={"Accept": "application/json"})
        for name, value in (authorization(url) | dict(headers)).items():
            request.add_unredirected_header(name, value)  # a redirect elsewhere must not learn them
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            kind, content = str(answer.headers.get("Content-Type") or ""), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(said, error) from None
    except urllib.error.URLError as error:
        raise SourceError(f"{said} does not answer: {_reason(error.reason, timeout)}") from None
    except (OSError, http.client.HTTPException) as error:
        raise SourceError(f"{said} does not answer: {_reason(error, timeout)}") from None
    except (ValueError, UnicodeError) as error:
        raise SourceError(f"{said} is no usable address or header: {error}", usage=True) from None
    return _documents(said, kind, content)


def without_secrets(url: str) -> str:
    """The address as it may be shown: without a password."""
    named = "://" in url
    try:
        parts = urlsplit(url if named else f"//{url}")
        shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return url
    return shown if named else shown.removeprefix("//")


def authorization(url: str) -> dict[str, str]:
    """The header for a name and a password in the address."""
    parts = urlsplit(url)
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _documents(said: str, kind: str, content: bytes) -> list[Any]:
    try:
        if content.startswith(MAGIC):
            content = zlib.decompress(content, 31)
        return list(documents.several(content.decode("utf-8", "replace")))
    except (ValueError, RecursionError, zlib.error):
        what = f"{said} answers, but not with JSON ({kind or 'no content type'})"
        if "html" in kind:
            raise NotThere(f"{what}: is this the address of the API?") from None
        raise SourceError(what) from None


def _refused(said: str, error: urllib.error.HTTPError) -> SourceError:
    told = _told(error)
    if error.code == 404:
        return NotThere(f"{said} answers 404{told}")
    advice = _REFUSED.get(error.code)
    return SourceError(f"{said} answers {error.code}{told}" + (f": {advice}" if advice else ""))


def _told(error: urllib.error.HTTPError) -> str:
    """What the answer says of it, in one short line."""
    try:
        content = error.read(2000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        return ""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        first = content.splitlines()[0] if content and "<" not in content else ""
        return f" ({first[:200]})" if first else ""
    told = message(document)
    return f" ({told[:200]})" if told else ""


def message(document: Any) -> str:
    """The message in an error of Jaeger's (either version) or Tempo's."""
    if isinstance(document, dict):
        for key in ("message", "msg", "error", "errors"):
            if key in document:
                return message(document[key])
        return ""
    if isinstance(document, list):
        return message(document[0]) if document else ""
    return " ".join(document.split()) if isinstance(document, str) else ""


def _reason(error: object, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came within {timeout:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused, is it running?"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error})"
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
