"""The example service on a real PostgreSQL, as the compose stack has it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.ground.jaeger import Jaeger
from tests.ground.postgres import Unavailable, postgres
from tests.ground.shop import Asked, Shop
from tests.stack.reading import SETTLING, environment, pool_waits, spans_of


@pytest.fixture(scope="module")
def shop(jaeger: Jaeger) -> Iterator[Shop]:
    try:
        with (
            postgres("shop") as address,
            Shop(environment("shop-on-postgres", jaeger) | {"DATABASE_URL": address}) as shop,
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
    time.sleep(SETTLING)
    queries = [span for span in jaeger.trace(product.trace_id) if span.attributes.get("db.system") == "postgresql"]
    assert queries
    assert all(span.kind == "CLIENT" for span in queries)


def test_pool_exhaustion_is_seen_in_asyncpgs_pool(shop: Shop, jaeger: Jaeger) -> None:
    asked = [Asked("GET", "/products/7")] * 10

    def waits() -> list[float]:
        answered = shop.ask(*asked)
        assert all(each.answer.is_success for each in answered)
        time.sleep(SETTLING)
        return pool_waits(spans_of(jaeger, answered))

    waits()  # connections to the warehouse are made
    assert not [wait for wait in waits() if wait > 0.25]
    with shop.problem("pool_exhaustion"):
        assert [wait for wait in waits() if wait > 0.25]
