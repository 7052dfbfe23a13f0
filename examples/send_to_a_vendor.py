"""How do I send it to a vendor, with a key and over TLS?

    OTEL_SERVICE_NAME=shop OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
    OTEL_EXPORTER_OTLP_ENDPOINT=https://otlp.vendor.example:443
    OTEL_EXPORTER_OTLP_HEADERS=api-key=secret,x-team=shop
    OTEL_EXPORTER_OTLP_CERTIFICATE=ca.pem loopscope run examples/send_to_a_vendor.py

All of it is OpenTelemetry's own. The certificate is wanted only where the vendor's is not from a public authority
(and REQUESTS_CA_BUNDLE, where it is set, comes before it).

    loopscope: the exporter's endpoint is https://otlp.vendor.example:443 (http/protobuf)

The vendor then has, for the key in the header:

    task main
      step main 0
      step main 1

Where nothing arrives, one line says why; `loopscope doctor`, with the same variables, asks the endpoint and says so.
Keep the key out of the command line: from a file, by your process manager.
"""

import asyncio


async def main() -> None:
    await asyncio.sleep(0.05)


asyncio.run(main())
