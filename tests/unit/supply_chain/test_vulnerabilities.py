"""Which known vulnerabilities a policy accepts, until when, and what it says of the others."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, strategies as st

from hallmark.api.assessment import Analysis, Assessment, Justification
from hallmark.api.dependencies import (
    AcceptedVex,
    Severity,
    Vulnerabilities,
    VulnerabilityException,
)
from hallmark.api.texts import timestamp
from hallmark.api.trust import ReviewerGroup
from hallmark.supply_chain.osv_entry import Vulnerability
from hallmark.supply_chain.vex import Word
from hallmark.supply_chain.vulnerabilities import (
    NOT_MOUNTED,
    Known,
    check_vulnerabilities,
    judged_until,
    lifted,
)
from tests.examples import examples
from tests.unit.supply_chain.osv_entries import NOW

DAY = timedelta(days=1)


def flaw(
    id_: str = "GHSA-1",
    severity: Severity | None = Severity.HIGH,
    *aliases: str,
    package: str = "pillow",
    fixed: str = "2.0",
) -> Vulnerability:
    return Vulnerability(package, "1.0", id_, aliases, severity, fixed)


def known(*found: Vulnerability) -> Known:
    return Known("sha256:" + "0" * 64, NOW - DAY, found)


def exception(
    id_: str = "GHSA-1", package: str = "pillow", ends: timedelta = DAY
) -> VulnerabilityException:
    until = timestamp(NOW + ends)
    return VulnerabilityException(package=package, id=id_, reason="not reachable", until=until)


def rules(
    accepted: Severity = Severity.NONE,
    *exceptions: VulnerabilityException,
    age: str | None = None,
) -> Vulnerabilities:
    return Vulnerabilities(
        accepted_severity=accepted, exceptions=list(exceptions), max_feed_age=age
    )


def sentences(known_: Known, rules_: Vulnerabilities | None) -> list[str]:
    return [found.sentence() for found in check_vulnerabilities(known_, rules_, NOW)]


@pytest.mark.parametrize("stated", [*Severity, None])
@pytest.mark.parametrize("accepted", [*Severity])
def test_only_a_severity_that_is_known_and_within_the_limit_passes(
    stated: Severity | None, accepted: Severity
) -> None:
    order = list(Severity)
    passes = stated is not None and order.index(stated) <= order.index(accepted)
    assert (sentences(known(flaw("GHSA-1", stated)), rules(accepted)) == []) is passes


def test_a_refusal_names_package_version_id_severity_fix_and_rule() -> None:
    (said,) = sentences(known(flaw("GHSA-1", Severity.HIGH, "CVE-1")), rules(Severity.LOW))
    assert said == (
        "Vulnerabilities: expected none above severity Low (the policy's "
        "dependencies.vulnerabilities), found GHSA-1 in 'pillow' 1.0, severity High, fixed in 2.0 "
        "(also CVE-1)."
    )


def test_without_a_rule_nobody_looks() -> None:
    assert sentences(NOT_MOUNTED, None) == []
    assert judged_until(known(), None, NOW) is None


@pytest.mark.parametrize("accepted", [*Severity])
def test_without_a_snapshot_nothing_passes(accepted: Severity) -> None:
    (said,) = sentences(NOT_MOUNTED, rules(accepted))
    assert "expected a snapshot of OSV" in said


def test_a_snapshot_that_cannot_be_read_hides_nothing_that_was_found() -> None:
    broken = Known("sha256:0", NOW, (flaw(),), trouble=("a whole one", "3 entries"))
    assert len(sentences(broken, rules())) == 2


@pytest.mark.parametrize(
    ("age", "passes"), [(None, True), ("25h", True), ("24h", False), ("1h", False)]
)
def test_a_snapshot_may_not_be_older_than_the_policy_says(age: str | None, passes: bool) -> None:
    assert (sentences(known(), rules(age=age)) == []) is passes


def test_a_snapshot_that_tells_no_time_is_too_old() -> None:
    assert sentences(Known("sha256:0"), rules(age="1h"))


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        pytest.param(exception(), True, id="by its id"),
        pytest.param(exception("CVE-1"), True, id="by an alias"),
        pytest.param(exception("cve-1"), True, id="in lower case"),
        pytest.param(exception("CVE-2"), False, id="of another one"),
        pytest.param(exception(package="numpy"), False, id="of another package"),
        pytest.param(exception(ends=timedelta(0)), False, id="that ends now"),
        pytest.param(exception(ends=-DAY), False, id="that ended"),
    ],
)
@pytest.mark.parametrize("severity", [Severity.CRITICAL, None])
def test_an_exception_counts_for_its_vulnerability_until_it_ends(
    given: VulnerabilityException, passes: bool, severity: Severity | None
) -> None:
    found = sentences(known(flaw("GHSA-1", severity, "CVE-1")), rules(Severity.NONE, given))
    assert (found == []) is passes


def test_an_exception_that_ended_is_named() -> None:
    (said,) = sentences(known(flaw()), rules(Severity.NONE, exception(ends=-DAY)))
    assert "its exception ended 2026-11-27" in said


def test_entries_of_one_vulnerability_are_one_finding_of_the_worst_severity_known() -> None:
    same = (
        flaw("PYSEC-1", None, "CVE-1"),
        flaw("GHSA-1", Severity.LOW, "CVE-1"),
        flaw("OTHER-1", Severity.MEDIUM, "GHSA-1"),
        flaw("GHSA-1", Severity.HIGH, package="numpy"),
    )
    assert sentences(known(*same), rules(Severity.HIGH)) == []
    said = sentences(known(*same), rules(Severity.LOW))
    assert [("numpy" in one, "severity Medium" in one) for one in said] == [
        (True, False),
        (False, True),
    ]


def test_an_exception_for_one_of_several_entries_hides_none_of_the_others() -> None:
    same = (flaw("A-1", None, "X-1"), flaw("B-1", Severity.HIGH, "X-1", "Y-1"))
    (said,) = sentences(known(*same), rules(Severity.NONE, exception("Y-1")))
    assert "A-1 in" in said


@given(st.lists(st.sampled_from([flaw(), flaw("GHSA-2", None, "CVE-1"), flaw("CVE-1")])))
@examples(50)
def test_neither_order_nor_repetition_matters(found: list[Vulnerability]) -> None:
    one, other = known(*found), known(*reversed(found), *found)
    assert sentences(one, rules()) == sentences(other, rules())


@pytest.mark.parametrize(
    ("given", "until"),
    [
        (rules(), None),
        (rules(Severity.NONE, exception(ends=3 * DAY), exception(ends=2 * DAY)), 2 * DAY),
        (rules(Severity.NONE, exception(ends=-DAY)), None),
        (rules(age="36h"), timedelta(hours=12)),
        (rules(Severity.NONE, exception(), age="36h"), timedelta(hours=12)),
        (rules(age="12h"), None),
    ],
)
def test_it_is_known_when_time_alone_changes_the_verdict(
    given: Vulnerabilities, until: timedelta | None
) -> None:
    assert judged_until(known(), given, NOW) == (NOW + until if until is not None else None)


@given(st.integers(min_value=-50, max_value=50), st.integers(min_value=0, max_value=99))
@examples(100)
def test_until_then_the_verdict_is_the_same(ends: int, later: int) -> None:
    hour = timedelta(hours=1)
    given = rules(Severity.NONE, exception(ends=ends * hour), age="60h")
    said, until = known(flaw()), judged_until(known(flaw()), given, NOW)
    moment = NOW + later * hour
    if until is None or moment < until:
        assert check_vulnerabilities(said, given, moment) == check_vulnerabilities(said, given, NOW)


def word(
    analysis: Analysis = Analysis.NOT_AFFECTED,
    by: str = "rita",
    id_: str = "GHSA-1",
    package: str = "pillow",
    version: str | None = None,
) -> Word:
    said = Assessment(
        vulnerability=id_,
        package=package,
        version=version,
        analysis=analysis,
        justification=Justification.CODE_NOT_REACHABLE,
    )
    return Word(said, by)


def listening(minimum: int = 1, **groups: list[str]) -> Vulnerabilities:
    """Return rules by which so many people lift a vulnerability, one of each group among them."""
    asked = [ReviewerGroup(name=name, members=members) for name, members in groups.items()]
    return Vulnerabilities(vex=AcceptedVex(minimum=minimum, groups=asked))


def judged(rules_: Vulnerabilities, *words: Word, found: Known | None = None) -> list[str]:
    flaws = found or known(flaw("GHSA-1", Severity.HIGH, "CVE-1"))
    return [one.sentence() for one in check_vulnerabilities(flaws, rules_, NOW, words)]


@pytest.mark.parametrize("analysis", [*Analysis])
def test_each_analysis_lifts_or_does_not(analysis: Analysis) -> None:
    excuses = analysis in {Analysis.RESOLVED, Analysis.FALSE_POSITIVE, Analysis.NOT_AFFECTED}
    assert (judged(listening(), word(analysis)) == []) is excuses
    assert judged(Vulnerabilities(), word(analysis)) != [], "the policy does not listen"


@pytest.mark.parametrize(
    ("said", "lifts"),
    [
        (word(id_="ghsa-1"), True),
        (word(id_="CVE-1"), True),
        (word(id_="GHSA-2"), False),
        (word(package="pillow-simd"), False),
        (word(version="1.0"), True),
        (word(version="1.1"), False),
    ],
    ids=[
        "its id in other letters",
        "an alias",
        "another id",
        "another package",
        "the version",
        "another version",
    ],
)
def test_a_word_is_on_a_package_and_an_id_or_an_alias(said: Word, lifts: bool) -> None:
    assert (judged(listening(), said) == []) is lifts


def test_an_entry_that_does_not_name_the_id_still_counts() -> None:
    both = known(flaw("GHSA-1", Severity.HIGH, "CVE-1"), flaw("PYSEC-1", None, "CVE-1"))
    assert judged(listening(), word(), found=both) != []
    assert judged(listening(), word(id_="CVE-1"), found=both) == []


def test_a_word_lifts_no_trouble_with_the_snapshot() -> None:
    old = Known("sha256:" + "0" * 64, NOW - 2 * DAY, (flaw(),))
    rules_ = listening().replace(max_feed_age="24h")
    (said,) = judged(rules_, word(), found=old)
    assert said.startswith("Vulnerability feed")


def test_a_refusal_says_who_said_what() -> None:
    (said,) = judged(listening(2), word())
    assert "or the word of 2 reviewers that it does no harm (hallmark vex)" in said
    assert said.endswith("; GHSA-1 in 'pillow': not_affected (code_not_reachable), says rita.")


def test_a_refusal_says_of_which_groups_a_word_is_awaited() -> None:
    (said,) = judged(listening(2, security=["sam"], risk=["rita"]), word())
    asked = "the word of 2 reviewers (1 from group 'security' and 1 from group 'risk')"
    assert asked in said


WORDS = st.builds(
    word,
    st.sampled_from(Analysis),
    st.sampled_from(["rita", "rob", "eva"]),
    st.sampled_from(["GHSA-1", "CVE-1", "GHSA-2"]),
    st.sampled_from(["pillow", "numpy"]),
)


MEMBERS = st.lists(st.sampled_from(["rita", "rob", "eva"]), min_size=1, max_size=3, unique=True)
GROUPS = st.dictionaries(st.sampled_from(["security", "risk"]), MEMBERS)


@examples(150)
@given(st.lists(WORDS, max_size=6), st.integers(1, 3), GROUPS)
def test_enough_people_lift_it_and_nobody_says_otherwise(
    said: list[Word], minimum: int, groups: dict[str, list[str]]
) -> None:
    """Enough of each group, by other people for each; who is in no group counts for the number."""
    about = [
        one for one in said if one.said.package == "pillow" and one.said.vulnerability != "GHSA-2"
    ]
    people = {one.by for one in about if one.said.analysis.excuses}
    seats = (seated for seated in product(*groups.values()) if {*seated} <= people)
    filled = any(len({*seated}) == len(groups) for seated in seats)
    excused = all(one.said.analysis.excuses for one in about)
    lifts = len(people) >= minimum and filled and excused
    rules_ = listening(minimum, **groups)
    assert (judged(rules_, *said) == []) is lifts
    assert judged(rules_, *reversed(said)) == [] or not lifts
    used = lifted(known(flaw("GHSA-1", Severity.HIGH, "CVE-1")), rules_, NOW, said)
    assert set(used) == (set(about) if lifts else set())
