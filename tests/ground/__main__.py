"""Builds the real parts that the tests run against, once, into the cache: `python -m tests.ground`."""

from __future__ import annotations

import sys

from tests.ground import chromium, jaeger, pythons


def main() -> int:
    """Say what is there and what cannot be had; the tests that need it say so again."""
    for version, interpreter in pythons.pythons().items():
        print(f"Python {version}: {interpreter.release}")
    for version, why in pythons.missing().items():
        print(f"Python {version}: {why}")
    jaeger.main()
    chromium.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
