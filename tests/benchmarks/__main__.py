"""All that loopscope costs beside what others do, printed and kept: make bench."""

from __future__ import annotations

import json
import platform

from tests.benchmarks import page, picture, rivals, sizes, table

if __name__ == "__main__":
    rows = []
    for row in table.rows():
        print(table.line(row), flush=True)
        rows.append(row)
    beside = rivals.report()
    sizes.report()
    found = {"python": platform.python_version(), "table": [row._asdict() for row in rows], "rivals": beside}
    page.KEPT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    page.write()
    picture.draw(beside)
