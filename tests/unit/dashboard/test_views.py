"""What pages say of objects: tables of objects and sentences."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hallmark.api.dependencies import Dependencies, Licences, Vulnerabilities
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.training_run import GateResult, MetricValue
from hallmark.policies.model_version.shown import serving_version
from hallmark.policies.unmet import unmet, votes
from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED
from hallmark_dashboard.bills import Bill, BillComponent, changes, matching, read_bill, violations
from hallmark_dashboard.problems import Right
from hallmark_dashboard.seen import Unreadable
from hallmark_dashboard.views.chain import chain
from hallmark_dashboard.views.changes import compare
from hallmark_dashboard.views.gates import gate_chart, gate_lines
from hallmark_dashboard.views.model import model_detail, model_rows
from hallmark_dashboard.views.overview import Overview
from hallmark_dashboard.views.policy import demands, policy_detail
from hallmark_dashboard.views.registry import registry
from hallmark_dashboard.views.review import approved_before, choices, review_headline
from hallmark_dashboard.views.run import about, run_detail
from hallmark_dashboard.views.search import search
from hallmark_dashboard.views.standing import (
    Standing,
    State,
    deployment_standing,
    run_standing,
    version_standing,
)
from hallmark_dashboard.views.version import VersionDetail, VersionInputs, version_detail
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
from tests.unit.supply_chain import factories


def artifact(digest: str) -> dict[str, Any]:
    return {"uri": "s3://hallmark/x/", "manifestDigest": digest, "size": 1}


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

    assert (len(found.waiting), found.more) == (50, 70)


def said(found: Any) -> list[str]:  # noqa: ANN401
    return [f"{one.what}: {one.state}" for one in found]


def test_everything_unmet_is_named_at_once() -> None:
    sealed = version(
        told={"Verified": "False/UnknownSigner", "PolicyPassed": "False/PolicyFailed"},
        status={"approvals": [approval("rita")]},
    )
    frozen = deployment(suspend=True)
    found = unmet(sealed, policy(approvals={"minimum": 3}).spec, "default", [frozen], NOW)

    assert said(found) == [
        "Verified: stopped",
        "PolicyPassed: stopped",
        "Approved: waiting",
        "Deployment loan: waiting",
    ]
    assert "2 more people must approve it (1 of 3 approvals)." in found[2].sentence
    assert "alice asked for it; rita approved it already" in found[2].who
    assert "verb 'approve'" in found[2].who


@pytest.mark.parametrize(
    ("told", "deployments", "expected"),
    [
        pytest.param(APPROVED, [], [], id="nothing"),
        pytest.param(
            {**APPROVED, "Denied": "True/Denied", "Revoked": "True/Revoked"},
            [],
            ["Denied: stopped", "Revoked: stopped"],
            id="both final decisions",
        ),
        pytest.param(
            {**APPROVED, "Verified": "Unknown/Pending"},
            [],
            ["Verified: waiting"],
            id="a check to come",
        ),
        pytest.param(
            APPROVED,
            [deployment(status={"paused": True})],
            ["Deployment loan: waiting"],
            id="a pause",
        ),
    ],
)
def test_what_is_unmet(
    told: dict[str, str], deployments: list[ModelDeployment], expected: list[str]
) -> None:
    found = version(told=told, status={"approvals": [approval("rita")]})
    assert said(unmet(found, policy().spec, "default", deployments, NOW)) == expected


def test_without_a_policy_that_is_said_too() -> None:
    found = unmet(version(), None, "strict", [], NOW)

    assert said(found) == ["Policy: unknown", "Approved: waiting"]
    assert "'strict'" in found[0].sentence


def test_an_approval_that_ended_does_not_count() -> None:
    ended = approval("rita", notAfter="2026-05-01T00:00:00Z")
    found = votes(version(status={"approvals": [ended]}), policy().spec, NOW)

    assert (found.approvers, found.missing) == ((), 1)


def detail(**changes: Any) -> VersionDetail:  # noqa: ANN401
    whole: dict[str, Any] = {
        "version": version(),
        "run": None,
        "deployments": [],
        "policy": policy().spec,
        "policy_name": "default",
        "said": {},
        "now": NOW,
        **changes,
    }
    return version_detail(VersionInputs(**whole))


def test_a_version_says_where_it_serves_and_why_not() -> None:
    serving = deployment(status={"activeModelVersion": "loan-v1", "activeDigest": DIGEST})

    assert detail(deployments=[serving]).headline == (
        "loan version 1 cannot be promoted: 1 condition unmet. It serves in loan."
    )
    assert detail(version=version(told=APPROVED)).headline == (
        "loan version 1 is verified and approved."
    )
    assert "was revoked, for good" in detail(version=version(told={"Revoked": "True/X"})).headline


def test_a_reviewers_own_words_stand_beside_the_verdict() -> None:
    sealed = version(
        status={"approvals": [approval("rita", accepted=False, reason="SelfApproval")]}
    )
    (ballot,) = detail(version=sealed, said={"uid-rita": "I read it."}).ballots

    assert (ballot.said, ballot.counts, ballot.reason) == ("I read it.", False, "SelfApproval")


ROLLED_BACK = {
    "approvals": [approval("rita")],
    "rolledBack": {"time": "2026-06-01T11:58:00Z", "deployment": "loan", "reason": "ErrorRollback"},
}
RENEWS = policy(approvals={"renewAfterRollback": True}).spec


def test_an_approval_of_before_a_rollback_is_told_and_may_be_given_anew() -> None:
    found = detail(version=version(status=ROLLED_BACK), policy=RENEWS)
    (ballot,) = found.ballots
    assert (ballot.counts, ballot.reason) == (False, "BeforeRollback")
    verbs = [choice.verb for choice in choices(found, "rita", ()) if choice.possible]
    assert verbs == ["approve", "deny", "revoke"]
    assert "1 more person must approve it" in found.unmet[0].sentence
    assert "(ErrorRollback)" in found.unmet[0].sentence
    waits = seen(versions=[version(status=ROLLED_BACK)]).waiting
    assert [item.name for item in waits] == ["loan-v1"], "It waits for her again."
    (ballot,) = detail(version=version(status=ROLLED_BACK)).ballots
    assert ballot.counts, "The policy does not mind."


@pytest.mark.parametrize(
    ("person", "found", "possible"),
    [
        pytest.param("rita", detail(), ["approve", "deny", "revoke"], id="a reviewer"),
        pytest.param("alice", detail(), ["deny", "revoke"], id="who asked for it"),
        pytest.param(
            "rita",
            detail(version=version(status={"approvals": [approval("rita")]})),
            ["deny", "revoke"],
            id="who approved it",
        ),
        pytest.param(
            "rita",
            detail(version=version(told={"Denied": "True/Denied"})),
            ["deny", "revoke"],
            id="after a denial",
        ),
    ],
)
def test_a_person_can(person: str, found: VersionDetail, possible: list[str]) -> None:
    assert [choice.verb for choice in choices(found, person, ()) if choice.possible] == possible


def test_without_the_right_nothing_can_be_decided() -> None:
    lacked = (Right("approve", "modelversions", SPACE, "loan-v1"),)

    assert not any(choice.possible for choice in choices(detail(), "vera", lacked))


def test_a_version_is_held_against_what_it_would_replace() -> None:
    old = version("loan-v1", number=1, artifact=artifact(DIGEST))
    new = version("loan-v2", number=2, artifact=artifact(OTHER))
    serving = deployment(status={"activeModelVersion": "loan-v1", "activeDigest": DIGEST})
    other = deployment("x", model="other", status={"activeDigest": DIGEST})

    assert serving_version(new, [serving], [old, new]) == old
    assert serving_version(new, [other], [old, new]) is None
    assert serving_version(old, [serving], [old, new]) is None
    assert approved_before(new, [old, new]) is None
    assert "replace loan-v1" in review_headline(detail(version=new), "loan-v1", None)


def gate(
    value: str | None, threshold: str = "0.9", side: str = "AtLeast", **more: object
) -> GateResult:
    wire = {
        "metric": "accuracy",
        "comparison": side,
        "threshold": threshold,
        "value": value,
        "passed": False,
        **more,
    }
    return GateResult.model_validate(wire)


@pytest.mark.parametrize(
    ("found", "ends", "margin", "near"),
    [
        pytest.param(gate("0.95"), None, 0.05, True, id="a near pass"),
        pytest.param(gate("0.5", "0.1"), None, 0.4, False, id="a clear pass"),
        pytest.param(gate("0.5"), None, -0.4, False, id="a clear failure"),
        pytest.param(gate("0.2", "0.1", "AtMost"), None, -0.1, False, id="too much"),
        pytest.param(gate("0.5", "0.1"), ("0.05", "0.9"), 0.4, True, id="an interval over the bar"),
        pytest.param(gate(None), None, None, False, id="no number"),
        pytest.param(gate("nan"), None, None, False, id="not a number"),
        pytest.param(gate("inf"), None, None, False, id="an infinity"),
        pytest.param(gate("0.0", "0", "AtMost"), None, 0.0, True, id="a bar at zero"),
    ],
)
def test_a_gate_has_its_margin(
    found: GateResult, ends: tuple[str, str] | None, margin: float | None, *, near: bool
) -> None:
    metric = MetricValue(
        name="accuracy",
        value="0.5",
        lower=ends[0] if ends else None,
        upper=ends[1] if ends else None,
    )
    (line,) = gate_lines([found], [metric])

    assert line.near == near
    assert line.margin == (None if margin is None else pytest.approx(margin))
    gate_chart([found], [metric])


def test_gates_that_failed_and_near_ones_come_first() -> None:
    results = [
        gate("0.99", "0.5", metric="easy", passed=True),
        gate("0.51", "0.5", metric="near", passed=True),
        gate("0.1", "0.5", metric="failed"),
    ]

    assert [line.metric for line in gate_lines(results, [])] == ["failed", "near", "easy"]


def test_only_what_changed_is_told_the_biggest_first() -> None:
    before = factories.report(
        metrics=[
            {"name": "accuracy", "value": "0.9", "lower": "0.88", "upper": "0.92"},
            {"name": "rocAuc", "value": "0.9", "lower": "0.8", "upper": "0.99"},
            {"name": "same", "value": "1"},
            {"name": "odd", "value": "nan"},
        ]
    )
    after = factories.report(
        rows=500,
        parameters={"C": "2.0"},
        metrics=[
            {"name": "accuracy", "value": "0.8", "lower": "0.78", "upper": "0.82"},
            {"name": "rocAuc", "value": "0.6", "lower": "0.5", "upper": "0.85"},
            {"name": "same", "value": "1"},
            {"name": "new", "value": "0.5"},
        ],
    )
    found = compare(before, after)

    assert [change.what for change in found.metrics] == ["accuracy", "new", "odd", "rocAuc"]
    assert [change.beyond for change in found.metrics] == [True, True, True, False]
    assert found.metrics[0].before == "0.900 (0.880 to 0.920)"
    assert [(c.what, c.before, c.after) for c in found.data] == [("rows", "400", "500")]
    assert [(c.what, c.before, c.after) for c in found.parameters] == [("C", "1.0", "2.0")]
    assert compare(before, before).total == 0


def bill(**packages: str) -> Bill:
    parts = [BillComponent(name, found, "library", ("MIT",)) for name, found in packages.items()]
    return Bill("1.6", "", tuple(parts))


def against(found: Bill, rules: Dependencies, **reported: str) -> tuple[str, ...]:
    return violations(found, rules, lambda _: NOT_MOUNTED, NOW, reported)


def test_bills_are_read_searched_compared_and_held_against_a_policy() -> None:
    import json

    found = read_bill(json.loads(factories.sbom()))

    assert [part.name for part in found.packages] == ["numpy", "scikit-learn", "zope-interface"]
    assert [part.name for part in matching(found, "SCIKIT")] == ["scikit-learn"]
    denied = Dependencies(denied=["Zope.Interface", "absent"])
    mit = Dependencies(licences=Licences(denied=["MIT"]))
    looked = Dependencies(vulnerabilities=Vulnerabilities())
    assert [len(against(found, rules)) for rules in (denied, mit, looked)] == [1, 3, 1]
    assert len(against(found, Dependencies(denied=["torch"]), torch="2")) == 1
    assert [
        (c.name, c.before, c.after) for c in changes(bill(a="1", b="1"), bill(a="2", c="1"))
    ] == [
        ("a", "1", "2"),
        ("b", "1", ""),
        ("c", "", "1"),
    ]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"components": None},
        {"components": "x"},
        {"components": [None, 3, {"name": None, "licenses": "x"}, {"licenses": [None, {}]}]},
        {
            "components": [
                {"name": "a", "licenses": [{"license": {"id": 5}}, {"expression": "MIT"}]}
            ]
        },
    ],
)
def test_no_bill_is_too_odd_to_be_read(document: dict[str, Any]) -> None:
    read_bill(document)


def test_the_chain_has_nine_links_each_with_a_state_and_a_fact() -> None:
    serving = deployment(
        status={
            "activeModelVersion": "loan-v1",
            "activeDigest": DIGEST,
            "driftState": {"verdict": "NoDrift", "top": [{"feature": "income", "psi": "0.0312"}]},
        }
    )
    sealed = version(told=APPROVED, status={"approvals": [approval()]})
    links = chain(sealed, None, [serving])

    assert [one.name for one in links] == [
        "dataset",
        "run",
        "gates",
        "seal",
        "SBOM",
        "approval",
        "rollout",
        "drift",
        "rollback",
    ]
    assert [one.state for one in links] == [
        "good",
        "unknown",
        "unknown",
        "good",
        "good",
        "good",
        "good",
        "good",
        "good",
    ]
    assert links[5].fact == "rita"
    assert links[7].fact == "income PSI 0.031, limit 0.2"


def test_a_version_that_gave_way_says_so() -> None:
    gone = deployment(
        status={
            "activeDigest": OTHER,
            "lastRollback": {
                "from": "loan-v1",
                "to": "loan-v0",
                "fromDigest": DIGEST,
                "toDigest": OTHER,
                "reason": "DriftRollback",
                "time": THEN,
            },
        }
    )

    assert chain(version(), None, [gone])[-1].fact == "gave way to loan-v0 in loan"


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
