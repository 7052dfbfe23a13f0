"""What a metric reader sees: through the SDK, its exporters, and a real Prometheus."""
