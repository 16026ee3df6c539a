"""What another policy would stop: the operator's own checks on really sealed bundles."""

from __future__ import annotations

import pytest

from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion
from hallmark_dashboard.pages.forms import policy_spec
from hallmark_dashboard.problems import Problem
from hallmark_dashboard.views.what_if import MOST, Effect, Files, chosen, effect, kept, what_if
from tests.unit.dashboard.objects import approval, conditions, deployment, version as plain_version
from tests.unit.policies.training_run.runs import NOW, SBOM, bundle, policy, version
from tests.unit.supply_chain.factories import OTHER_KEY, trusted

FILES = Files(bundle().evidence.manifest, bundle().report, sbom=SBOM)


def held(*approvers: str, used_by: tuple[str, ...] = ("loan",)) -> ModelVersion:
    """Return a version that passes today."""
    status = {
        "conditions": conditions(Verified="True", PolicyPassed="True", Approved="True"),
        "approvals": [approval(name) for name in approvers],
        "usedBy": list(used_by),
    }
    wire = {**version().to_wire(), "status": status}
    return ModelVersion.model_validate(wire)


ACCURACY = {"metric": "accuracy", "comparison": "AtLeast"}


@pytest.mark.parametrize(
    ("candidate", "state", "words"),
    [
        pytest.param(policy(), "good", "", id="the policy of today"),
        pytest.param(
            policy(gates=[{**ACCURACY, "threshold": "0.95"}]),
            "stopped",
            "0.95",
            id="a higher floor",
        ),
        pytest.param(
            policy(gates=[{**ACCURACY, "threshold": "0.9"}]), "good", "", id="a lower one"
        ),
        pytest.param(
            policy(dependencies={"denied": ["numpy"]}), "stopped", "numpy", id="a denied package"
        ),
        pytest.param(
            policy(dependencies={"licences": {"allowed": ["MIT"]}}),
            "stopped",
            "found none stated",
            id="licences that are not stated",
        ),
        pytest.param(
            policy(signers=[trusted(OTHER_KEY).to_wire()]), "stopped", "", id="another signer"
        ),
        pytest.param(
            policy(signers=[trusted(revoked_at="2026-01-01T00:00:00Z").to_wire()]),
            "stopped",
            "revoked",
            id="a revoked key",
        ),
        pytest.param(
            policy(approvals={"minimum": 3}), "stopped", "2 more people", id="more approvals"
        ),
    ],
)
def test_another_policy_does(candidate: ModelPolicy, state: str, words: str) -> None:
    found = effect(held("rita"), candidate, FILES, NOW)

    assert found.state == state
    assert words in " ".join(found.reasons)
    assert found.new == (state == "stopped")


def test_every_reason_is_named_at_once() -> None:
    strict = policy(
        gates=[{**ACCURACY, "threshold": "0.99"}],
        dependencies={"denied": ["numpy"]},
        approvals={"minimum": 2},
    )

    assert len(effect(held("rita"), strict, FILES, NOW).reasons) == 2
    assert "numpy" in effect(held("rita"), strict, FILES, NOW).reasons[0]


def test_what_cannot_be_read_is_unknown_and_not_good() -> None:
    found = effect(held("rita"), policy(), Files(None, None, "The store is away."), NOW)

    assert (found.state, found.reasons) == ("unknown", ("The store is away.",))
    assert "nothing can be told" in what_if([found], 0).headline


def test_what_is_in_use_comes_first_and_the_rest_is_counted() -> None:
    strict = policy(approvals={"minimum": 2})
    idle, used = held("rita", used_by=()), held("rita")
    effects: list[Effect] = [effect(one, strict, FILES, NOW) for one in (idle, used)]
    found = what_if(effects, 7)

    assert [bool(one.used_by) for one in found.effects] == [True, False]
    assert found.headline == "It would newly stop 2 versions, 1 of them in use."
    assert found.left_out == 7
    many = [plain_version(f"v{n}", number=n) for n in range(1, MOST + 50)]
    assert len(chosen(many)) == MOST
    assert chosen(many)[0].spec.version == MOST + 49


def test_a_deployment_that_watches_too_little_is_kept_and_named_with_every_reason() -> None:
    floors = {"maxWindow": 100, "probing": {}}
    today, strict = policy().spec, policy(drift=floors, rollout={"minBake": "1h"}).spec
    loose = deployment("loan")
    close = deployment("card", drift={"window": 100, "probing": {}}, strategy={"bake": "60m"})

    found = kept(loose, today, strict)
    assert found is not None
    assert [reason.split(" (")[0] for reason in found.reasons] == [
        "Expected spec.drift.probing declared",
        "Expected spec.drift.window at most 100",
        "Expected spec.strategy.bake at least 1h",
    ]
    assert (found.name, found.new, found.state) == ("loan", True, "stopped")
    assert kept(close, today, strict) is None
    again = kept(loose, strict, strict)
    assert again is not None
    assert not again.new
    told = what_if([], 0, [again, found])
    assert told.headline == (
        "It would newly stop 0 versions; 1 Deployment would newly promote nothing."
    )
    assert told.kept == (found, again)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "dictionary"),
        ("- a", "dictionary"),
        ("a: &x [1]\nb: *x", "without aliases"),
        ("a: !!python/object:os.system {}", "as YAML"),
        ("{" * 60_000, "at most 50 deep"),
        ("- " * 30_000, "at most 50 deep"),
        ("[" * 50 + "]" * 50, "dictionary"),
        ("spec: {storre: 1}", "signers: expected a value"),
    ],
)
def test_a_text_that_is_no_spec_is_refused(text: str, words: str) -> None:
    with pytest.raises(Problem, match=words):
        policy_spec(text)
