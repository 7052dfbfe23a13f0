"""The command line and a real Jaeger: its links lead to the traces, and `doctor` finds that it takes spans."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path

import pytest

from tests.cli.calling import loopscope
from tests.ground.jaeger import Jaeger
from tests.processes.program import ROOT

SEED = str(ROOT / "examples" / "seed.py")


def environment(jaeger: Jaeger, service: str) -> dict[str, str]:
    """What a user would set."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": jaeger.http, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_PYTHON_LOOPSCOPE_JAEGER_URL": jaeger.query, "OTEL_SERVICE_NAME": service,
    }  # fmt: skip


def links(told: str) -> list[str]:
    """The addresses that `run` names."""
    return re.findall(r"http://\S+/(?:trace|search)\S*", told)


def unprinted(drawn: str) -> str:
    """The picture without its output lane and the lines that were printed."""
    kept, within = [], False
    for line in drawn.splitlines(keepends=True):
        if line.startswith("  printed"):
            within = True
            kept.pop()
        elif line == "\n":
            within = False
        if not within and not line.startswith("  output "):
            kept.append(line)
    return "".join(kept)


def test_links_to_traces(jaeger: Jaeger, tmp_path: Path) -> None:
    """Each is the same picture as the trace file's, but for what was printed, which stays in the file; by id too."""
    path = str(tmp_path / "trace.jsonl")
    known = environment(jaeger, "linked")
    found = links(loopscope("run", "--trace-file", path, SEED, **known).stderr)
    assert len(found) == 2
    ids = [link.rpartition("/")[2] for link in found]
    deadline = time.monotonic() + 10
    while any(len(jaeger.trace(trace)) < 12 for trace in ids) and time.monotonic() < deadline:
        time.sleep(0.05)
    drawn = loopscope("view", path).stdout
    assert drawn.count("model_gen Task-") > 4
    assert "all done task1 done" in drawn
    assert loopscope("view", *found).stdout == loopscope("view", *ids, **known).stdout == unprinted(drawn)


def test_link_to_a_search(jaeger: Jaeger) -> None:
    """Jaeger's page asks its API with the same parameters: the traces of the run are what it shows."""
    (link,) = links(loopscope("run", SEED, **environment(jaeger, "searched for")).stderr)
    deadline, traces = time.monotonic() + 10, []
    while len(traces) < 2 and time.monotonic() < deadline:
        with urllib.request.urlopen(link.replace("/search?", "/api/traces?")) as answer:
            traces = json.loads(answer.read())["data"]
    assert [len(trace["spans"]) for trace in traces] == [12, 12]


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_doctor(jaeger: Jaeger, protocol: str) -> None:
    endpoint = jaeger.grpc if protocol == "grpc" else jaeger.http
    done = loopscope("doctor", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert done.returncode == 0 and f"({protocol}) takes spans" in done.stdout
