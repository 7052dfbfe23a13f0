"""How do I send it to Jaeger?

    OTEL_SERVICE_NAME=shop OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317
    OTEL_PYTHON_LOOPSCOPE_JAEGER_URL=http://localhost:16686 loopscope run examples/send_to_jaeger.py

Jaeger takes OTLP; the first two variables are OpenTelemetry's own. The third says where its page is, and `run` links
to it. With `OTEL_PYTHON_LOOPSCOPE_ENABLED=true python ...` the first two are enough.

    loopscope: the exporter's endpoint is http://localhost:4317 (grpc)
    loopscope: look at http://localhost:16686/search?...

There one finds the trace, every step under its task:

    task main
      step main 0
      step main 1
      task stock
        step stock 0
        step stock 1
"""

import asyncio


async def stock(article: str) -> str:
    await asyncio.sleep(0.05)
    return article


async def main() -> None:
    await asyncio.create_task(stock("tea"))


asyncio.run(main())
