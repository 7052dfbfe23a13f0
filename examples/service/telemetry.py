"""What any service does for OpenTelemetry: its own providers, and contrib's instrumentations.

Nothing here is loopscope's: OTEL_PYTHON_LOOPSCOPE_ENABLED=true switches it on, and it takes these providers once they
are set.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app() -> FastAPI:
    """What uvicorn calls in each worker."""
    # The Kubernetes operator, or opentelemetry-instrument, has done all of this already where it is there.
    ours = not isinstance(trace.get_tracer_provider(), TracerProvider)
    if ours:
        _set_providers()
        HTTPXClientInstrumentor().instrument()
        AsyncPGInstrumentor().instrument()  # type: ignore[no-untyped-call]
    from .app import app

    if ours:
        FastAPIInstrumentor.instrument_app(app, excluded_urls="/health,/problems")
    return app


def _set_providers() -> None:
    """Endpoint, service name, sampler and intervals are the standard OTEL_* variables'."""
    # Each worker is an instance: without this their metrics would be one series, now of the one and now of the other.
    resource = Resource.create({"service.instance.id": str(uuid.uuid4())})
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(spans)
    if os.environ.get("OTEL_METRICS_EXPORTER", "otlp") != "none":
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        metrics.set_meter_provider(MeterProvider([reader], resource=resource))
