import pytest

from hallmark.api.drift_state import DriftState, FeatureDrift
from hallmark.drift.shown import shown_differs
from tests.unit.drift.factories import ACTIVE, OTHER, former


def state(psi: dict[str, str], **changes: object) -> DriftState:
    top = [FeatureDrift(feature=name, psi=value) for name, value in psi.items()]
    values = {"verdict": "NoDrift", "manifest_digest": ACTIVE, "voters": 3, "top": top, **changes}
    return DriftState.model_validate(values)


CALM = {"a": "0.0400", "b": "0.0310", "c": "0.0300", "d": "0.0200", "e": "0.0100"}
HIGH = {"a": "0.8000", "b": "0.0310"}


@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [
        pytest.param(state(CALM), state(CALM), False, id="the same again"),
        pytest.param(
            state(CALM),
            state(CALM, pods={"p": former(sequence=9)}),
            False,
            id="a sequence that went on",
        ),
        pytest.param(state(CALM), state(CALM, verdict="Drift"), True, id="another verdict"),
        pytest.param(state(CALM), state(CALM, manifest_digest=OTHER), True, id="another version"),
        pytest.param(state(CALM), state(CALM, voters=4), True, id="one more Pod has a vote"),
        pytest.param(state(CALM), state(CALM, drifting=1), True, id="one Pod drifts"),
        pytest.param(DriftState(), state(CALM), True, id="nothing was shown before"),
        pytest.param(
            state(CALM), state({**CALM, "a": "0.0899"}), False, id="a PSI that moved by chance"
        ),
        pytest.param(
            state(CALM), state({**CALM, "a": "0.0901"}), True, id="by a quarter of the threshold"
        ),
        pytest.param(
            state(CALM), state(dict(reversed(CALM.items()))), False, id="an order of equals"
        ),
        pytest.param(
            state(CALM),
            state({"f": "0.0500", **{name: CALM[name] for name in "abcd"}}),
            False,
            id="a feature that comes up by chance",
        ),
        pytest.param(
            state(CALM),
            state({"f": "0.0650", **{name: CALM[name] for name in "abcd"}}),
            True,
            id="a feature that comes up from below the five",
        ),
        pytest.param(
            state({"a": "0.1990"}),
            state({"a": "0.2010"}),
            True,
            id="a PSI that passes the threshold",
        ),
        pytest.param(
            state({"a": "0.2010"}), state({"a": "0.1990"}), True, id="and one that comes back"
        ),
        pytest.param(
            state(HIGH), state({**HIGH, "a": "0.9900"}), False, id="a high PSI moves by more"
        ),
        pytest.param(
            state(HIGH), state({**HIGH, "a": "1.0100"}), True, id="by a quarter of itself"
        ),
        pytest.param(state(HIGH), state({**HIGH, "a": "0.5900"}), True, id="and down"),
    ],
)
def test_what_is_shown_anew(before: DriftState, after: DriftState, differs: bool) -> None:
    assert shown_differs(before, after, 0.2) is differs
