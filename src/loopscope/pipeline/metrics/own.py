"""A meter provider of our own, as the OTEL_* variables ask for it, without a thread: the worker collects.

The SDK's periodic reader has a thread, and a thread would be alive across forks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricReader, MetricsData

from loopscope.log import logger
from loopscope.pipeline.export.identity import check_identity
from loopscope.pipeline.export.stock import Quiet, private_random
from loopscope.settings import Standard

_GROUP = "opentelemetry_metrics_exporter"
_GRPC = "opentelemetry.exporter.otlp.proto.grpc."


class Reader(MetricReader):
    """Collects when it is told to, and exports then and there. The exporter is made anew after `disconnect`."""

    def __init__(self, make: Callable[[], MetricExporter], where: str) -> None:
        self._make = make
        self._threads: frozenset[int] | None = None
        self._exporter: MetricExporter | None = self._connect()
        self._where = where
        self._warned = False
        #: the last export; any of them
        self.arrived = True
        self._reached = self._gave_up = self._hurried = False
        kind = type(self._exporter)
        super().__init__(
            preferred_temporality=self._exporter._preferred_temporality,
            preferred_aggregation=self._exporter._preferred_aggregation,
        )
        self._quiet = Quiet(_modules(kind) | {kind.__module__}, self._give_up)
        self._undo = [private_random(module) for module in _jitter(kind)]

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        if self._gave_up and not self._hurried:
            self.disconnect()
        if self._exporter is None:
            self._exporter = self._connect()
        with self._quiet:
            try:
                arrived = self._exporter.export(metrics_data, timeout_millis=timeout_millis)
                reason = None if arrived is MetricExportResult.SUCCESS else self._quiet.last or "it said FAILURE"
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
        self.arrived = reason is None
        self._reached = self._reached or self.arrived
        self._hasten()
        if reason is not None and not self._warned:
            self._warned = True
            logger.warning("loopscope's metrics do not reach %s: %s", self._where, reason)

    def _connect(self) -> MetricExporter:
        if self._make.__module__.startswith(_GRPC):
            from loopscope.pipeline.export import otlp_grpc

            self._threads = otlp_grpc.threads()
        return self._make()

    def hurry(self, ends: bool) -> None:
        """The process ends: where nobody was met so far, what is sent now is not tried again.

        False: there is time again, and an exporter that has given up is made anew with the next export.
        """
        self._hurried = ends
        self._hasten()

    def _hasten(self) -> None:
        """Nor is it where nobody was met last: our thread does nothing else meanwhile."""
        self._quiet.hurry(not self.arrived or (self._hurried and not self._reached))

    def _give_up(self) -> None:
        exporter = self._exporter
        if exporter is not None and not self._gave_up:
            self._gave_up = True
            exporter.shutdown()

    def disconnect(self) -> None:
        """Let go of the connection before a fork, or give up what another thread is sending."""
        exporter, self._exporter, self._gave_up = self._exporter, None, False
        if exporter is None:
            return
        with self._quiet, suppress(Exception):
            exporter.shutdown()
        del exporter  # gRPC lets its threads go with the last channel object
        if self._threads is not None:
            from loopscope.pipeline.export import otlp_grpc

            otlp_grpc.await_threads(self._threads)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """See MetricReader."""
        self.disconnect()
        self._quiet.remove()
        while self._undo:
            self._undo.pop()()


class Own:
    """The provider and its readers, one an exporter."""

    def __init__(self, makes: list[tuple[str, type[MetricExporter]]], resource: Any) -> None:
        self.readers = [Reader(make, name) for name, make in makes]
        self.provider = MeterProvider(self.readers, resource=resource, shutdown_on_exit=False)

    def collect(self, timeout: float) -> bool:
        """Collect and export now, within `timeout` seconds as far as the exporter keeps to it. Whether all arrived."""
        for reader in self.readers:
            reader.collect(timeout_millis=timeout * 1e3)
        return all(reader.arrived for reader in self.readers)

    def hurry(self, ends: bool) -> None:
        """See Reader."""
        for reader in self.readers:
            reader.hurry(ends)

    def disconnect(self) -> None:
        """See Reader."""
        for reader in self.readers:
            reader.disconnect()

    def close(self) -> None:
        """Nothing more will be collected."""
        with suppress(Exception):
            self.provider.shutdown()


def exporters(standard: Standard) -> list[tuple[str, type[MetricExporter]]]:
    """The exporters that OTEL_METRICS_EXPORTER names. What cannot be had is told by a warning and left out."""
    found = []
    for name in standard.metrics_exporters:
        try:
            kind = _load(name, standard)
            if kind.__module__.startswith(_GRPC):
                check_identity(standard.metrics_identity)
            if not issubclass(kind, MetricExporter):
                raise TypeError("it is no exporter; it needs a MeterProvider of the application's")
            found.append((name, kind))
        except Exception as error:
            logger.warning("loopscope cannot use the metrics exporter %r: %s", name, error)
    return found


def _load(name: str, standard: Standard) -> Any:
    if name == "otlp":
        name = "otlp_proto_http" if standard.metrics_protocol.startswith("http") else "otlp_proto_grpc"
    found = list(entry_points(group=_GROUP, name=name))
    if not found:
        raise LookupError("no installed package has an exporter of this name")
    return found[0].load()


def _jitter(kind: type) -> list[Any]:
    """The modules that draw the pauses between an OTLP exporter's retries from `random`."""
    modules = map(sys.modules.get, _modules(kind) | {"opentelemetry.exporter.otlp.common.http"})
    return [module for module in modules if hasattr(module, "random")]


def _modules(kind: type) -> set[str]:
    """Those of the OTLP exporters' that a class is made of, by which it logs."""
    return {base.__module__ for base in kind.__mro__ if base.__module__.startswith("opentelemetry.exporter.otlp.")}
