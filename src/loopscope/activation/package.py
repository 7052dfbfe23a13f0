"""What BaseInstrumentor's tools look for in an instrumentation package."""

_instruments = ()
_supports_metrics = True
_semconv_status = "development"
