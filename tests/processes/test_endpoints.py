"""Endpoints that refuse, hang or fail: the end is late by the exporter's timeout at most, and what is lost is told once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ground.ports import free_port
from tests.ground.receiver import Protocol, Receiver
from tests.processes.program import PROTOCOLS, run, switched_on, to

TIMEOUT = 1
#: what starting, importing and ending may take besides, on a busy machine
SLACK = 1.5
