"""Makes deploy/scale/SIZING.md: of the measured figures, the recipes and what is assumed here. Run by `make pages`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from loopscope.settings import Settings
from tests.benchmarks.figures import kept as figures
from tests.ground.configured import DEPLOY

PAGE = DEPLOY / "scale/SIZING.md"

# what is assumed: the first two are the service's, the rest the operator's
REQUESTS = 50  # requests a second of a process
TROUBLED = 0.02  # share of the traces that a policy of the tail sampling keeps
BUSY = 0.6  # share of a core that a pod of one core is meant to use
DAY = 86_400


def rest(recipe: Path) -> float:
    """The share of the traces without trouble that a tail sampling keeps."""
    policies = yaml.safe_load(recipe.read_text())["processors"]["tail_sampling"]["policies"]
    (percentage,) = (each["probabilistic"]["sampling_percentage"] for each in policies if "probabilistic" in each)
    return float(percentage) / 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A number of service processes, and what is chosen for it."""

    processes: int
    on: float
    ratio: float
    recipe: str
    measured: dict[str, float]

    @property
    def traces(self) -> float:
        """Sampled, a second."""
        return self.processes * self.on * REQUESTS * self.ratio

    @property
    def spans(self) -> float:
        """Sent, a second."""
        return self.traces * self.measured["spans of a request"]

    @property
    def kept(self) -> float:
        """Share of the traces that are stored."""
        return TROUBLED + (1 - TROUBLED) * rest(DEPLOY / self.recipe)

    @property
    def few(self) -> str:
        """A process that samples fewer than ten traces a second sends them one at a time, or nearly."""
        return "" if REQUESTS * self.ratio >= 10 else ", a trace at a time"

    def wire(self, how: str) -> float:
        """Megabytes a second from the services."""
        return self.spans * self.measured[f"bytes of a span{how}{self.few}"] / 1e6

    def cores(self, tier: str) -> float:
        """Of a tier."""
        spans = self.spans * (self.kept if tier == "writer" else 1)
        few = self.few if tier == "ingest" else ""
        return spans / 10_000 * self.measured[f"seconds of {tier} for 10,000 spans{few}"]

    def pods(self, tier: str) -> int:
        """Of one core each, two at least."""
        return max(2, math.ceil(self.cores(tier) / BUSY))

    @property
    def gateway(self) -> float:
        """Megabytes of a gateway: what it has at rest is taken to be the ingest's, the rest to grow with its spans."""
        idle, loaded = self.measured["megabytes of ingest"], self.measured["megabytes of gateway"]
        return idle + (loaded - idle) * self.spans / self.pods("gateway") / 5_000

    @property
    def kafka(self) -> float:
        """Gigabytes a day in one copy, both topics."""
        return self.spans * (1 + self.kept) * self.measured["bytes of a span in Kafka"] * DAY / 1e9

    @property
    def own(self) -> float:
        """Share of a core that loopscope takes in a process where it is on."""
        sampled, out = (
            self.measured[f"microseconds of a {kind}"] for kind in ("sampled request", "request sampled out")
        )
        return REQUESTS * (self.ratio * sampled + (1 - self.ratio) * out) / 1e6


def sizes() -> list[Size]:
    """The three."""
    measured = figures()
    alone, tiers = "collector/tail-sampling.yaml", "scale/gateway.yaml"
    return [
        Size(processes=10, on=1, ratio=1, recipe=alone, measured=measured),
        Size(processes=1_000, on=1, ratio=0.1, recipe=tiers, measured=measured),
        Size(processes=100_000, on=0.1, ratio=0.01, recipe=tiers, measured=measured),
    ]


def shown(number: float) -> str:
    """Two digits are all that these figures are good for."""
    if number == 0:
        return "0"
    rounded = round(number, 1 - math.floor(math.log10(abs(number))))
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def share(number: float) -> str:
    """In percent."""
    return f"{shown(number * 100)} %"


