"""The example service on a real PostgreSQL, as the compose stack has it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.ground.jaeger import Jaeger
from tests.ground.postgres import Unavailable, postgres
from tests.ground.shop import Asked, Shop

VARIABLES = {
    "OTEL_PYTHON_LOOPSCOPE_ENABLED": "true",
    "OTEL_SERVICE_NAME": "shop-on-postgres",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "OTEL_METRICS_EXPORTER": "none",
}


@pytest.fixture(scope="module")
def shop(jaeger: Jaeger) -> Iterator[Shop]:
    try:
        with (
            postgres("shop") as address,
            Shop(VARIABLES | {"DATABASE_URL": address, "OTEL_EXPORTER_OTLP_ENDPOINT": jaeger.http}) as shop,
        ):
            yield shop
    except Unavailable as error:
        pytest.skip(str(error))


def test_it_answers_from_postgresql_and_its_trace_has_the_query(shop: Shop, jaeger: Jaeger) -> None:
    product, order, search = shop.ask(
        Asked("GET", "/products/7"), Asked("POST", "/orders", {"product": 7}), Asked("GET", "/search?text=product 10")
    )
    assert product.answer.json() == {"id": 7, "name": "product 7", "price": 35, "stock": 0}
    assert order.answer.json() == {"order": 1}
    assert search.answer.json() == [10, 100]
    time.sleep(1.5)
    queries = [span for span in jaeger.trace(product.trace_id) if span.attributes.get("db.system") == "postgresql"]
    assert queries
    assert all(span.kind == "CLIENT" for span in queries)


def test_pool_exhaustion_is_seen_in_asyncpgs_pool(shop: Shop, jaeger: Jaeger) -> None:
    asked = [Asked("GET", "/products/7")] * 10

    def waits() -> list[float]:
        """Seconds that steps waited for a connection of asyncpg's pool, less what they were then ready for."""
        answered = shop.ask(*asked)
        assert all(each.answer.is_success for each in answered)
        time.sleep(1.5)
        found = []
        for each in answered:
            spans = [span for span in jaeger.trace(each.trace_id) if "asyncio.step.index" in span.attributes]
            steps = {(span.parent_id, span.attributes["asyncio.step.index"]): span for span in spans}
            for (task, index), step in steps.items():
                after = steps.get((task, index + 1))
                if after is not None and "Queue.get" in step.attributes.get("asyncio.step.awaiting", ""):
                    ready = after.attributes["asyncio.step.ready.duration"]
                    found.append((after.start - step.end) / 1e9 - ready)
        return found

    waits()  # connections to the warehouse are made
    assert not [wait for wait in waits() if wait > 0.25]
    with shop.problem("pool_exhaustion"):
        assert [wait for wait in waits() if wait > 0.25]
