"""Programs run with the very files of deploy/, in which only host names, ports and paths are replaced."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.ground.jaeger import build
from tests.ground.ports import free_ports
from tests.ground.process import answers, comes_up, end

DEPLOY = Path(__file__).parents[2] / "deploy"


def rewritten(file: Path, replacements: Mapping[str, str]) -> str:
    """Its text with each replaced; ValueError for what does not stand in it."""
    text = file.read_text()
    for old, new in replacements.items():
        if old not in text:
            raise ValueError(f"{old!r} does not stand in {file.name}")
        text = text.replace(old, new)
    return text


@contextmanager
def running(config: str, command: Callable[[str, str], list[str]], ready: str, timeout: float = 30.0) -> Iterator[Path]:
    """`command(config file, data folder)` until it is left, entered once the address `ready` answers; gives its log."""
    with tempfile.TemporaryDirectory(prefix="loopscope-configured-") as folder:
        file, log = Path(folder, "config.yaml"), Path(folder, "log")
        file.write_text(config)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(str(file), str(Path(folder, "data"))),
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            if not comes_up(process, lambda: answers(ready), timeout):
                raise RuntimeError(f"it does not start: {log.read_text(errors='replace')[-2000:]}")
            yield log
        finally:
            end(process, 3)


def collector(config: str, *options: str, **variables: str) -> AbstractContextManager[Path]:
    """A Collector or Jaeger, whose file takes its addresses from the environment, HEALTH among them."""
    (health,) = free_ports(1)
    told = [f"{name}={value}" for name, value in {**variables, "HEALTH": f"127.0.0.1:{health}"}.items()]
    command = ["env", *told, str(build()), *options]
    return running(config, lambda file, _: [*command, f"--config={file}"], f"http://127.0.0.1:{health}/status")
