"""What a log says of a moment, held against the records up to then alone."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, strategies as st

from hallmark.api.texts import timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.memory import DECIDED_AT
from hallmark.audit.record import FIRST_PREVIOUS, AuditRecord, Record, build_record
from hallmark.verification.recorded import Recorded
from tests.examples import examples
from tests.unit.policies.model_deployment.rollouts import NOW, digest

ROLLBACKS = st.tuples(
    st.sampled_from([digest(1), digest(2), ""]),
    st.sampled_from([AuditOutcome.STARTED, AuditOutcome.COMPLETED, AuditOutcome.STOPPED]),
    st.integers(0, 5),
)


def rollback(seq: int, gave_way: str, outcome: AuditOutcome, hour: int) -> AuditRecord:
    said = Record("", AuditEvent.ROLLBACK, "Deployment", "bank", "credit", "d", outcome, "Drift",
                  details={"fromDigest": gave_way, DECIDED_AT: later(hour)})  # fmt: skip
    return build_record(said, seq, timestamp(NOW), FIRST_PREVIOUS)


def later(hour: int) -> str:
    return timestamp(NOW + timedelta(hours=hour))


@examples(100)
@given(st.lists(ROLLBACKS, max_size=8))
def test_when_bytes_last_gave_way_before_a_record_hangs_on_no_later_one(
    told: list[tuple[str, AuditOutcome, int]],
) -> None:
    log = [rollback(seq, *one) for seq, one in enumerate(told, 1)]
    whole = Recorded(log)
    for before in range(1, len(log) + 2):
        for gave_way in (digest(1), digest(2), ""):
            until_then = Recorded(log[: before - 1]).rolled_back("bank", gave_way)
            assert whole.rolled_back("bank", gave_way, before) == until_then
            hours = [
                hour
                for other, outcome, hour in told[: before - 1]
                if other == gave_way and gave_way and outcome is not AuditOutcome.STARTED
            ]
            assert (until_then and until_then.time) == (later(max(hours)) if hours else None)
