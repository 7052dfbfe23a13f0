"""deploy/: its files hold to schemas and to rules of their own, and Jaeger and the Collector run with them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.ground import jaeger as real_jaeger
from tests.ground import prometheus as real_prometheus
from tests.ground.configured import DEPLOY, rewritten, running
from tests.ground.ports import free_ports
from tests.ground.receiver import Receiver
from tests.ground.shop import ROOT, Asked, Shop

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
BIN = Path(sys.executable).parent


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    return done.stdout + done.stderr


def test_compose_holds_to_its_schema() -> None:
    _run(str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml")


def test_by_default_there_are_the_service_its_database_its_load_and_jaeger() -> None:
    default = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert default == {"service", "load", "database", "jaeger"}
    assert set(SERVICES) - default == {"collector", "tempo", "prometheus", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_pinned_bounded_checked_and_private(name: str) -> None:
    service = SERVICES[name]
    if "build" not in service:
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?(-alpine)?", service["image"])
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["logging"]["options"] == {"max-size": "5m", "max-file": "2"}
    assert "healthcheck" in service or name == "collector"
    for port in service.get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
    assert "no-new-privileges:true" in service["security_opt"]
    for needed, how in service.get("depends_on", {}).items():
        checked = "healthcheck" in SERVICES[needed]
        assert how["condition"] == ("service_healthy" if checked else "service_started")
        assert "profiles" not in SERVICES[needed] or "profiles" in service or how.get("required") is False


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_container_mounts_is_there(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        if source.startswith("."):
            assert mount.endswith(":ro")
            assert (DEPLOY / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]


def test_no_two_publish_the_same_port() -> None:
    ports = [port.split(":")[1] for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == len(set(ports))


def test_the_variables_of_compose_are_those_that_the_profile_sets() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    lines = (DEPLOY / "grafana.env").read_text().splitlines()
    given = {line.split("=")[0] for line in lines if not line.startswith("#")}
    assert given - {"COMPOSE_PROFILES"} == set(re.findall(r"\$\{([A-Z]+)", text)) - {"PROBLEMS", "USERS"}


def test_grafana_links_only_to_data_sources_that_there_are() -> None:
    found = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/stack.yaml").read_text())
    sources = {source["uid"]: source for source in found["datasources"]}
    assert set(sources) == {"prometheus", "tempo", "jaeger"}
    assert set(re.findall(r'"datasourceUid": "(\w+)"', json.dumps(found))) == {"prometheus", "tempo"}
    for uid, source in sources.items():
        assert source["url"].startswith(f"http://{uid}:")
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/loopscope.yaml").read_text())["providers"]
    assert any(mount.split(":")[1] == provider["options"]["path"] for mount in SERVICES["grafana"]["volumes"])


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_kubernetes_manifests_hold_to_the_schemas(file: Path) -> None:
    documents = list(yaml.safe_load_all(file.read_text()))
    kinds = [each["kind"] for each in documents]
    assert kinds == (["Instrumentation"] if file.stem == "operator" else []) + ["Deployment", "Service"]
    known = [each for each in documents if each["kind"] != "Instrumentation"]  # the operator's own: no schema to be had
    for each in known:
        kubernetes_validate.validate(each, "1.34", strict=True)


def test_the_operators_annotation_names_its_instrumentation() -> None:
    instrumentation, deployment, _ = yaml.safe_load_all((DEPLOY / "kubernetes/operator.yaml").read_text())
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    name = instrumentation["metadata"]["name"]
    assert annotations == {"instrumentation.opentelemetry.io/inject-python": name}


def test_the_dockerfile_is_well_written() -> None:
    assert _run(str(BIN / "hadolint"), "deploy/Dockerfile").strip() == ""


def test_what_the_dockerfile_copies_is_in_its_context_and_makes_a_wheel(tmp_path: Path) -> None:
    """Its steps by hand: the files that .dockerignore lets through, and `pip wheel` on the copied ones."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.M)
    copied = {name for names in copies for name in names.split()}
    assert all(any(name == one or name.startswith(f"{one}/") for one in allowed) for name in copied)
    assert all((ROOT / name).exists() for name in copied)
    for name in ("pyproject.toml", "README.md", "LICENSE", "src"):
        _run("cp", "-r", name, str(tmp_path))
    _run(str(BIN / "uv"), "build", "--wheel", "--quiet", "--out-dir", str(tmp_path / "wheels"), str(tmp_path))
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    assert {"loopscope/__init__.py", "loopscope_autostart.pth"} <= set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def binary() -> str:
    try:
        return str(real_jaeger.build())
    except real_jaeger.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pages() -> tuple[int, int]:
    """The ports of the Collector's page of metrics, and of Prometheus."""
    page, prometheus = free_ports(2)
    return page, prometheus


