"""The seed program, from the environment variable alone, on every Python and loop: what backends hold of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.backends.drawing import assert_drawing, run, seed
from tests.ground.jaeger import Jaeger
from tests.ground.pythons import VERSIONS
from tests.ground.receiver import Protocol, Receiver
from tests.packaging.distribution import HERE, with_uvloop
from tests.processes.program import PROTOCOLS, switched_on, to
from tests.support import LOOPS


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("version", VERSIONS)
def test_receiver_has_the_drawing(version: str, loop: str, tmp_path: Path) -> None:
    path, python = seed(tmp_path, loop), with_uvloop(version)

    def sent(protocol: Protocol) -> None:
        with Receiver() as receiver:
            run(path, to(receiver, protocol), python, "seed")
            spans = receiver.spans()
        assert {span.protocol for span in spans} == {protocol}
        assert_drawing(spans, path, "seed")

    with ThreadPoolExecutor(len(PROTOCOLS)) as pool:
        list(pool.map(sent, PROTOCOLS))


@pytest.mark.parametrize("loop", LOOPS)
def test_jaeger_has_the_drawing(jaeger: Jaeger, loop: str, tmp_path: Path) -> None:
    path, python = seed(tmp_path, loop), with_uvloop(HERE.version)

    def sent(protocol: Protocol) -> None:
        service = f"seed-{loop}-{protocol}"
        run(path, switched_on(jaeger.http if protocol == "http" else jaeger.grpc, protocol), python, service)
        deadline = time.monotonic() + 10
        while len(traces := jaeger.search(service, operation="task main")) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert_drawing([span for trace in traces for span in jaeger.wait_for(trace, spans=12)], path, service)

    with ThreadPoolExecutor(len(PROTOCOLS)) as pool:
        list(pool.map(sent, PROTOCOLS))
