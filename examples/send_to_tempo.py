"""How do I send it to Grafana Tempo, beside the spans of my service?

    python examples/send_to_tempo.py http://localhost:4318/v1/traces

Tempo takes OTLP, as its distributor's port 4318 (gRPC: 4317) does. A service that sets up OpenTelemetry in code needs
one line more: loopscope takes over the provider's resource and sampler, and sends to where its exporter sends.

    trace 0af7651916cd43dd8448eb211c80319c

In Grafana one finds by that id, or draws with `loopscope view <id> --tempo-url http://localhost:3200`:

    GET /cart
      task main
        step main 0
        step main 1

(This is tested against a receiver of plain OTLP; it was run by hand against Tempo 3.0.0.)
"""

import asyncio
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from loopscope import LoopscopeInstrumentor

provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=sys.argv[1])))
trace.set_tracer_provider(provider)
LoopscopeInstrumentor().instrument()


async def main() -> None:
    with trace.get_tracer("shop").start_as_current_span("GET /cart") as span:
        await asyncio.sleep(0.05)
        print(f"trace {span.get_span_context().trace_id:032x}")


asyncio.run(main())
