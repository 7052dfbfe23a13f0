"""A real Kafka, one broker out of Maven Central's jars, on 127.0.0.1."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.ground import cache
from tests.ground.ports import free_ports
from tests.ground.process import comes_up, listens

VERSION = "3.9.1"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>loopscope.tests</groupId><artifactId>kafka</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
</dependencies></project>"""


class Unavailable(Exception):
    """Why there is no Kafka on this machine, in one line."""


def jars() -> Path:
    """The folder of its jars, fetched at the first call."""
    return cache.once(f"kafka-{VERSION}", _fetch)


def _fetch(folder: Path) -> None:
    if not shutil.which("mvn") or not shutil.which("java"):
        raise Unavailable("Kafka needs Java and Maven (Debian packages default-jre-headless and maven)")
    folder.mkdir()
    with tempfile.TemporaryDirectory(prefix="loopscope-kafka-") as made:
        Path(made, "pom.xml").write_text(_POM)
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
        done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"mvn failed: {(done.stdout.strip().splitlines() or ['no output'])[0]}")


class Broker(NamedTuple):
    """Where it listens, and the folder of its topics' partitions."""

    address: str
    data: Path


@contextmanager
def kafka(*topics: str, partitions: int = 4) -> Iterator[Broker]:
    """One broker with these topics."""
    with tempfile.TemporaryDirectory(prefix="loopscope-kafka-") as folder:
        broker, controller = free_ports(2)
        config, log = Path(folder, "server.properties"), Path(folder, "log")
        config.write_text(
            f"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n"
            f"listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n"
            f"controller.listener.names=CONTROLLER\nlog.dirs={folder}/data\n"
            "offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\ngroup.initial.rebalance.delay.ms=0\n"
        )
        java = ["java", "-Xmx512m", "-cp", f"{jars()}/*"]
        format_it = ["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", str(config)]
        subprocess.run([*java, *format_it], capture_output=True, check=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*java, "kafka.Kafka", str(config)],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            if not comes_up(process, lambda: listens(broker), 60):
                raise Unavailable(f"Kafka does not start: {log.read_text(errors='replace').strip()[-500:]}")
            address = f"127.0.0.1:{broker}"
            for topic in topics:
                make = [
                    "org.apache.kafka.tools.TopicCommand",
                    "--create",
                    "--topic",
                    topic,
                    "--partitions",
                    str(partitions),
                ]
                subprocess.run([*java, *make, "--bootstrap-server", address], capture_output=True, check=True)
            yield Broker(address, Path(folder, "data"))
        finally:
            process.kill()
            process.wait()
