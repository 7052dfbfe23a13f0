"""The points of a metric reader's or an OTLP receiver's metrics, as a plain mapping."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

#: name -> {attribute values, joined by commas: value or histogram point}
Points = dict[str, dict[str, Any]]


def read(reader: InMemoryMetricReader) -> Points:
    """Collect now; only what loopscope shows."""
    data = reader.get_metrics_data()
    found: Points = {}
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            if scope.scope.name == "loopscope":
                for metric in scope.metrics:
                    points = found.setdefault(metric.name, {})
                    for point in metric.data.data_points:
                        points[_key(dict(point.attributes or {}).values())] = getattr(point, "value", point)
    return found


def received(metrics: Iterable[metrics_pb2.ResourceMetrics]) -> Points:
    """The latest of what came by OTLP."""
    found: Points = {}
    for resource in metrics:
        for scope in resource.scope_metrics:
            if scope.scope.name == "loopscope":
                for metric in scope.metrics:
                    points = getattr(metric, metric.WhichOneof("data")).data_points
                    found[metric.name] = {
                        _key(getattr(a.value, a.value.WhichOneof("value")) for a in point.attributes): _value(point)
                        for point in points
                    }
    return found


def _value(point: Any) -> Any:
    if isinstance(point, metrics_pb2.NumberDataPoint):
        return getattr(point, point.WhichOneof("value"))
    return point


def _key(values: Iterable[Any]) -> str:
    return ",".join(sorted(str(value) for value in values))