#: the table's rows; of a size without Kafka there is one Collector, which does what ingest and gateway do
ROWS: list[tuple[str, Callable[[Size], str]]] = [
    ("loopscope is on in", lambda size: "all" if size.on == 1 else share(size.on)),
    ("`OTEL_TRACES_SAMPLER_ARG`", lambda size: f"{size.ratio:g}"),
    ("traces a second", lambda size: shown(size.traces)),
    ("spans a second", lambda size: shown(size.spans)),
    ("MB a second from the services", lambda size: shown(size.wire(""))),
    ("the same by gzip", lambda size: shown(size.wire(", gzip"))),
    ("Kafka, GB a day and copy", lambda size: shown(size.kafka) if staged(size) else "no Kafka"),
    ("ingest", lambda size: tier(size, "ingest")),
    ("gateway", lambda size: tier(size, "gateway")),
    (
        "memory of a gateway",
        lambda size: f"{shown(size.gateway)} MB" if staged(size) else "the recipe's limit: 1,000 MiB",
    ),
    ("writer", lambda size: tier(size, "writer") if staged(size) else "none"),
    ("traces that are stored", lambda size: share(size.kept)),
    ("spans stored a day, millions", lambda size: shown(size.spans * size.kept * DAY / 1e6)),
    ("their OTLP, uncompressed, GB a day", lambda size: shown(size.wire("") * size.kept * DAY / 1e3)),
    ("loopscope in a process where it is on", lambda size: f"{share(size.own)} of a core"),
    ("the same in all, cores", lambda size: shown(size.own * size.processes * size.on)),
]


def staged(size: Size) -> bool:
    """Whether there is Kafka."""
    return size.recipe.startswith("scale/")


def tier(size: Size, name: str) -> str:
    """Its cores and pods."""
    if staged(size):
        return f"{shown(size.cores(name))} cores, {size.pods(name)} pods"
    return f"{shown(size.cores('ingest') + size.cores('gateway'))} cores, 1 pod" if name == "ingest" else "the same pod"


def table() -> Iterator[str]:
    """A column a size."""
    yield f"| processes | {' | '.join(f'{size.processes:,}' for size in sizes())} |\n|---|--:|--:|--:|"
    for name, value in ROWS:
        yield f"| {name} | {' | '.join(map(value, sizes()))} |"


