"""TraceQL, parsed by the grammar that Grafana's own query editor uses: the npm package @grafana/lezer-traceql."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.ground import cache

_PACKAGES = ("@grafana/lezer-traceql@1.0.0", "@lezer/lr@1.4.2")
#: the first place of each query that does not parse, null for one that does
_PROGRAM = """
import {readFileSync} from "node:fs";
import {parser} from "@grafana/lezer-traceql";
const places = JSON.parse(readFileSync(0, "utf8")).map(query => {
  let place = null;
  parser.parse(query).iterate({enter(node) { if (node.type.isError && place === null) place = node.from; }});
  return place;
});
console.log(JSON.stringify(places));
"""


class Unavailable(Exception):
    """Why there is no parser on this machine, in one line."""


def wrong(queries: Sequence[str]) -> list[str]:
    """The queries that do not parse, each cut where it ceased to."""
    node = shutil.which("node")
    if not node:
        raise Unavailable("TraceQL is parsed by node, which is not installed (Debian packages nodejs and npm)")
    folder = cache.once("lezer-traceql-1.0.0", _install)
    done = subprocess.run(
        [node, "parse.mjs"], cwd=folder, input=json.dumps(queries), capture_output=True, text=True, check=True
    )
    return [query[:place] for query, place in zip(queries, json.loads(done.stdout), strict=True) if place is not None]


def _install(folder: Path) -> None:
    npm = shutil.which("npm")
    if not npm:
        raise Unavailable("TraceQL's grammar is installed by npm, which is not installed (Debian package npm)")
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}')
    (folder / "parse.mjs").write_text(_PROGRAM)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *_PACKAGES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"npm install failed: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
