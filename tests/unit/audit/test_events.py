"""Which decisions wait for no volume, which for a whole log, and how the last record is found."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, strategies as st

from hallmark.audit.events import AuditEvent, AuditOutcome, promotes, withdraws
from hallmark.audit.files import last_line

DECISIONS = set(product(AuditEvent, AuditOutcome))
TAKES_AWAY = {
    ("deny", "accepted"),
    ("revoke", "accepted"),
    ("approve", "refused"),
    ("assess", "refused"),
    ("withdraw", "withdrawn"),
    ("verify", "refused"),
    ("promote", "refused"),
    *(("rollback", outcome) for outcome in AuditOutcome),
}


def test_what_takes_trust_or_traffic_away_waits_for_nothing_and_nothing_else_does() -> None:
    assert {decision for decision in DECISIONS if withdraws(*decision)} == TAKES_AWAY


def test_what_gives_traffic_waits_for_a_whole_log() -> None:
    found = {decision for decision in DECISIONS if promotes(*decision)}
    assert found == {("promote", "started"), ("promote", "promoted")}


LINES = st.lists(st.binary(min_size=1, max_size=9).map(lambda line: line.replace(b"\n", b"x")))


@given(LINES, st.booleans())
def test_the_last_line_is_found_with_its_end_and_without(lines: list[bytes], ended: bool) -> None:
    text = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "log"
        file.write_bytes(text)
        assert last_line(file) == (lines[-1] if lines else b"")
