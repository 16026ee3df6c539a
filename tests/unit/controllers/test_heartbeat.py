"""Liveness: alive while the watch delivers, dead when it has been silent for a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from hallmark.controllers.heartbeat import Heartbeat
from hallmark.controllers.settings import Settings
from hallmark.errors import ConfigurationError


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time that the test set."""
        return self.now


def test_an_operator_that_does_not_see_itself_is_dead() -> None:
    clock = Clock()
    heartbeat = Heartbeat(60, clock)
    assert heartbeat.alive, "it has just started"
    clock.now += 59
    assert heartbeat.alive
    clock.now += 2
    assert not heartbeat.alive
    heartbeat.seen()
    assert heartbeat.alive
    assert heartbeat.age == 0


def test_settings_come_from_the_environment_and_have_defaults() -> None:
    found = Settings.from_environment({"HALLMARK_NAMESPACE": "x", "HALLMARK_HEALTH_PORT": "1234"})
    assert (found.namespace, found.health_port, found.metrics_port) == ("x", 1234, 9090)
    assert found.audit_log == Path("/var/lib/hallmark/logs/secure_mlops.log")
    with pytest.raises(ConfigurationError, match="HALLMARK_RESYNC_SECONDS"):
        Settings.from_environment({"HALLMARK_RESYNC_SECONDS": "often"})
