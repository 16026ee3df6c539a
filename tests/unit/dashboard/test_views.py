"""What pages say of objects: how they stand, models, runs, policies, the registry, words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hallmark_dashboard.seen import Unreadable
from hallmark_dashboard.views.model import model_detail, model_rows
from hallmark_dashboard.views.overview import Overview
from hallmark_dashboard.views.policy import demands, policy_detail
from hallmark_dashboard.views.registry import registry
from hallmark_dashboard.views.run import about, run_detail
from hallmark_dashboard.views.search import search
from hallmark_dashboard.views.standing import (
    Standing,
    State,
    deployment_standing,
    run_standing,
    version_standing,
)
from hallmark_dashboard.views.words import ago, lasting, listed, plural, short
from tests.unit.dashboard.objects import (
    APPROVED,
    DIGEST,
    DRIFTS,
    NOW,
    OTHER,
    SERVES,
    SPACE,
    THEN,
    approval,
    conditions,
    deployment,
    policy,
    run,
    seen,
    version,
)
from tests.unit.dashboard.view_makers import artifact


@pytest.mark.parametrize(
    ("found", "state", "word"),
    [
        pytest.param(version_standing(version()), "waiting", "AwaitingApproval", id="sealed"),
        pytest.param(version_standing(version(told=APPROVED)), "good", "Sealed", id="approved"),
        pytest.param(
            version_standing(version(told={**APPROVED, "Revoked": "True/Revoked"})),
            "stopped",
            "Revoked",
            id="a revocation counts before an approval",
        ),
        pytest.param(
            version_standing(version(told={"Denied": "True/Denied"})),
            "stopped",
            "Denied",
            id="denied",
        ),
        pytest.param(
            version_standing(version(told={"Ready": "False/Refused", "Stalled": "True/Refused"})),
            "stopped",
            "Refused",
            id="one whose signature fell",
        ),
        pytest.param(deployment_standing(deployment()), "good", "Serving", id="what serves"),
        pytest.param(
            deployment_standing(deployment(told={})),
            "unknown",
            "NotSeen",
            id="what nobody looked at",
        ),
        pytest.param(
            deployment_standing(
                deployment(told={"Ready": "True/Serving", "DriftDetected": "True/DriftDetected"})
            ),
            "stopped",
            "DriftDetected",
            id="what serves and drifts",
        ),
        pytest.param(
            deployment_standing(
                deployment(told={"Ready": "False/Starting", "Reconciling": "True/Starting"})
            ),
            "waiting",
            "Starting",
            id="what starts",
        ),
        pytest.param(
            deployment_standing(
                deployment(told={"Ready": "False/Refused", "Stalled": "True/NoVerifiedTarget"})
            ),
            "stopped",
            "NoVerifiedTarget",
            id="what is held",
        ),
        pytest.param(
            run_standing(run(told={"Ready": "Unknown/Pending"})),
            "waiting",
            "Pending",
            id="a new run",
        ),
    ],
)
def test_an_object_stands(found: Standing, state: str, word: str) -> None:
    assert (found.state, found.word) == (state, word)


def test_a_spec_that_nobody_looked_at_yet_is_not_good() -> None:
    found = deployment()
    newer = found.replace(metadata=found.metadata.replace(generation=2))

    assert deployment_standing(newer).state is State.WAITING


@pytest.mark.parametrize(
    ("found", "names"),
    [
        pytest.param(seen(versions=[version()]), ["loan-v1"], id="who may approve"),
        pytest.param(
            seen(versions=[version()], reviews_in=frozenset()), [], id="not who lacks the verb"
        ),
        pytest.param(seen(versions=[version()], person="alice"), [], id="not who asked for it"),
        pytest.param(
            seen(versions=[version()], person="Alice "), [], id="not who asked, otherwise spelled"
        ),
        pytest.param(
            seen(versions=[version(status={"approvals": [approval("rita")]})], person="RITA"),
            [],
            id="not who approved it already, otherwise spelled",
        ),
        pytest.param(
            seen(versions=[version(status={"approvals": [approval("rita")]})]),
            [],
            id="not who approved it already",
        ),
        pytest.param(
            seen(versions=[version(status={"approvals": [approval("rita", withdrawn=True)]})]),
            ["loan-v1"],
            id="who took it back",
        ),
        pytest.param(seen(versions=[version(told=APPROVED)]), [], id="nobody where it is approved"),
        pytest.param(
            seen(versions=[version(told={"Revoked": "True/Revoked"})]), [], id="nobody once revoked"
        ),
        pytest.param(
            seen(runs=[run("a", told={"Stalled": "True/DataInvalid"})], person="alice"),
            ["a"],
            id="whose own run was refused",
        ),
        pytest.param(
            seen(runs=[run("a", told={"Stalled": "True/DataInvalid"})]),
            [],
            id="nobody for another's run",
        ),
    ],
)
def test_something_waits_for(found: Overview, names: list[str]) -> None:
    assert [item.name for item in found.waiting] == names


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        pytest.param(seen(), "unknown", "Nothing serves yet", id="an empty cluster"),
        pytest.param(seen(deployments=[deployment()]), "good", "Nothing is wrong", id="calm"),
        pytest.param(
            seen(versions=[version()], deployments=[deployment()]),
            "waiting",
            "1 thing waits for you",
            id="a review",
        ),
        pytest.param(
            seen(deployments=[deployment(told=DRIFTS)], versions=[version()]),
            "stopped",
            "bank/loan is stopped (DriftDetected, 4 minutes ago). 1 thing waits for you.",
            id="drift",
        ),
        pytest.param(
            seen(unreadable=[Unreadable("Deployment", SPACE, "odd", "It is odd.")]),
            "unknown",
            "1 object cannot be told",
            id="an object that cannot be read",
        ),
    ],
)
def test_the_first_line_says(found: Overview, state: str, words: str) -> None:
    assert found.state == state
    assert words in found.headline


def test_what_needs_a_look_comes_first_and_nothing_good_is_hidden() -> None:
    found = seen(
        deployments=[deployment("a"), deployment("z", told=DRIFTS), deployment("m", told={})]
    )

    assert [row.name for row in found.deployments] == ["z", "m", "a"]
    assert [item.name for item in found.alarms] == ["z"]


def test_a_thousand_things_are_counted_and_not_all_shown() -> None:
    found = seen(versions=[version(f"v-{number}") for number in range(120)])

    assert (len(found.waiting), found.counts["waiting"]) == (50, 120)


YAML = "spec:\n  schema:\n    features:\n    - name: income\n      type: Number\n    - name: age\n"


@pytest.mark.parametrize(
    ("sentence", "lines"),
    [
        ("Type in column 'income': expected numbers, found text.", {3}),
        ("Expected 'features' to be more.", {2}),
        ("Nothing is quoted.", set()),
        ("Quotes of a stranger: 'nothing'.", set()),
    ],
)
def test_a_refusal_marks_the_lines_that_it_is_about(sentence: str, lines: set[int]) -> None:
    assert about(sentence, YAML) == lines


@pytest.mark.parametrize(
    ("found", "headline"),
    [
        (run(told={"Ready": "True/Sealed"}), "loan-v1 is sealed as ModelVersion loan-v1."),
        (run(told={"Stalled": "True/DataInvalid"}), "loan-v1 was refused: DataInvalid."),
        (
            run(
                told={"Reconciling": "True/Training"},
                status={"progress": {"stage": "Train", "percent": 40}},
            ),
            "loan-v1 is under way (Training): Train, 40 %.",
        ),
        (run(), "Nothing is known of loan-v1 yet."),
    ],
)
def test_a_run_says(found: Any, headline: str) -> None:  # noqa: ANN401
    assert run_detail(found, YAML).headline == headline


def test_a_model_shows_its_versions_and_what_serves() -> None:
    old = version("loan-v1", number=1, artifact=artifact(DIGEST))
    new = version("loan-v2", number=2, artifact=artifact(OTHER))
    serving = deployment(status=SERVES)
    found = model_detail(SPACE, "loan", [old, new], [serving], [run("loan-v2"), run("lost")])

    assert found is not None
    assert found.headline == "loan has 2 versions; loan serves loan-v1."
    assert found.of == "loan-v1"
    assert [row.name for row in found.versions] == ["loan-v2", "loan-v1"]
    assert [row.name for row in found.runs] == ["lost"]
    assert model_detail(SPACE, "none", [old], [serving], []) is None
    assert [(row.name, row.versions, row.newest) for row in model_rows([old, new], [serving])] == [
        ("loan", 2, "loan-v2")
    ]


def test_a_policy_is_told_in_words_with_whom_it_stops() -> None:
    strict = policy(
        approvals={"minimum": 2},
        gates=[{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.7"}],
        dependencies={"denied": ["torch"]},
        drift={"maxThreshold": "0.25", "probing": {"maxClients": 2, "rollback": True}},
        rollout={"minBake": "1h", "canary": {"maxStep": 50}, "mirror": {}, "manual": True},
    )
    stopped = version(told={"PolicyPassed": "False/PolicyFailed"})
    found = policy_detail(strict, [SPACE], [version("fine"), stopped])
    told = " ".join(demand.sentence for demand in found.demands)

    assert "stops 1 version of 2" in found.headline
    assert [one.name for one in found.stopped] == ["loan-v1"]
    for words in (
        "2 people",
        "accuracy must be at least 0.7",
        "torch",
        "No data may come from",
        "spec.drift.threshold at most 0.25; ",
        "spec.drift.probing with clients at most 2, then Rollback.",
        "promotes nothing new unless it declares: spec.strategy.bake at least 1h; "
        "spec.suspend true; spec.strategy.canary with steps.weight rising by at most 50 ",
        "; spec.strategy.mirror declared.",
    ):
        assert words in told
    assert demands(policy(sources={"allowed": ["https://a/"]}).spec)


def test_the_registry_holds_each_version_and_approves_none_by_default() -> None:
    serving = deployment(status=SERVES)
    found = registry(
        [version("b", number=2, artifact=artifact(OTHER)), version("loan-v1")], [serving], THEN
    )

    model = found["models"]["bank/loan"]
    entries = model["versions"]
    assert [entry["version"] for entry in entries] == [1, 2]
    assert [entry["approved"] for entry in entries] == [False, False]
    assert (model["active"], model["deployments"]["loan"]["active"]) == ("loan-v1", "loan-v1")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("loan", ["loan-v1", "loan", "loan-v1"]),
        ("LOAN-V1", ["loan-v1", "loan-v1"]),
        ("bank/loan-v1", ["loan-v1", "loan-v1"]),
        ("aaaaaa", ["loan-v1"]),
        ("sha256:aaaa", ["loan-v1"]),
        ("aaa", []),
        ("", []),
        ("<script>", []),
    ],
)
def test_search_finds_by_name_and_digest(text: str, names: list[str]) -> None:
    found, more = search(text, [version()], [deployment()], [run()])

    assert [item.name for item in found] == names
    assert more == 0


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (THEN, "4 minutes ago"),
        ("2026-06-01T12:00:00Z", "just now"),
        ("2026-06-01T12:02:00Z", "in 2 minutes"),
        ("2026-05-30T12:00:00Z", "2 days ago"),
        ("", ""),
        ("yesterday", "yesterday"),
    ],
)
def test_moments_in_words(moment: str, expected: str) -> None:
    assert ago(moment, NOW) == expected


def test_words() -> None:
    assert lasting(timedelta(seconds=1)) == "1 second"
    assert plural(1, "person", "people") == "1 person"
    assert plural(2000, "person", "people") == "2,000 people"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefg"), 3) == "a, b, c and 4 more"
    assert short("sha256:" + "ab" * 32) == "ab" * 6
    assert conditions(Ready="True")[0]["reason"] == "Because"
