"""A server in a process of its own, what it wrote down of its steps, and what came of them as spans."""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.ground.ports import free_ports
from tests.ground.receiver import Protocol, ReceivedSpan, Receiver
from tests.processes.program import CALM, ROOT, Ended, Program, to

#: (trace, task name) -> the indexes of the task's steps that are told in the trace
Told = dict[tuple[str, str], list[int]]


def identity(trace: int, sampled: bool = True) -> dict[str, str]:
    """The header of a caller whose trace has this number."""
    return {"traceparent": f"00-{trace:032x}-{trace:016x}-{sampled:02x}"}


@dataclass
class Outcome:
    """A server that has ended."""

    journal: list[dict[str, Any]] = field(default_factory=list)
    spans: list[ReceivedSpan] = field(default_factory=list)
    ended: Ended | None = None

    @property
    def ours(self) -> list[ReceivedSpan]:
        """Loopscope's spans."""
        return [span for span in self.spans if span.scope_name == "loopscope"]

    @property
    def theirs(self) -> list[ReceivedSpan]:
        """The application's spans."""
        return [span for span in self.spans if span.scope_name != "loopscope"]

    def entries(self, label: str) -> list[dict[str, Any]]:
        """What was written under this label."""
        found = [entry for entry in self.journal if entry["label"] == label]
        assert found, f"nothing was done for {label}"
        return found

    def entry(self, label: str) -> dict[str, Any]:
        """What was written under this label, once."""
        (found,) = self.entries(label)
        return found

    def done(self) -> Told:
        """By the server's own record: what must be told of sampled traces, where a task serves one from end to end."""
        return {(e["trace_id"], e["task"]): list(range(len(e["steps"]))) for e in self.journal if e["sampled"]}

    def told(self) -> Told:
        """By the spans: what is told of those tasks that the server's record knows."""
        known = {entry["task"] for entry in self.journal}
        told: Told = {}
        for span in self.steps():
            if span.attributes["asyncio.task.name"] in known:
                index = span.attributes["asyncio.step.index"]
                told.setdefault((span.trace_id, span.attributes["asyncio.task.name"]), []).append(index)
        return told

    def steps(self) -> list[ReceivedSpan]:
        """Step spans in thread order. Coalesced ones would hide steps: there must be none."""
        assert not [span for span in self.ours if span.name.startswith("steps ")]
        return sorted((span for span in self.ours if span.name.startswith("step ")), key=lambda span: span.start)

    def visits(self, trace_id: str) -> list[ReceivedSpan]:
        """The task spans of a trace, by start."""
        found = [s for s in self.ours if s.trace_id == trace_id and s.name.startswith("task ")]
        return sorted(found, key=lambda span: span.start)

    def parts(self, trace_id: str) -> set[str]:
        """The ids of the spans of ours in a trace, each checked to stand under a span of the same trace."""
        held = {span.span_id for span in self.spans if span.trace_id == trace_id}
        ours = [span for span in self.ours if span.trace_id == trace_id]
        assert all(span.parent_id in held for span in ours)
        return {span.span_id for span in ours}


@contextmanager
def serving(
    module: str, *arguments: str, protocol: Protocol = "http", environment: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """A server of tests.servers.apps, with loopscope switched on by its environment; ended by TERM."""
    (port,) = free_ports(1)
    with Receiver() as receiver:
        program = Program(
            f"from tests.servers.apps.{module} import main; main()",
            to(receiver, protocol, PYTHONPATH=str(ROOT), OTEL_SERVICE_NAME=module, **{**CALM, **(environment or {})}),
            python=sys.executable,
            arguments=[str(port), *arguments],
        )
        served = Served(port, receiver, program)
        try:
            _await(port, program)
            yield served
        finally:
            if served.outcome.ended is None:
                served.stop()


class Served:
    """A server that runs."""

    def __init__(self, port: int, receiver: Receiver, program: Program) -> None:
        self.port = port
        self.receiver = receiver
        self.outcome = Outcome()
        self._program = program

    def stop(self, journal: str = "[]") -> Outcome:
        """Have it end, once its own spans have come; then everything of ours must have come too."""
        outcome = self.outcome
        outcome.journal = json.loads(journal)
        wanted = {entry["span_id"] for entry in outcome.journal if entry["sampled"]}
        self.receiver.wait(lambda spans: wanted <= {span.span_id for span in spans})
        self._program.signal(signal.SIGTERM)
        outcome.ended = self._program.end(20)
        outcome.spans = list(self.receiver.spans())
        return outcome


def _await(port: int, program: Program) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    program.signal(signal.SIGKILL)
    raise TimeoutError(f"nothing listens on port {port}: {program.end().err}")
