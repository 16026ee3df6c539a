"""Whatever an author asks for, a container has limits, and requests within them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from hallmark.api.resources import Resources, quantity
from hallmark.resources.amounts import resources
from hallmark.resources.jobs import TRAINER_DEFAULTS
from hallmark.resources.predictor_version import DEFAULTS

CPU = st.one_of(st.integers(1, 64).map(str), st.integers(1, 64_000).map(lambda n: f"{n}m"))
MEMORY = st.builds(
    lambda n, unit: f"{n}{unit}", st.integers(1, 4096), st.sampled_from(["", "Ki", "Mi", "Gi"])
)
AMOUNTS = st.one_of(
    st.none(),
    st.fixed_dictionaries({}, optional={"cpu": CPU, "memory": MEMORY}),
)
ASKED = st.one_of(
    st.none(), st.fixed_dictionaries({}, optional={"requests": AMOUNTS, "limits": AMOUNTS})
)


@pytest.mark.parametrize("defaults", [TRAINER_DEFAULTS, DEFAULTS], ids=["trainer", "predictor"])
@given(asked=ASKED)
def test_limits_are_always_there_and_requests_are_within(
    defaults: dict[str, dict[str, str]], asked: dict[str, dict[str, str]] | None
) -> None:
    parsed = None if asked is None else Resources.model_validate(asked)
    found = resources(parsed, defaults)
    for side, amounts in defaults.items():
        assert amounts.keys() <= found[side].keys()
    for name, amount in found["requests"].items():
        limit = found["limits"].get(name)
        assert limit is None or quantity(amount) <= quantity(limit)
    asked_limits = (asked or {}).get("limits") or {}
    assert asked_limits.items() <= found["limits"].items(), "an asked limit is never raised"


@pytest.mark.parametrize(
    ("asked", "requests", "limits"),
    [
        pytest.param(
            {"requests": {"cpu": "2"}},
            {"cpu": "2", "memory": "512Mi"},
            {"memory": "2Gi"},
            id="a request for CPU leaves memory as it is",
        ),
        pytest.param(
            {"requests": {"memory": "4Gi"}},
            {"cpu": "100m", "memory": "4Gi"},
            {"memory": "4Gi"},
            id="a request above the default limit raises it",
        ),
        pytest.param(
            {"limits": {"memory": "256Mi"}},
            {"cpu": "100m", "memory": "256Mi"},
            {"memory": "256Mi"},
            id="a limit below the default request lowers it",
        ),
        pytest.param(
            {"limits": {}},
            {"cpu": "100m", "memory": "512Mi"},
            {"memory": "2Gi"},
            id="an empty map asks for nothing",
        ),
        pytest.param(
            {"requests": {"memory": "2147483648"}, "limits": {"memory": "2Gi"}},
            {"cpu": "100m", "memory": "2147483648"},
            {"memory": "2Gi"},
            id="the same amount may be written otherwise",
        ),
    ],
)
def test_what_is_asked_for_stands_over_the_defaults(
    asked: dict[str, dict[str, str]], requests: dict[str, str], limits: dict[str, str]
) -> None:
    found = resources(Resources.model_validate(asked), TRAINER_DEFAULTS)
    assert found == {"requests": requests, "limits": limits}


@pytest.mark.parametrize("amount", ["0", "0Mi", "00", "-1", "1.5Gi", "1e9", "1 Gi", "1G", ""])
def test_an_amount_that_is_none_cannot_be_asked_for(amount: str) -> None:
    with pytest.raises(ValueError, match="memory"):
        Resources.model_validate({"limits": {"memory": amount}})
