"""The alert rules: promtool's own tests of them, and the real Prometheus over a sick, a misdirected and a healthy shop."""

from __future__ import annotations

import subprocess

import pytest

from tests.ground.configured import DEPLOY
from tests.ground.prometheus import Unavailable, promtool
from tests.stack.conftest import Stack

pytestmark = pytest.mark.alone

FOLDER = DEPLOY / "prometheus"


@pytest.mark.parametrize("command", [("check", "alerts.yaml"), ("test", "alerts.test.yaml")], ids=lambda c: c[0])
def test_promtool(command: tuple[str, str]) -> None:
    check, file = command
    try:
        tool = promtool()
    except Unavailable as error:
        pytest.skip(str(error))
    done = subprocess.run([tool, check, "rules", file], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def fired(stack: Stack, job: str) -> set[str]:
    """The alerts that have fired for a service."""
    found = stack.prometheus.query(f'max_over_time(ALERTS{{job="{job}", alertstate="firing"}}[5m])')
    return {labels["alertname"] for labels, _ in found}


def test_the_sick_shop_is_told(stack: Stack) -> None:
    assert "EventLoopStalls" in fired(stack, "shop")


def test_losses_are_told(stack: Stack) -> None:
    assert "LoopscopeLosesSpans" in fired(stack, "misdirected")


def test_the_healthy_shop_is_silent(stack: Stack) -> None:
    """It loses nothing, and no step of it takes a second."""
    assert stack.prometheus.query('max_over_time(asyncio_task_count{job="healthy"}[5m])'), "it was not seen"
    assert not fired(stack, "healthy") - {"SchedulingDelay"}  # the machine itself may be that busy
