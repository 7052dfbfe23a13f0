"""One Jaeger for all tests of this folder."""

from __future__ import annotations

from tests.backends.conftest import jaeger

__all__ = ["jaeger"]
