"""Starts the shop: `python -m examples.service [--host H] [--port P] [--workers N]`."""

from __future__ import annotations

import argparse
import os
import tempfile

import uvicorn

from . import problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    # What the workers share, for as long as the shop is open: the switches, and the database where it is a file.
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        os.environ["SHOP_FOLDER"] = folder
        os.environ.setdefault("WAREHOUSE_URL", f"http://127.0.0.1:{options.port}")
        problems.switch_on_what_the_environment_names()
        uvicorn.run(
            f"{__package__}.telemetry:create_app",
            factory=True,
            host=options.host,
            port=options.port,
            workers=options.workers,
            loop="uvloop",
            access_log=False,
        )


if __name__ == "__main__":
    main()
