"""Jaeger and Tempo, by trace id and by pasted address: the same Timeline; whatever they do wrong, one clear line."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from loopscope.recording.assembly import assemble
from loopscope.recording.errors import SourceError
from loopscope.recording.load import load
from loopscope.recording.spans import Spans
from loopscope.settings import Backends
from tests.ground.ports import free_ports
from tests.views import standin
from tests.views.made import TRACE
from tests.views.seed import seed
from tests.views.standin import StandIn

EXPECTED = assemble(Spans(seed()))
UNKNOWN = "cd" * 16


@pytest.mark.parametrize("version", [1, 2])
def test_tempo(version: int) -> None:
    with StandIn(standin.tempo(seed(), version)) as tempo:
        known = Backends(tempo=tempo.base + "/", headers={"X-Scope-OrgID": "shop"})
        assert load([TRACE.upper()], known) == EXPECTED
        assert tempo.headers["x-scope-orgid"] == "shop"
        for path in ("/api/traces/", "/api/v2/traces/"):
            assert load([f"{tempo.base}{path}{TRACE}"]) == EXPECTED
        with pytest.raises(SourceError, match=f"has no trace {UNKNOWN}"):
            load([UNKNOWN], known)


def test_tempo_says_that_it_gave_a_part() -> None:
    told = "Trace exceeds maximum size of 5000000 bytes, a partial trace is returned"
    with StandIn(standin.tempo(seed(), message=told)) as tempo:
        found = load([TRACE], Backends(tempo=tempo.base))
    assert found.missing == [f"Tempo gave only a part of the trace: {told}"]


def test_tempo_cut_the_trace_and_says_nothing() -> None:
    """What came last is missing: task spans, whose steps are there, and steps that their task counts."""
    cut = [one for one in seed() if one.name != "task model_gen" and not one.name.endswith("main")] + [
        one for one in seed() if one.name in ("task main", "step main")
    ][:2]
    with StandIn(standin.tempo(cut)) as tempo:
        found = load([TRACE], Backends(tempo=tempo.base))
    assert [sentence.partition(":")[0] for sentence in found.missing] == [
        "2 tasks can be told from steps alone",
        "2 of 9 steps have no span, in 1 task",
    ]
    assert [task.qualname for task in found.tasks.values()] == ["main", "model_gen", "model_gen"]


@pytest.mark.parametrize("base", ["", "/tools/jaeger"])
def test_jaeger(base: str) -> None:
    with StandIn(standin.jaeger(seed(), base)) as jaeger:
        known = Backends(jaeger=jaeger.base + base, tempo="http://127.0.0.1:1")
        assert load([TRACE], known) == EXPECTED
        assert jaeger.asked == [f"{base}/api/v3/traces/{TRACE}"]
        page = f"{jaeger.base}{base}/trace/{TRACE}"
        for address in (page, page + "/", f"{page}?uiFind=asyncio.task.name%3DTask-3", f"{page}...{TRACE}#x",
                        f"{jaeger.base}{base}/api/v3/traces/{TRACE}", f"{jaeger.base}{base}/api/traces/{TRACE}"):  # fmt: skip
            assert load([address]) == EXPECTED, address
        with pytest.raises(SourceError, match=f"has no trace {UNKNOWN}.*No traces found"):
            load([UNKNOWN], Backends(jaeger=jaeger.base + base))


def test_an_old_jaeger_has_the_same_story() -> None:
    """Its times are microseconds, as all of the seed's are, and what its links mean is told from names."""
    with StandIn(standin.jaeger(seed(), version=1)) as jaeger:
        assert load([f"{jaeger.base}/trace/{TRACE}"]) == EXPECTED


def test_what_jaeger_does_not_have_tempo_may() -> None:
    with StandIn(standin.jaeger([])) as jaeger, StandIn(standin.tempo(seed())) as tempo:
        assert load([TRACE], Backends(jaeger=jaeger.base + "/other", tempo=tempo.base)) == EXPECTED


def state(*queries: Any) -> str:
    """A state of Grafana's Explore, as it stands in an address."""
    panes = {"x1": {"datasource": "t1", "queries": [
        {"refId": "A", "datasource": {"type": "tempo", "uid": "t1"}, "queryType": "traceql", "query": query}
        for query in queries], "range": {"from": "now-1h", "to": "now"}}}  # fmt: skip
    return quote(json.dumps(panes))


GRAFANA = [
    f"/explore?schemaVersion=1&panes={state(TRACE)}&orgId=1",
    "/grafana/explore?panes=" + state('{name=~"step.*"}', TRACE.upper()),
    f"/explore?left={quote(json.dumps({'datasource': 'tempo', 'queries': [{'query': TRACE}]}))}",
    f"/explore?left={quote(json.dumps(['now-1h', 'now', 'Tempo', {'query': TRACE}]))}",
    f"/d/abc/requests?var-traceId={TRACE}&from=now-1h",
    f"/a/grafana-exploretraces-app/explore?traceId={TRACE}",
]


@pytest.mark.parametrize("page", GRAFANA)
def test_grafana(page: str) -> None:
    with StandIn(standin.tempo(seed())) as tempo:
        assert load(["http://grafana.test" + page], Backends(tempo=tempo.base)) == EXPECTED
    with pytest.raises(SourceError, match="OTEL_PYTHON_LOOPSCOPE_TEMPO_URL") as raised:
        load(["http://grafana.test" + page])
    assert raised.value.usage


