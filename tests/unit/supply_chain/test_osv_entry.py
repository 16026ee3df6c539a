"""What an entry of OSV says of a version; what it says in no form that is known is against it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from packaging.version import Version

from hallmark.api.dependencies import Severity
from hallmark.supply_chain.osv_entry import (
    UnreadableEntry,
    Vulnerability,
    packages_of,
    vulnerability,
)
from tests.examples import examples
from tests.unit.supply_chain.osv_entries import HIGH, LOW, NOW, affected, entry, events


def found(version: str, **part: Any) -> Vulnerability | None:  # noqa: ANN401
    return vulnerability(entry("GHSA-1", affected(**part)), "pillow", version, NOW)


BETWEEN = events(("introduced", "1.0"), ("fixed", "1.5"), ("introduced", "2.0"), ("fixed", "2.2"))
LAST = events(("introduced", "1.0"), ("last_affected", "1.5"))
ONE = events(("introduced", "1.0"), ("last_affected", "1.0"))


@pytest.mark.parametrize(
    ("ranges", "inside", "outside"),
    [
        pytest.param(
            events(("introduced", "0"), ("fixed", "2.0")),
            ["0", "0.dev0", "1.9", "2.0rc1", "2.0.dev3", "1.9+cu121"],
            ["2.0", "2.0.post1", "2.0+cu121", "10.0", "1!0.1"],
            id="from the first version on until it is fixed",
        ),
        pytest.param(BETWEEN, ["1.0", "1.4", "2.0", "2.1.post1"], ["0.9", "1.5", "1.9", "2.2"],
                     id="in two branches"),
        pytest.param(LAST, ["1.0", "1.5", "1.5+cu121"], ["1.5.post1", "1.6"],
                     id="until a last version, with its builds"),
        pytest.param(ONE, ["1.0", "1.0+cpu"], ["1.0.post1", "1.1", "0.9"], id="in one version"),
        pytest.param(events(("introduced", "1!1.0"), ("fixed", "1!2.0")), ["1!1.5"], ["1.5", "2!1"],
                     id="in an epoch"),
        pytest.param(list(reversed(BETWEEN)), ["1.0", "2.1"], ["1.9", "2.2"], id="in any order"),
        pytest.param(events(("introduced", "1.0")), ["1.0", "99"], ["0.9"], id="never fixed"),
        pytest.param(
            events(("introduced", "0"), ("fixed", "1.0+patched")),
            ["0.9", "1.0", "1.0+a"], ["1.0+patched", "1.1"], id="fixed in one build",
        ),
    ],
)  # fmt: skip
def test_ranges_go_by_pep_440(ranges: Any, inside: list[str], outside: list[str]) -> None:  # noqa: ANN401
    assert [v for v in inside if not found(v, ranges=ranges)] == []
    assert [v for v in outside if found(v, ranges=ranges)] == []


@pytest.mark.parametrize("version", ["1.0", "1.0.0", "v1.0", "1.0+cu121", " 1.0 "])
def test_a_listed_version_is_found_in_every_form(version: str) -> None:
    listed = {"versions": ["0.9", "1.0"], "ranges": []}
    assert found(version, **listed)
    assert not found("1.1", **listed)


def test_a_listed_version_that_no_range_holds_is_affected() -> None:
    assert found("3.0", versions=["3.0"])


@pytest.mark.parametrize("version", ["", "unknown", "1.0-x-y", "9" * 5000, "1.0 ; drop"])
def test_a_version_that_cannot_be_compared_is_affected(version: str) -> None:
    assert found(version)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"ranges": []}, id="no range and no version"),
        pytest.param({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, id="git"),
        pytest.param({"ranges": "all"}, id="ranges that are a text"),
        pytest.param({"ranges": [{"type": "ECOSYSTEM"}]}, id="a range without events"),
        pytest.param({"ranges": [{"type": "ECOSYSTEM", "events": [3]}]}, id="no event"),
        pytest.param({"ranges": events(("introduced", "x"))}, id="a bound that is no version"),
        pytest.param({"ranges": events(("introduced", "0"), ("fixed", "x"))}, id="fixed nowhere"),
        pytest.param({"ranges": events(("limit", "1.0"))}, id="a limit alone"),
        pytest.param(
            {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0", "fixed": "0.1"}]}]},
            id="two words in one event",
        ),
    ],
)
def test_what_is_not_understood_is_against_the_version(part: dict[str, Any]) -> None:
    assert found("9.9", **part)


def test_source_ranges_beside_versions_are_not_looked_at() -> None:
    git = [{"type": "GIT", "events": [{"introduced": "0"}]}]
    assert not found("9.9", ranges=git, versions=["1.0"])


ORDERED = ["0.1.dev1", "0.1a1", "0.1", "0.1.post1", "1.0rc1", "1.0", "1.10", "2.0", "1!0.1"]


@given(
    st.lists(st.tuples(st.sampled_from(["introduced", "fixed"]), st.sampled_from(ORDERED))),
    st.sampled_from(ORDERED),
)
@examples(200)
def test_the_last_event_before_a_version_decides(said: list[tuple[str, str]], version: str) -> None:
    until = [(Version(v), kind) for kind, v in said if Version(v) <= Version(version)]
    # At the same version what is introduced comes after what is fixed.
    last = max(until, key=lambda event: (event[0], event[1] == "introduced"), default=None)
    expected = not said or (last is not None and last[1] == "introduced")
    assert bool(found(version, ranges=events(*said))) is expected


def test_names_are_compared_in_their_normal_form() -> None:
    odd = entry("GHSA-1", affected("Zope.Interface_X"), affected("other", "npm"))
    assert packages_of(odd) == {"zope-interface-x"}


@pytest.mark.parametrize("ecosystem", ["PyPI", "pypi", "PyPI:custom"])
def test_the_ecosystem_is_found_in_every_spelling(ecosystem: str) -> None:
    assert packages_of(entry("GHSA-1", affected(ecosystem=ecosystem))) == {"pillow"}


@pytest.mark.parametrize(
    ("broken", "readable"),
    [
        ({"affected": "all"}, False),
        ({"affected": [1]}, False),
        ({"affected": [{"package": "pillow"}]}, False),
        ({"affected": [{"package": {"ecosystem": "PyPI"}}]}, False),
        ({"affected": [{"package": {"name": "pillow"}}]}, False),
        ({"id": 7}, False),
        ({"affected": None}, True),
        ({"affected": [{"ranges": [{"type": "GIT"}]}]}, True),
    ],
)
def test_an_entry_about_nobody_knows_what_is_unreadable(
    broken: dict[str, Any], readable: bool
) -> None:
    if readable:
        assert packages_of(entry() | broken) == set()
        return
    with pytest.raises(UnreadableEntry):
        packages_of(entry() | broken)


@pytest.mark.parametrize(
    ("withdrawn", "counts"),
    [
        ("2026-11-01T00:00:00Z", False),
        ("2027-11-01T00:00:00Z", True),
        ("yes", True),
        (True, True),
        (None, True),
    ],
)
def test_only_an_entry_that_was_withdrawn_by_now_says_nothing(
    withdrawn: object, counts: bool
) -> None:
    said = vulnerability(entry(withdrawn=withdrawn), "pillow", "1.0", NOW)
    assert bool(said) is counts


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ({"severity": [{"type": "CVSS_V3", "score": HIGH}]}, Severity.HIGH),
        ({"severity": [{"type": "CVSS_V3", "score": LOW}]}, Severity.LOW),
        ({"severity": [{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:C/I:C/A:C"}]}, Severity.HIGH),
        ({"severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/"
                        "VA:H/SC:N/SI:N/SA:N"}]}, Severity.CRITICAL),
        ({"database_specific": {"severity": "moderate"}}, Severity.MEDIUM),
        ({"severity": [{"type": "CVSS_V3", "score": LOW}],
          "database_specific": {"severity": "HIGH"}}, Severity.HIGH),
        ({}, None),
        ({"severity": "HIGH"}, None),
        ({"severity": [{"type": "CVSS_V3", "score": "9.8"}]}, None),
        ({"severity": [{"type": "CVSS_V3", "score": HIGH + "/A:N" * 9000}]}, None),
        ({"severity": [{"type": "CVSS_V3", "score": None}, 5, {"type": []}]}, None),
        ({"severity": [{"type": "Ubuntu", "score": "low"}]}, None),
        ({"database_specific": {"severity": "harmless"}}, None),
    ],
)  # fmt: skip
def test_the_worst_severity_that_is_stated_counts(
    said: dict[str, Any], severity: Severity | None
) -> None:
    whole = vulnerability(entry(**said), "pillow", "1.0", NOW)
    part = vulnerability(entry("GHSA-1", affected(**said)), "pillow", "1.0", NOW)
    assert whole is not None
    assert part is not None
    assert (whole.severity, part.severity) == (severity, severity)


def test_the_next_fixed_version_is_named() -> None:
    said = found("2.1", ranges=BETWEEN)
    assert said is not None
    assert said.fixed == "2.2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["PyPI", "0", "1.0"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["id", "affected", "package", "ecosystem", "name", "ranges", "type", "events", "fixed",
             "introduced", "versions", "severity", "score", "withdrawn", "aliases", "modified"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["id", "affected", "severity", "aliases"]), JSON), JSON)
@examples(200)
def test_any_json_is_read_or_refused(whole: dict[str, Any], part: Any) -> None:  # noqa: ANN401
    inside = affected() | (part if isinstance(part, dict) else {})
    for document in (whole, entry("GHSA-1", inside), entry() | whole):
        try:
            packages_of(document)
        except UnreadableEntry:
            continue
        vulnerability(document, "pillow", "1.0", NOW)