@pytest.fixture(scope="module")
def prometheus(pages: tuple[int, int]) -> Iterator[str]:
    """The address of a Prometheus with its file of deploy/, started as compose.yaml starts it."""
    try:
        program = str(real_prometheus.unpack())
    except real_prometheus.Unavailable as error:
        pytest.skip(str(error))
    page, port = pages
    config = rewritten(
        DEPLOY / "prometheus/prometheus.yaml",
        {
            "127.0.0.1:9090": f"127.0.0.1:{port}",
            "collector:8889": f"127.0.0.1:{page}",
            "/etc/prometheus": str(DEPLOY / "prometheus"),
        },
    )

    def command(config: str, data: str) -> list[str]:
        paths = {"--config.file": config, "--storage.tsdb.path": data}
        options = [each.split("=")[0] for each in SERVICES["prometheus"]["command"]]
        kept = [
            each for each, name in zip(SERVICES["prometheus"]["command"], options, strict=True) if name not in paths
        ]
        return [program, *kept, *(f"{k}={v}" for k, v in paths.items()), f"--web.listen-address=127.0.0.1:{port}"]

    with running(config, command, f"http://127.0.0.1:{port}/-/ready"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def stack(binary: str, pages: tuple[int, int], prometheus: str) -> Iterator[dict[str, Any]]:
    """Shop, Collector, Jaeger and Prometheus, each with its file of deploy/; in Tempo's place a receiver."""
    ui, ui_grpc, jaeger_grpc, jaeger_http, jaeger_health, grpc, http, health = free_ports(8)
    jaeger = rewritten(
        DEPLOY / "jaeger.yaml",
        {
            "0.0.0.0:13133": f"127.0.0.1:{jaeger_health}",
            "0.0.0.0:16686": f"127.0.0.1:{ui}",
            "127.0.0.1:16685": f"127.0.0.1:{ui_grpc}",
            "0.0.0.0:4317": f"127.0.0.1:{jaeger_grpc}",
            "0.0.0.0:4318": f"127.0.0.1:{jaeger_http}",
            "/etc/jaeger/ui.json": str(DEPLOY / "jaeger-ui.json"),
        },
    )
    with ExitStack() as parts:
        tempo = parts.enter_context(Receiver())
        collector = rewritten(
            DEPLOY / "collector.yaml",
            {
                "0.0.0.0:13133": f"127.0.0.1:{health}",
                "0.0.0.0:4317": f"127.0.0.1:{grpc}",
                "0.0.0.0:4318": f"127.0.0.1:{http}",
                "jaeger:4317": f"127.0.0.1:{jaeger_grpc}",
                "tempo:4317": tempo.grpc.removeprefix("http://"),
                "0.0.0.0:8889": f"127.0.0.1:{pages[0]}",
            },
        )

        def command(config: str, _: str) -> list[str]:
            return [binary, f"--config={config}"]

        parts.enter_context(running(jaeger, command, f"http://127.0.0.1:{jaeger_health}/status"))
        parts.enter_context(running(collector, command, f"http://127.0.0.1:{health}/status"))
        service = SERVICES["service"]["environment"]
        variables = {name: value for name, value in service.items() if name.startswith("OTEL_")}
        variables |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{http}", "OTEL_METRICS_EXPORTER": "otlp"}
        variables |= {"OTEL_METRIC_EXPORT_INTERVAL": "500"}
        with Shop(variables) as shop:
            with shop.problem("blocking_json"):
                asked, *_ = shop.ask(Asked("GET", "/products/7"), *[Asked("GET", "/report")] * 2)
            yield {
                "trace": asked.trace_id,
                "jaeger": f"http://127.0.0.1:{ui}",
                "tempo": tempo,
                "prometheus": prometheus,
            }


def test_a_request_reaches_jaeger_through_the_collector(stack: dict[str, Any]) -> None:
    deadline = time.monotonic() + 15
    address = f"{stack['jaeger']}/api/traces/{stack['trace']}"
    wanted = {"GET /products/{number}", "step RequestResponseCycle.run_asgi"}
    names: set[str] = set()
    while not wanted <= names:
        assert time.monotonic() < deadline, names
        time.sleep(0.3)
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                (trace,) = json.load(answer)["data"]
        except urllib.error.HTTPError:
            continue
        names = {span["operationName"] for span in trace["spans"]}
    assert {process["serviceName"] for process in trace["processes"].values()} == {"shop"}


def test_the_same_request_reaches_tempo(stack: dict[str, Any]) -> None:
    spans = stack["tempo"].wait(lambda spans: stack["trace"] in {span.trace_id for span in spans})
    assert {span.resource["service.name"] for span in spans} == {"shop"}


def test_the_metrics_of_both_workers_reach_prometheus(stack: dict[str, Any]) -> None:
    """And the queries that Grafana's link from a span to metrics makes have an answer."""
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/stack.yaml").read_text())["datasources"]
    (tempo,) = [source for source in sources if source["uid"] == "tempo"]
    workers = _wait_for(stack, "query", query='sum by (instance) (asyncio_step_count_total{job="shop"})', count=2)
    assert all(float(each["value"][1]) > 0 for each in workers)
    for each in tempo["jsonData"]["tracesToMetrics"]["queries"]:
        _wait_for(stack, "query", query=each["query"].replace("$$__tags", 'job="shop"'))


def test_exemplars_lead_from_prometheus_to_traces(stack: dict[str, Any]) -> None:
    now = time.time()
    found = _wait_for(
        stack,
        "query_exemplars",
        query="asyncio_step_ready_duration_seconds_bucket",
        start=str(now - 300),
        end=str(now + 60),
    )
    assert all(
        re.fullmatch("[0-9a-f]{32}", each["labels"]["trace_id"]) for series in found for each in series["exemplars"]
    )


def _wait_for(stack: dict[str, Any], kind: str, count: int = 1, **query: str) -> list[Any]:
    """What Prometheus' API answers, once it is `count` series."""
    deadline = time.monotonic() + 25
    address = f"{stack['prometheus']}/api/v1/{kind}?{urllib.parse.urlencode(query)}"
    while True:
        with urllib.request.urlopen(address, timeout=5) as answer:
            data = json.load(answer)["data"]
        found: list[Any] = data["result"] if isinstance(data, dict) else data
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def test_jaegers_page_has_our_settings(stack: dict[str, Any]) -> None:
    with urllib.request.urlopen(f"{stack['jaeger']}/search", timeout=5) as answer:
        assert '"topTagPrefixes":["asyncio."' in answer.read().decode().replace(" ", "")
