"""A real Prometheus out of Debian's package, scraping what it is told to, and asked by its API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.ground import cache
from tests.ground.ports import free_ports
from tests.ground.process import Server, answers

#: seconds between two scrapes
INTERVAL = 0.5


class Unavailable(Exception):
    """Why there is no Prometheus on this machine, in one line."""


def unpack() -> Path:
    """The binary: the one that is installed, else out of Debian's package, which is unpacked at the first call."""
    installed = shutil.which("prometheus")
    return Path(installed) if installed else cache.once("prometheus", _unpack) / "usr/bin/prometheus"


def promtool() -> Path:
    """The tool that comes with it."""
    return unpack().with_name("promtool")


def _unpack(root: Path) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Unavailable("needs Prometheus (Debian package prometheus), which is not installed")
    with tempfile.TemporaryDirectory(prefix="loopscope-prometheus-") as folder:
        if _run("apt-get", "download", "-q", "prometheus", folder=folder):
            if os.geteuid() != 0:
                raise Unavailable("apt-get does not know the package prometheus, and only root can update its lists")
            _run("apt-get", "update", "-q", folder=folder)
            if reason := _run("apt-get", "download", "-q", "prometheus", folder=folder):
                raise Unavailable(reason)
        (package,) = Path(folder).glob("prometheus_*.deb")
        if reason := _run("dpkg", "-x", str(package), str(root), folder=folder):
            raise Unavailable(reason)


def _run(*command: str, folder: str) -> str:
    """Run it; what it said last if it failed."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    last = (done.stdout.strip().splitlines() or ["no output"])[-1]
    return f"{command[0]} failed: {last}" if done.returncode else ""


class Prometheus(Server):
    """Prometheus, running while it is entered, on 127.0.0.1; scrapes `targets` ("127.0.0.1:port").

    A target's own labels `job` and `instance` hold, as behind a Collector they must. `rules` are evaluated as often.
    """

    name, failure = "Prometheus", Unavailable

    def __init__(self, *targets: str, rules: Path | None = None) -> None:
        self._binary = unpack()
        self._rules = rules
        self._targets = targets
        super().__init__()
        self.address = ""

    def query(self, text: str) -> list[tuple[dict[str, str], float]]:
        """What a PromQL query answers now: labels and value of each series."""
        found = self._get(f"/api/v1/query?{urllib.parse.urlencode({'query': text})}")
        return [(each["metric"], float(each["value"][1])) for each in found["data"]["result"]]

    def value(self, text: str) -> float | None:
        """The value of a query that answers with one series, None for none."""
        found = self.query(text)
        assert len(found) <= 1, f"{text} has {len(found)} series: {found}"
        return found[0][1] if found else None

    def wait_for(self, text: str, timeout: float = 15.0) -> float:
        """The value of a query, once there is one; TimeoutError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (value := self.value(text)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {timeout} s there was no {text}")
            time.sleep(0.1)
        return value

    def exemplars(self, text: str) -> list[dict[str, str]]:
        """The labels of the exemplars of the last hour behind a PromQL query."""
        now = time.time()
        asked = urllib.parse.urlencode({"query": text, "start": now - 3600, "end": now + 60})
        found = self._get(f"/api/v1/query_exemplars?{asked}")
        return [exemplar["labels"] for series in found["data"] for exemplar in series["exemplars"]]

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def prepare(self, folder: Path) -> tuple[list[str], Callable[[], bool]]:
        """See Server."""
        (port,) = free_ports(1)
        self.address = f"http://127.0.0.1:{port}"
        config = folder / "prometheus.yml"
        scrape: dict[str, Any] = {"job_name": "loopscope", "static_configs": [{"targets": list(self._targets)}]}
        scrape["honor_labels"] = True
        pause = f"{int(INTERVAL * 1000)}ms"
        timing = {"scrape_interval": pause, "scrape_timeout": pause, "evaluation_interval": pause}
        rules = [str(self._rules)] if self._rules else []
        config.write_text(
            json.dumps({"global": timing, "rule_files": rules, "scrape_configs": [scrape]})
        )  # JSON is YAML
        command = [
            str(self._binary), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage",
        ]  # fmt: skip
        return command, lambda: answers(f"{self.address}/-/ready")
