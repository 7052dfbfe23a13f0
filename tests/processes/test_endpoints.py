"""Endpoints that refuse, hang or fail: the exit is late by the exporter's timeout at most, losses are told once."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.ground.ports import free_ports
from tests.ground.receiver import REASON, REJECTED, Protocol, Receiver
from tests.processes.program import PROTOCOLS, Program, run, switched_on, to

TIMEOUT = 1.0
#: what importing the exporter at exit may take besides, on a busy machine
SLACK = 1.0

# Its `random` is looked at by an exit hook that runs after loopscope's; `late` counts from the last line on.
PROGRAM = """
import asyncio, atexit, random, time
atexit.register(lambda: print(random.random()))
random.seed(7)
async def job(steps):
    for _ in range(steps - 1):
        await asyncio.sleep(0)
async def main(jobs, steps, seconds):
    until = time.monotonic() + seconds
    while True:
        await asyncio.gather(*[job(steps) for _ in range(jobs)])
        if time.monotonic() >= until:
            return
        await asyncio.sleep(0.05)
asyncio.run(main({jobs}, {steps}, {seconds}))
print(time.monotonic())
"""
SEEDED = "0.32383276483316237"  # random.seed(7); random.random()

#: jobs, steps of each, seconds: ends before the first batch; has sent some; a flood that no backend would take
SIZES = {"short": (3, 3, 0), "long": (3, 3, 2.2), "flood": (100, 100, 1)}


@contextmanager
def endpoint(kind: str, protocol: Protocol, timeout: float = TIMEOUT) -> Iterator[tuple[str, dict[str, str]]]:
    """Where a broken backend is, and the environment to send there."""
    more = {"OTEL_EXPORTER_OTLP_TIMEOUT": f"{timeout:g}"}
    if kind == "refused":
        [port] = free_ports(1)
        yield f"127.0.0.1:{port}", switched_on(f"http://127.0.0.1:{port}", protocol, **more)
        return
    with Receiver("hang" if kind == "hanging" else "refuse") as receiver:
        port = receiver.http_port if protocol == "http" else receiver.grpc_port
        yield f"127.0.0.1:{port}", to(receiver, protocol, **more)
        assert receiver.requests(), "it was not even tried"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["refused", "hanging", "unavailable"])
def test_broken_endpoint(kind: str, protocol: Protocol, size: str) -> None:
    jobs, steps, seconds = SIZES[size]
    with endpoint(kind, protocol) as (where, environment):
        ended = run(PROGRAM.format(jobs=jobs, steps=steps, seconds=seconds), environment)
    last_line, seeded = ended.out.split()
    assert (ended.code, seeded) == (0, SEEDED)
    assert ended.at - float(last_line) < TIMEOUT + SLACK
    warning, losses = ended.err.splitlines()  # and nothing else, of the exporter's neither
    assert warning.startswith("loopscope's spans do not reach ") and where in warning
    assert losses.startswith("loopscope lost ")
    lost = {cause: int(count) for count, cause in re.findall(r"(\d+) \w+ \((\w+)\)", losses)}
    assert lost.pop("export_failed") > 0
    assert set(lost) <= {"short": set(), "long": {"shutdown"}, "flood": {"shutdown", "trace_size"}}[size] | {"full"}
    if size == "short":  # gather's 3 jobs of 3 steps, main of 2; 4 tasks
        assert "lost 15 spans (export_failed)" in losses


def test_an_exit_waits_once_for_spans_and_metrics() -> None:
    """A thread is sending to nobody when the main program is over, and what it has then is sent to nobody too."""
    with endpoint("hanging", "http", 3 * SLACK) as (_, environment):
        ended = run(PROGRAM.format(jobs=3, steps=3, seconds=2.2), {**environment, "OTEL_METRICS_EXPORTER": "otlp"})
    assert ended.at - float(ended.out.split()[0]) < 4 * SLACK


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_partial_success(protocol: Protocol) -> None:
    """A receiver takes a request but for some spans of it: those are lost, and what it says of them is told once."""
    with Receiver("partly") as receiver:
        ended = run(PROGRAM.format(jobs=3, steps=3, seconds=1), to(receiver, protocol))
        requests, spans = receiver.requests(), receiver.spans()
    assert len(requests) > 1 and len(spans) == sum(request.spans for request in requests) - REJECTED * len(requests)
    [warning, losses] = ended.err.splitlines()
    assert warning.startswith("loopscope's spans do not reach ") and f": {REASON[:900]}" in warning
    assert len(warning) < 1_200
    assert losses == f"loopscope lost {REJECTED * len(requests)} spans (export_failed)"


def test_a_receiver_that_is_elsewhere() -> None:
    """Stock exporters take a redirection for success, and follow none."""
    with Receiver("moved") as receiver:
        ended = run(PROGRAM.format(jobs=1, steps=1, seconds=0), to(receiver, "http"))
        [request] = receiver.requests()
    [warning, losses] = ended.err.splitlines()
    assert warning.startswith(f"loopscope's spans do not reach {receiver.http}/v1/traces: HTTP 302")
    assert losses == f"loopscope lost {request.spans} spans (export_failed)"


def test_a_receiver_that_answers_without_end() -> None:
    """It took the spans; what it says then is not read to an end that never comes."""
    sent: list[int] = []

    class Endless(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 40))
            self.end_headers()
            sent.append(0)
            with suppress(OSError):
                while sent[-1] < 1 << 30:
                    sent[-1] += self.wfile.write(bytes(1 << 16))

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ended = run(PROGRAM.format(jobs=3, steps=3, seconds=2), switched_on(f"http://127.0.0.1:{server.server_port}"))
        server.shutdown()
    assert (ended.code, ended.err) == (0, "")
    assert len(sent) > 1 and max(sent) < 1 << 24  # what the system holds between the two counts too


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_password_in_the_endpoint_is_not_told(protocol: Protocol) -> None:
    [port] = free_ports(1)
    ended = run(PROGRAM.format(jobs=1, steps=1, seconds=0), switched_on(f"http://me:hidden@127.0.0.1:{port}", protocol))
    assert f"127.0.0.1:{port}" in ended.err and "hidden" not in ended.err


@pytest.mark.parametrize("seconds", [0, 0.6, 2.2])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_listens(protocol: Protocol, seconds: float) -> None:
    """The exit does not wait out the exporter's ten seconds, neither for spans nor for metrics, begun or not."""
    [port] = free_ports(1)
    more = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TIMEOUT": "10"}
    environment = switched_on(f"http://127.0.0.1:{port}", protocol, **more)
    ended = run(PROGRAM.format(jobs=3, steps=3, seconds=seconds), environment)
    last_line, seeded = ended.out.split()
    assert (ended.code, seeded) == (0, SEEDED)
    assert ended.at - float(last_line) < TIMEOUT + SLACK
    told = [line for line in ended.told if "reach" in line]
    assert [line.split(":")[0].split(" ", 1)[1] for line in told] == [
        "spans do not reach " + ("http" if protocol == "http" else "127.0.0.1"), "metrics do not reach otlp",
    ]  # fmt: skip
    assert all("refused" in line and "retrying" not in line for line in told)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_speaks_no_tls(protocol: Protocol) -> None:
    """Nobody can be met there, however often it is tried: that is not waited out either."""
    with Receiver() as receiver:
        port = receiver.http_port if protocol == "http" else receiver.grpc_port
        environment = switched_on(f"https://127.0.0.1:{port}", protocol, OTEL_EXPORTER_OTLP_TIMEOUT="10")
        ended = run(PROGRAM.format(jobs=3, steps=3, seconds=0), environment)
    last_line, _ = ended.out.split()
    assert ended.code == 0 and ended.at - float(last_line) < TIMEOUT + SLACK
    assert [line.split(" ")[1] for line in ended.told if "reach" in line] == ["spans"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_listens_when_it_is_killed(protocol: Protocol) -> None:
    """The same of one that raises SIGTERM on itself, before metrics were ever sent."""
    [port] = free_ports(1)
    environment = switched_on(f"http://127.0.0.1:{port}", protocol, OTEL_METRICS_EXPORTER="otlp")
    killed = PROGRAM.format(jobs=3, steps=3, seconds=0) + "import os; os.kill(os.getpid(), 15)\n"
    ended = run(killed.replace("print(time.monotonic())", "print(time.monotonic(), flush=True)"), environment)
    assert ended.code == -15
    assert ended.at - float(ended.out) < TIMEOUT + SLACK
    assert [line.split(" ")[1] for line in ended.told if "reach" in line] == ["spans", "metrics"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_busy_at_the_end(protocol: Protocol) -> None:
    """A backend that is there, but has no time at the moment, is asked again."""
    jobs, steps, seconds = SIZES["short"]
    with Receiver("refuse") as receiver:
        program = Program(PROGRAM.format(jobs=jobs, steps=steps, seconds=seconds), to(receiver, protocol))
        receiver.wait_for_requests(1)
        receiver.mode = "accept"
        ended = program.end()
        spans = receiver.spans()
    assert (ended.code, ended.told) == (0, [])
    assert len(spans) == 15


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("size", ["short", "long"])
def test_warnings_are_errors(protocol: Protocol, size: str) -> None:
    """No socket, channel or file is left open, and nothing deprecated is used."""
    jobs, steps, seconds = SIZES[size]
    source = PROGRAM.format(jobs=jobs, steps=steps, seconds=seconds)
    with Receiver() as receiver:
        ended = run(source, to(receiver, protocol), flags=("-X", "dev", "-W", "error"))
        spans = receiver.spans()
    assert (ended.code, ended.err) == (0, "")
    assert len(spans) >= 15


def test_backend_that_comes_back() -> None:
    """What fails meanwhile is lost and told; what follows arrives."""
    source = """
    import asyncio
    async def job():
        await asyncio.sleep(0)
    for _ in range(2):
        asyncio.run(job())
        print("ran", flush=True)
        input()
    """
    with Receiver("refuse") as receiver:
        program = Program(source, to(receiver, OTEL_EXPORTER_OTLP_TIMEOUT="0.5"))
        assert program.hear() == "ran"
        receiver.wait_for_requests(1)
        receiver.mode = "accept"
        program.say("")
        assert program.hear() == "ran"
        spans = receiver.wait(3)
        program.say("")
        ended = program.end()
    assert [span.name for span in spans] == ["step job", "step job", "task job"]
    assert ended.code == 0
    assert [line.split(":")[0] for line in ended.told] == [
        "loopscope's spans do not reach http",
        "loopscope lost 3 spans (export_failed)",
    ]


# A version of the exporter whose insides are elsewhere: `unknown` or not.
MOVED = """
import asyncio, json
from loopscope import runtime
from loopscope.pipeline.export import old_http, otlp_grpc, otlp_http
if {unknown}:
    for module in (old_http, otlp_grpc, otlp_http):
        module.takes_bytes = lambda: False
async def job(): await asyncio.sleep(0)
asyncio.run(job())
runtime.flush()
print(json.dumps(runtime.statistics()["targets"]))
"""


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_exporter_that_is_not_known(protocol: Protocol, unknown: bool) -> None:
    """It gets ordinary spans, and statistics name it: the same arrives, at a higher cost."""
    with Receiver() as receiver:
        ended = run(MOVED.format(unknown=unknown), to(receiver, protocol))
        names = [span.name for span in receiver.spans()]
    assert ended.code == 0 and ended.err == ""
    assert list(json.loads(ended.out).values()) == ["spans" if unknown else "bytes"]
    assert sorted(names)[-3:] == ["step job", "step job", "task job"]


# Steps at a steady pace, by a buffer that would not hold what comes while nobody takes records for a second.
STEADY = """
import asyncio, time
from loopscope import runtime
async def main():
    start = time.monotonic()
    for moment in (5, 7, 10):
        while time.monotonic() < start + moment:
            await asyncio.sleep(0.001)
        print(runtime.statistics()["records.dropped"], flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_is_waited_for_but_once(protocol: Protocol) -> None:
    """By the thread that has all else to do, too; and who comes back is found again."""
    [port] = free_ports(1)
    more = {"OTEL_EXPORTER_OTLP_TIMEOUT": "4", "OTEL_PYTHON_LOOPSCOPE_BUFFER_SIZE": "500"}
    program = Program(STEADY, switched_on(f"http://127.0.0.1:{port}", protocol, **more))
    waited, later = (int(program.hear()) for _ in range(2))
    with Receiver(**({"http_port": port} if protocol == "http" else {"grpc_port": port})) as receiver:  # type: ignore[arg-type]
        ended = program.end(30)
        spans = receiver.spans()
    assert ended.code == 0
    assert waited > 500, "else it proves nothing"
    assert later == int(ended.out.split()[-1]) == waited
    assert spans
