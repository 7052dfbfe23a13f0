"""Tells processes apart, by what their resource says of them."""

from __future__ import annotations

from dataclasses import replace

from loopscope.recording.spans import Attributes, Span, text, whole
from loopscope.recording.timeline import Process

_SERVICE, _PID, _HOST, _INSTANCE = "service.name", "process.pid", "host.name", "service.instance.id"


class Processes:
    """The processes that sent spans, by key."""

    def __init__(self) -> None:
        self.found: dict[str, Process] = {}
        self._keys: dict[int, str] = {}

    def key(self, span: Span) -> str:
        """The key of the process that sent a span."""
        known = self._keys.get(id(span.resource))  # spans share their resource, and keep it alive
        if known is None:
            known = self._keys[id(span.resource)] = self._new(span.resource)
        return known

    def like(self, key: str) -> None:
        """Know a process by this key too: that of another, and a mark that tells it from that one."""
        if key not in self.found:
            self.found[key] = replace(self.found[key.rstrip("#")], key=key)

    def _new(self, resource: Attributes) -> str:
        key = "/".join(text(resource, name) for name in (_SERVICE, _PID, _HOST, _INSTANCE)).rstrip("/")
        made = Process(key, text(resource, _SERVICE), whole(resource, _PID), text(resource, _HOST))
        self.found.setdefault(key, made)
        return key
