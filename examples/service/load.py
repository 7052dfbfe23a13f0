"""The load, a fixed mix: `locust -f examples/service/load.py --headless -u 20 -r 10 -t 30s -H http://127.0.0.1:8000`."""

from __future__ import annotations

import json
import time

from locust import HttpUser, constant_throughput, task
from websockets.sync.client import connect


class Customer(HttpUser):
    """Two requests a second."""

    wait_time = constant_throughput(2)

    @task(6)
    def look_at_a_product(self) -> None:
        self.client.get("/products/7", name="/products/{number}")

    @task(4)
    def search(self) -> None:
        self.client.get("/search?text=product 1", name="/search")

    @task(3)
    def order(self) -> None:
        self.client.post("/orders", json={"product": 7})

    @task(2)
    def browse(self) -> None:
        self.client.get("/products")

    @task(2)
    def ask_for_delivery(self) -> None:
        self.client.get("/delivery/7", name="/delivery/{number}")

    @task(1)
    def read_recommendations(self) -> None:
        self.client.get("/recommendations")

    @task(1)
    def comment(self) -> None:
        self.client.post("/comments", json={"text": "as described"})

    @task(1)
    def read_the_report(self) -> None:
        self.client.get("/report")

    @task(1)
    def watch_the_ticker(self) -> None:
        """Locust times HTTP; what is not HTTP tells its own time."""
        began, failed, length = time.perf_counter(), None, 0
        try:
            with connect(str(self.host).replace("http", "ws", 1) + "/ticker") as socket:
                prices = [json.loads(line) for line in socket]
            length = len(prices)
            if length != 10:
                raise ValueError(f"{length} prices instead of 10")
        except Exception as error:
            failed = error
        took = (time.perf_counter() - began) * 1000
        self.environment.events.request.fire(
            request_type="WS", name="/ticker", response_time=took, response_length=length, exception=failed
        )
