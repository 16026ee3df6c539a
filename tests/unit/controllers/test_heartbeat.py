"""Liveness: alive while the watch delivers, dead when it has been silent for a minute."""

from __future__ import annotations

from hallmark.controllers.heartbeat import Heartbeat


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