def test_ids_without_their_leading_zeros() -> None:
    """As Tempo's search gives them."""
    with StandIn(standin.always(404)) as tempo:
        for source in ("abc" * 10, f"{tempo.base}/api/traces/{'ABC' * 10}", f"http://g/explore?traceId={'abc' * 10}"):
            with pytest.raises(SourceError, match="has no trace 00" + "abc" * 10):
                load([source], Backends(tempo=tempo.base))


def test_grafana_names_its_own_way_to_tempo() -> None:
    with pytest.raises(SourceError, match=re.escape("http://g.test/api/datasources/proxy/uid/t1 with a header")):
        load(["http://g.test" + GRAFANA[0]])


Case = tuple[Callable[[str], standin.Answer], str]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (standin.always(401, "text/plain", "no token"), r"answers 401 \(no token\): .*Authorization"),
        (standin.always(403), "answers 403: .*another header"),
        (standin.always(500, "text/plain", "boom\nat line 3"), r"answers 500 \(boom\)$"),
        (standin.always(500, content='{"errors":[{"code":500,"msg":"storage is down"}]}'), r"500 \(storage is down\)"),
        (standin.always(500, "text/plain", "\x1b]0;owned\x07"), r"500 \(\\x1b\]0;owned\\x07\)"),
        (standin.always(502, "text/html", "<h1>Bad gateway</h1>"), "answers 502$"),
        (standin.always(404), f"has no trace {TRACE}"),
        (standin.always(*standin.PAGE), "not with JSON.*is this the address of the API"),
        (standin.always(200, "text/plain", "hello"), "answers, but not with JSON"),
        (standin.always(200, content=""), f"has no trace {TRACE}"),
        (standin.always(200, content='{"version": 3}'), "JSON of something else than traces"),
        (standin.always(200, content='{"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}'), "cannot be read"),
        (standin.late(1.0), "nothing came within 0.2 s"),
        (standin.always(302, content="http://127.0.0.1:1/login"), "does not answer"),
    ],
)
@pytest.mark.parametrize("kind", ["jaeger", "tempo"])
def test_misbehaving(kind: str, answer: Callable[[str], standin.Answer], told: str) -> None:
    with StandIn(answer) as server, pytest.raises(SourceError, match=told) as raised:
        load([TRACE], Backends(**{kind: server.base}, timeout=0.2))
    assert server.base in str(raised.value) and "\n" not in str(raised.value) and not raised.value.usage


def test_nobody_there() -> None:
    (port,) = free_ports(1)
    for base, told in (
        (f"http://user:secret@127.0.0.1:{port}", f"http://127.0.0.1:{port}/api.*connection refused"),
        ("http://nowhere.invalid", "http://nowhere.invalid.*does not answer"),
        ("http://127.0.0.1:port", "does not answer|no usable"),
        (f"https://127.0.0.1:{port}", "connection refused"),
    ):
        with pytest.raises(SourceError, match=told) as raised:
            load([TRACE], Backends(jaeger=base, timeout=5))
        assert "secret" not in str(raised.value)


def test_name_and_password_in_the_address() -> None:
    with StandIn(standin.tempo(seed())) as tempo:
        assert load([TRACE], Backends(tempo=tempo.base.replace("//", "//me:s%40cret@"))) == EXPECTED
        assert tempo.headers["authorization"] == "Basic " + base64.b64encode(b"me:s@cret").decode()


def test_headers_do_not_follow_elsewhere() -> None:
    """A redirect to another host must not learn the token."""
    with StandIn(standin.always(401)) as other, StandIn(standin.always(302, content=other.base + "/login")) as server:
        with pytest.raises(SourceError, match="401"):
            load([TRACE], Backends(tempo=server.base, headers={"Authorization": "Bearer x"}))
        assert server.headers["authorization"] == "Bearer x" and "authorization" not in other.headers


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("http://jaeger.test/trace/xyz", "'xyz' is no trace id"),
        ("http://jaeger.test/trace/" + "ab" * 20, "is no trace id"),
        ("http://jaeger.test/search?service=shop", "names no trace"),
        ("http://grafana.test/explore?panes=%7Bbroken", "names no trace"),
        ("file:///etc/passwd", "expected http:// or https://"),
        ("http://[::1", "no usable address"),
        ("http:///trace/" + TRACE, "no address of a page"),
    ],
)
def test_bad_addresses(source: str, told: str) -> None:
    with pytest.raises(SourceError, match=told) as raised:
        load([source], Backends(tempo="http://127.0.0.1:1"))
    assert raised.value.usage


def test_bad_bases() -> None:
    for known in (Backends(jaeger="jaeger:16686"), Backends(tempo="localhost"), Backends(tempo="file:///x")):
        with pytest.raises(SourceError, match="no address of an API"):
            load([TRACE], known)
    with pytest.raises(SourceError, match="no usable"):
        load([TRACE], Backends(tempo="http://127.0.0.1:1", headers={"X": "a\r\nHost: evil"}))


def test_backends_from_the_environment() -> None:
    assert Backends.load({}) == Backends()
    assert Backends.load({
        "OTEL_PYTHON_LOOPSCOPE_JAEGER_URL": " http://j ", "OTEL_PYTHON_LOOPSCOPE_TEMPO_URL": "http://t",
        "OTEL_PYTHON_LOOPSCOPE_QUERY_HEADERS": "Authorization=Bearer%20x, X-Scope-OrgID=shop,",
    }) == Backends("http://j", "http://t", {"Authorization": "Bearer x", "X-Scope-OrgID": "shop"})  # fmt: skip