def page() -> str:
    """The whole text."""
    measured, default = figures(), Settings()
    large = default.max_spans_per_trace * measured["bytes of a span"] / 1e6
    small, medium, great = sizes()
    whole = replace(medium, ratio=1)
    return f"""# Sizing

Made by `make pages` of what `python -m tests.benchmarks.figures` measured, so no number here is a guess but those under
*assumed*. What costs is three things: recording, in the service; spans, on the way; kept spans, in storage. Each has a knob
of its own: where loopscope is on, the sampler, the tail sampling.

## Measured

One run, everything on one busy virtual machine with 2 cores, CPython 3.11; the request is
[sizes.py's](../../tests/benchmarks/sizes.py): a server span, 5 database queries, two of them at once. Requests are all
alike, so compression does better here than it will for you.

| | |
|---|--:|
{chr(10).join(f"| {name} | {value:g} |" for name, value in measured.items())}

Collectors were sent 5,000 spans a second. *A trace at a time* is what a process does that samples few traces. A request sampled
out is not free: its tasks are too brief to be passed by, so their steps are recorded and thrown away later.

## Assumed

{REQUESTS} requests a second and process; {share(TROUBLED)} of the traces failed, slow, stalled or delayed; pods of one core, used to
{share(BUSY)}, two at least of each tier. Put in your own.

## Formulas

```
spans/s      = processes * share with loopscope * requests/s * sampler ratio * spans of a request
MB/s         = spans/s * bytes of a span
cores        = spans/s / 10,000 * seconds of the tier for 10,000 spans      (writer: spans/s * kept share)
pods         = cores / {BUSY:g}
kept share   = troubled share + (1 - troubled share) * `sampling_percentage` of the tail sampling
Kafka        = spans/s * (1 + kept share) * bytes of a span in Kafka        (on disk: * copies * retention)
a gateway    = MB at rest + its spans/s / 5,000 * (MB of gateway - MB at rest)
in a process = requests/s * (ratio * µs of a sampled request + (1 - ratio) * µs of one sampled out)
```

At rest a gateway is taken to have what an ingest has. A process that samples fewer than ten traces a second is taken to send
them one at a time.

## Three sizes

{chr(10).join(table())}

## What to set

**{small.processes:,} processes.** Send everything, with all defaults, to one Collector with
[`{small.recipe}`](../{small.recipe}): it keeps each trace with trouble and {share(rest(DEPLOY / small.recipe))} of the rest. Its cores are those of ingest
and gateway, which is more than it takes without Kafka. One Collector sees all of a trace, so nothing else is needed.

**{medium.processes:,} processes.** `OTEL_TRACES_SAMPLER=parentbased_traceidratio` and `OTEL_TRACES_SAMPLER_ARG={medium.ratio:g}`: without, ingest takes
{shown(whole.cores("ingest"))} cores and the gateway {shown(whole.cores("gateway"))}, for traces that it drops. Stalls and delays stay whole in metrics and log, so an
alert misses none; of their traces one in ten is there. `OTEL_EXPORTER_OTLP_COMPRESSION=gzip`. `EXCLUDE` what is busy and dull.
`MAX_SPANS_PER_TRACE=2000` and `MAX_STEPS_PER_TASK_SPAN=200`: one trace may have {shown(large)} MB by default, and a request
that needs more steps than that is told by sums as well. The files of this folder, one Kafka.

**{great.processes:,} processes.** Switch it on in one process of ten, by `OTEL_PYTHON_LOOPSCOPE_ENABLED` on that share of the pods:
a request sampled out still takes {share(measured["microseconds of a request sampled out"] / measured["microseconds of a sampled request"])} of what a sampled one does. `OTEL_TRACES_SAMPLER_ARG={great.ratio:g}`. A process
then sends a trace every other second, and ingest pays for requests more than for spans: a Collector on each node with
[`collector/forward.yaml`](../collector/forward.yaml), its `batch` at `timeout: 1s` and this ingest as its only exporter, makes them few again.
The rest as for {medium.processes:,}.

`DETAIL=slow` sends only tasks with something to tell, at any size, and costs as much to record: compare
`loopscope.span.exported` before and after. `DETAIL=tasks` sends {shown(measured["spans of a request that are no steps"])} spans of {measured["spans of a request"]:g}.
[`collector/drop-short-steps.yaml`](../collector/drop-short-steps.yaml) thins what is stored of a trace, and only after it has been paid for
on the wire. `MAX_SPANS_PER_SECOND={default.max_spans_per_second}`, the default, lets a process send {shown(default.max_spans_per_second / measured["spans of a request"])} such requests a second whole.

## What bounds a tier

At most as many gateways as `spans` has partitions, as many writers and ingesters as `kept` has: 48 and 12 here. A gateway
remembers `num_traces` undecided ones: it has its traces a second times `decision_wait`, here {shown(great.traces / great.pods("gateway") * 10)} of 100,000. Where
trouble is everywhere, all traces are kept: writers, ingesters and storage then have {shown(1 / great.kept)} times as much to do, and Kafka
holds it until they have, for as long as `kept` is retained.

## Stored

Bytes of a span in OpenSearch and in Tempo's blocks are not measured here: neither runs on the machine of these figures. OTLP in the
table says how much goes in. Measure a day of yours:

```sh
curl -s 'opensearch:9200/_cat/indices/jaeger-span*?h=pri.store.size&bytes=b' | awk '{{sum += $1}} END {{print sum}}'
curl -s 'opensearch:9200/_cat/count/jaeger-span*?h=count'       # spans: docs.count would count their attributes too
aws s3 ls --recursive --summarize s3://$TEMPO_BUCKET | tail -1   # over tempo_distributor_spans_received_total
```

That over spans, times spans stored a day, times days of retention, is the disk: twice, with OpenSearch's replica.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
