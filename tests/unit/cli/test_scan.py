"""``hallmark scan``: the verdict of the operator on any bill of materials, without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from hallmark.cli.app import app
from hallmark.errors import ConfigurationError
from tests.unit.policies.training_run.runs import policy
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.osv_entries import affected, entry, snapshot

FLAW = entry("GHSA-1", affected("NumPy", ranges=[]), aliases=["CVE-1"])


def scan(folder: Path, *more: str, bill: bytes | None = None, **rules: Any) -> Result:  # noqa: ANN401
    file, demands = folder / "bill.cdx.json", folder / "policy.yaml"
    file.write_bytes(bill if bill is not None else factories.sbom())
    demands.write_text(yaml.safe_dump(policy(dependencies=rules).to_wire()))
    given = ["scan", "--file", str(file), "--policy", str(demands), *more]
    return CliRunner().invoke(app, given)


def osv(folder: Path, *entries: dict[str, Any]) -> tuple[str, str]:
    return "--osv", str(snapshot(folder / "osv", *entries))


def test_a_bill_without_a_flaw_passes(tmp_path: Path) -> None:
    done = scan(tmp_path, *osv(tmp_path, entry("GHSA-0", affected("else"))), vulnerabilities={})
    assert done.exit_code == 0, done.output
    assert "The ModelPolicy 'default' has nothing against its packages." in done.output


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"denied": ["scikit-learn"]}, "'scikit-learn' 1.9.1"),
        ({"licences": {"denied": ["MIT"]}}, "a licence of 'numpy'"),
        ({"vulnerabilities": {}}, "GHSA-1 in 'numpy' 2.4.6, severity unknown"),
    ],
)
def test_what_is_refused_is_said_and_ends_with_10(
    tmp_path: Path, rules: dict[str, Any], said: str
) -> None:
    done = scan(tmp_path, *osv(tmp_path, FLAW), **rules)
    assert done.exit_code == 10
    assert said in done.output


def test_programs_read_the_verdict(tmp_path: Path) -> None:
    done = scan(tmp_path, *osv(tmp_path, FLAW), "-o", "json", vulnerabilities={})
    found = json.loads(done.stdout)
    assert (found["policy"], found["passed"], len(found["violations"])) == ("default", False, 1)


def test_without_a_snapshot_a_policy_that_asks_for_one_refuses(tmp_path: Path) -> None:
    done = scan(tmp_path, vulnerabilities={})
    assert done.exit_code == 10
    assert "expected a snapshot of OSV" in done.output


@pytest.mark.parametrize(
    ("bill", "said"),
    [
        (b"", "not JSON"),
        (b"[]", "not an object"),
        (b"{}", "bomFormat null"),
        (b'{"bomFormat": "SPDX"}', 'bomFormat "SPDX"'),
    ],
)
def test_what_is_no_bill_is_said(tmp_path: Path, bill: bytes, said: str) -> None:
    done = scan(tmp_path, bill=bill)
    assert isinstance(done.exception, ConfigurationError)
    assert said in str(done.exception)


def test_one_of_a_version_and_a_file_is_scanned() -> None:
    done = CliRunner().invoke(app, ["scan"])
    assert isinstance(done.exception, ConfigurationError)
    assert "found none" in str(done.exception)
