"""A reviewer's word on a vulnerability, from the command line into the cluster and back."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_policy import ApproverKey
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import LABEL_POLICY
from hallmark.keys import private_pem
from hallmark.policies.model_version.records import Hearing, next_records
from hallmark.supply_chain.sealing import seal
from tests.integration import objects
from tests.integration.command_line import Done, hallmark
from tests.integration.conftest import OPERATOR, World
from tests.unit.store.conftest import gateway
from tests.unit.store.versitygw import BUCKET, Gateway
from tests.unit.supply_chain import factories, uploads
from tests.unit.supply_chain.factories import KEY, NOW
from tests.unit.supply_chain.osv_entries import affected, entry, snapshot
from tests.unit.supply_chain.test_foreign_vex import open_vex, statement

__all__ = ["gateway"]

ME = "admin"


@dataclass(frozen=True)
class Sealed:
    """A sealed version in a namespace whose policy trusts one reviewer."""

    world: World
    name: str
    key: str
    credentials: str

    def run(self, command: str, *arguments: str) -> Done:
        """Run a command on the version."""
        options = ("-n", self.world.namespace, self.credentials)
        return hallmark(self.world, command, self.name, *options, *arguments)

    def got(self, *what: str) -> str:
        """Return objects of the namespace."""
        options = ("-n", self.world.namespace, "-o", "json")
        return self.world.cluster.kubectl("get", *what, *options).stdout

    def approvals(self) -> list[ModelApproval]:
        """Return what was said of it."""
        found = map(ModelApproval.model_validate, json.loads(self.got("mapr"))["items"])
        return [one for one in found if one.spec.model_version.name == self.name]

    def hear(self) -> None:
        """Do what the operator does with what was said: judge and record it."""
        version = ModelVersion.model_validate_json(self.got("mver", self.name))
        keys = [ApproverKey(approver=ME, **factories.trusted().model_dump())]
        hearing = Hearing(version, self.approvals(), keys, None, datetime.now(UTC))
        records = next_records(hearing)
        assert all(record.accepted for record in records), records
        status = version.status.replace(approvals=list(records)).to_wire()
        self.world.api.patch(version.to_wire(), {"status": status}, OPERATOR, "status")


@pytest.fixture
def sealed(world: World, gateway: Gateway, tmp_path: Path) -> Sealed:
    name = f"credit-{secrets.token_hex(3)}"
    space, good = world.namespace, uploads.upload()
    store = gateway.store(name)
    good.put(store)
    outcome = seal(uploads.task(good), store, lambda: KEY, NOW)
    assert outcome.sealed, outcome.message
    policy = objects.model_policy(
        f"vex-{secrets.token_hex(3)}",
        store={"uri": f"s3://{BUCKET}/{name}", "endpoint": gateway.endpoint},
        approvers=[{**factories.trusted().to_wire(), "approver": ME}],
        dependencies={"vulnerabilities": {"vex": {}}},
    )
    world.api.create(policy)
    labels = {LABEL_POLICY: policy["metadata"]["name"]}
    found = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
    world.api.patch(found, {"metadata": {"labels": labels}})
    artifact = {"uri": outcome.uri, "manifestDigest": good.digest, "size": outcome.size}
    version = objects.model_version(
        space,
        name,
        model=factories.MODEL,
        artifact=artifact,
        sbomDigest=outcome.sbom_digest,
        gateReportDigest=outcome.gate_report_digest,
    )
    world.api.create(version, OPERATOR)
    (tmp_path / "key.pem").write_bytes(private_pem(KEY))
    key = f"--sign-with={tmp_path / 'key.pem'}"
    return Sealed(world, name, key, f"--store-credentials={gateway.credentials}")


WORD = (
    "--vulnerability=CVE-2026-1",
    "--package=NumPy",
    "--detail=Not imported.",
    "--analysis=not_affected",
)
WHY = "--justification=code_not_reachable"


def test_a_reviewers_word_is_signed_shown_and_lifts(sealed: Sealed, tmp_path: Path) -> None:
    done = sealed.run("vex", *WORD, WHY, sealed.key)
    assert done.returncode == 0, done.stderr
    assert "CVE-2026-1 in 'numpy': not_affected (code_not_reachable). See whether" in done.stdout
    (made,) = sealed.approvals()
    assert (made.spec.decision, made.spec.approver) == ("Assessed", ME)
    assert made.spec.reason == "Not imported."
    sealed.hear()

    shown = " ".join(sealed.run("sbom").stdout.split())
    assert f"CVE-2026-1 in 'numpy': not_affected (code_not_reachable), says {ME}." in shown
    (found,) = json.loads(sealed.run("sbom", "--vex").stdout)["vulnerabilities"]
    assert (found["id"], len(found["affects"])) == ("CVE-2026-1", 1)

    flaws = [entry(f"CVE-2026-{one}", affected("numpy", ranges=[])) for one in (1, 2)]
    scanned = sealed.run("scan", f"--osv={snapshot(tmp_path / 'osv', *flaws)}")
    assert scanned.returncode == 10
    assert "CVE-2026-2" in scanned.stdout
    assert "CVE-2026-1 in" not in scanned.stdout


def test_what_another_tool_says_is_taken_over(sealed: Sealed, tmp_path: Path) -> None:
    file = tmp_path / "vex.json"
    parts = [{"@id": f"pkg:pypi/{name}"} for name in ("numpy", "torch")]
    file.write_text(json.dumps(open_vex(statement(products=parts))))
    arguments = ("vex", sealed.key, f"--from={file}")
    odd = tmp_path / os.fsdecode(b"\xff\n.json")
    odd.write_bytes(file.read_bytes())
    taken = sealed.run("vex", sealed.key, f"--from={odd}", "--dry-run")
    assert "From ? .json: Not imported." in taken.stdout, taken.stderr
    printed = sealed.run(*arguments, "--dry-run")
    assert printed.returncode == 0, printed.stderr
    assert sealed.approvals() == []
    done = sealed.run(*arguments)
    assert done.returncode == 0, done.stderr
    (made,) = sealed.approvals()
    assert made.spec.reason == "From vex.json: Not imported."
    assert made.metadata.name in printed.stdout
    sealed.hear()

    file.write_text(json.dumps(open_vex(statement(products=parts[1:]))))
    assert "found none" in " ".join(sealed.run(*arguments).stderr.split())
    file.write_text("{}")
    assert "Expected OpenVEX" in sealed.run(*arguments).stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (WORD, "Expected --justification"),
        (WORD[:2], "or all of --vulnerability"),
        ((*WORD, WHY, "--from=x"), "Expected --from with a VEX file, or"),
        ((*WORD, WHY, "--approver=rita"), "Expected --export and --approver together"),
        (("--from=/no/such",), "cannot be read"),
        ((WORD[0], "--package=a b", *WORD[2:], WHY), "package: "),
        ((WORD[0], "--package=numpy==", *WORD[2:], WHY), "version: "),
    ],
)
def test_what_makes_no_sense_is_said(sealed: Sealed, given: tuple[str, ...], said: str) -> None:
    done = sealed.run("vex", sealed.key, *given)
    assert (done.returncode, sealed.approvals()) == (1, [])
    assert said in " ".join(done.stderr.split())
