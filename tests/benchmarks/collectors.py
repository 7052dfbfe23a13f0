"""What the tiers of deploy/scale cost: CPU of each for 10,000 spans, its memory, and bytes of a span in Kafka.

Run it: python -m tests.benchmarks.collectors
"""

from __future__ import annotations

import os
import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.benchmarks.sink import Sink
from tests.benchmarks.sizes import by_trace, recorded
from tests.ground.configured import DEPLOY, collector, rewritten
from tests.ground.kafka import kafka
from tests.ground.ports import free_ports

#: spans that are sent at least, and spans a second at most: all tiers share the machine with the sender
SPANS, RATE = 100_000, 5_000
TIERS = ("ingest", "gateway", "writer")
#: what marks a tier's command line
MARK = "tier"


def spans_of(request: ExportTraceServiceRequest) -> Iterator[object]:
    """All of its spans."""
    return (span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans)


def send(address: str, requests: list[ExportTraceServiceRequest], spans: int) -> int:
    """Send them again and again, each time as other traces; how many spans that were."""
    sent, began = 0, time.monotonic()
    while sent < spans:
        new = int.from_bytes(os.urandom(16), "big")
        for request in requests:
            copy = ExportTraceServiceRequest()
            copy.CopyFrom(request)
            for span in spans_of(copy):
                span.trace_id = (int.from_bytes(span.trace_id, "big") ^ new).to_bytes(16, "big")  # type: ignore[attr-defined]
                sent += 1
            post = urllib.request.Request(address, copy.SerializeToString(), {"Content-Type": "application/x-protobuf"})
            with urllib.request.urlopen(post):
                pass
            time.sleep(max(0.0, began + sent / RATE - time.monotonic()))
    return sent


def process(tier: str) -> Path:
    """Its folder in /proc, found by its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"{MARK}={tier}".encode() in command:
            return folder
    raise LookupError(tier)


def cpu(tier: str) -> float:
    """Seconds of CPU that it has used."""
    ticks = (process(tier) / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def memory(tier: str) -> float:
    """The most that it ever had, in megabytes."""
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB", (process(tier) / "status").read_text(), re.M)
    return int(kilobytes) * 1024 / 1e6


def start(stack: ExitStack, tier: str, config: str, **variables: str) -> None:
    """A tier, known by its name on its command line."""
    stack.enter_context(collector(config, f"--set=service::telemetry::resource::{MARK}={tier}", **variables))


def measure() -> dict[str, float]:
    """Run the tiers, and send. The writer is given all spans, so that it has as much to do as the others."""
    requests, scale = recorded(), DEPLOY / "scale"
    with ExitStack() as stack:
        broker = stack.enter_context(kafka("spans", "kept"))
        sink = stack.enter_context(Sink())
        http, grpc = (f"127.0.0.1:{port}" for port in free_ports(2))
        start(stack, "gateway", (scale / "gateway.yaml").read_text(), KAFKA=broker.address)
        writer = rewritten(
            scale / "tempo-writer.yaml",
            {"topic: kept": "topic: spans", "  otlp:": "  otlphttp:\n    compression: none", "[otlp]": "[otlphttp]"},
        )
        start(stack, "writer", writer, KAFKA=broker.address, TEMPO=sink.url)
        start(
            stack, "ingest", (scale / "ingest.yaml").read_text(), KAFKA=broker.address, OTLP_HTTP=http, OTLP_GRPC=grpc
        )
        before = {tier: cpu(tier) for tier in TIERS}
        sent = send(f"http://{http}/v1/traces", requests, SPANS)
        time.sleep(15)  # until they have decided, and sent on
        if (arrived := sum(sink.counts().values())) != sent:
            raise RuntimeError(f"of {sent} spans {arrived} arrived")
        stored = sum(file.stat().st_size for file in broker.data.glob("spans-*/*.log"))
        found = {
            **{f"seconds of {tier} for 10,000 spans": (cpu(tier) - before[tier]) / sent * 10_000 for tier in TIERS},
            **{f"megabytes of {tier}": memory(tier) for tier in TIERS},
            "bytes of a span in Kafka": stored / sent,
        }
        before["ingest"] = cpu("ingest")
        sent = send(f"http://{http}/v1/traces", by_trace(requests), SPANS // 4)
        time.sleep(2)
        found["seconds of ingest for 10,000 spans, a trace at a time"] = (
            (cpu("ingest") - before["ingest"]) / sent * 10_000
        )
        return found


def report() -> None:
    """Print it."""
    for name, value in measure().items():
        print(f"{name:<54} {value:8.2f}")


if __name__ == "__main__":
    report()
