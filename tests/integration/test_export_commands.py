"""What is told from an export without a cluster: what served when, a pack, a verdict, a review."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from hallmark.api.model_approval import ReviewDecision
from hallmark.api.texts import parse_timestamp
from hallmark.keys import private_pem
from hallmark.local.folder import now
from hallmark.local.lost import SEALING_KEY
from hallmark.verification.files import LOG, REGISTRY, FolderFiles
from hallmark.verification.history import served_at
from hallmark.verification.links import State
from hallmark.verification.log import log_of
from hallmark.verification.oci import as_folder, write_layout
from hallmark.verification.opening import verify_export
from hallmark.verification.recorded import Period
from hallmark.verification.registry import MAX_BYTES, Registry, read_registry
from hallmark.verification.restore import restored
from tests.chains import MODEL, Whole
from tests.integration.api import Obj
from tests.integration.command_line import run_hallmark
from tests.integration.exported_chain import STRANGER, copied, exported, links, whole
from tests.unit.supply_chain.factories import OTHER_KEY

__all__ = ["copied", "exported", "whole"]


def trust(whole: Whole) -> list[str]:
    keys, approver = whole.folder.path / "keys", whole.trusted.approvers[0].approver
    return [
        f"--trust=seal={keys / 'sealing.pub'}",
        f"--trust=audit={keys / 'audit.pub'}",
        f"--trust=approve:{approver}={keys / 'approver.pub'}",
    ]


def moment_before(period: Period) -> datetime:
    return parse_timestamp(period.record.time) - timedelta(microseconds=1)


def test_the_log_alone_says_what_served_at_a_moment(whole: Whole, exported: Path) -> None:
    log = log_of(exported / LOG, None, whole.trusted, now())
    assert log is not None
    deployment = whole.folder.read().deployment(MODEL)
    assert deployment is not None
    periods = log.recorded.periods(deployment.metadata.uid)
    assert [period.version for period in periods] == ["loan-v1", "loan-v2", "loan-v1"]

    approver = whole.trusted.approvers[0].approver
    for period in periods:
        moment = parse_timestamp(period.record.time)
        (served,) = served_at(log.recorded, MODEL, moment)
        assert (served.version, served.record) == (period.version, period.record.seq)
        assert [(word.decision, word.by) for word in served.words] == [("approve", approver)]
        assert served.evidence["requestedBy"] == "alice"
    (shared,) = served_at(log.recorded, MODEL, moment_before(periods[1]))
    assert [(one.version, len(one.words)) for one in shared.beside] == [("loan-v2", 1)]
    assert list(served_at(log.recorded, MODEL, moment_before(periods[0]))) == []
    assert list(served_at(log.recorded, "another", now())) == []


def test_a_moment_and_a_pack_on_the_command_line(
    whole: Whole, exported: Path, tmp_path: Path
) -> None:
    log = f"--audit-log={exported / LOG}"
    said = run_hallmark("asof", "2999-01-01", MODEL, log, *trust(whole))
    assert said.returncode == 0, said.stderr
    assert "credit/loan: loan-v1" in said.stdout
    assert "approve by" in said.stdout
    assert "what came then it does not say" in said.stdout
    another = run_hallmark("asof", "2999-01-01", "another", log, *trust(whole)).stdout
    assert "there are: loan" in another
    assert (
        "Nothing of loan served"
        in run_hallmark("asof", "2020-01-01", MODEL, log, *trust(whole)).stdout
    )
    for wrong in ("yesterday", "2026-13-01", "2026-10-01T12:00:00"):
        assert "Expected a day" in run_hallmark("asof", wrong, MODEL, log, *trust(whole)).stderr
    stranger = tmp_path / "stranger.pub"
    stranger.write_text(STRANGER)
    unbelieved = run_hallmark("asof", "2999-01-01", MODEL, log, f"--trust=audit={stranger}")
    assert "cannot be believed" in unbelieved.stderr

    made = tmp_path / "pack"
    packed = run_hallmark(
        "pack", MODEL, "--version=loan-v1", f"--export={exported}", f"--to={made}", *trust(whole)
    )
    assert packed.returncode == 0, packed.stderr
    page = (made / "README.md").read_text()
    assert page.count("**verified**") >= 12
    assert page.count("**not covered**") >= 5
    for path in re.findall(r"`((?:models|logs)/[^`]+)`", page):
        assert (made / path).read_bytes() == (exported / path).read_bytes()
    layout, of_layout = tmp_path / "export.tar", tmp_path / "of-layout"
    write_layout(exported, layout)
    told = [f"--export={layout}", f"--to={of_layout}", *trust(whole)]
    assert run_hallmark("pack", MODEL, "--version=loan-v1", *told).returncode == 0
    assert {
        path.relative_to(made): path.read_bytes() for path in made.rglob("*") if path.is_file()
    } == {
        path.relative_to(of_layout): path.read_bytes()
        for path in of_layout.rglob("*")
        if path.is_file()
    }
    unproved = tmp_path / "unproved"
    run_hallmark("pack", MODEL, f"--export={exported}", f"--to={unproved}", *trust(whole)[:1])
    assert (unproved / "README.md").read_text().count("**verified**") < page.count("**verified**")


def test_the_command_line_says_it_all(whole: Whole, tmp_path: Path) -> None:
    state, target = whole.folder.path, tmp_path / "export"
    exported = run_hallmark("export", str(target), "--state", str(state))
    assert exported.returncode == 0, exported.stderr
    done = run_hallmark("verify", str(target), *trust(whole), "--strict")
    assert done.returncode == 0, done.stdout
    assert f"✓ Deployment credit/{MODEL}" in done.stdout
    assert "0 broken, 0 not proved" in done.stdout

    report = next(target.glob("models/*/*/report.json"))
    report.write_bytes(report.read_bytes().replace(b"accuracy", b"accurazy", 1))
    found = run_hallmark("verify", str(target), *trust(whole), "--output=json")
    assert found.returncode == 10
    wire = json.loads(found.stdout)
    assert wire["verdict"] == "broken"
    assert any(
        link["verdict"] == "broken" and "report.json" in link["said"]
        for subject in wire["subjects"]
        for link in subject["links"]
    )

    assert "Expected --trust" in run_hallmark("verify", str(target)).stderr
    assert "found no export.json" in run_hallmark("verify", str(tmp_path), *trust(whole)).stderr
    assert (
        "Expected an empty folder"
        in run_hallmark("export", str(target), "--state", str(state)).stderr
    )


@pytest.mark.parametrize("name", ["image", "image.tar"])
def test_an_export_as_an_image_verifies_alike(whole: Whole, tmp_path: Path, name: str) -> None:
    image = str(tmp_path / name)
    made = run_hallmark("export", image, "--oci", "--state", str(whole.folder.path))
    assert made.returncode == 0, made.stderr
    with as_folder(tmp_path / name) as folder:
        verdict = verify_export(folder, whole.trusted, now())
    assert links(verdict, State.BROKEN) == []
    assert f"{image}: {verdict.digest}, as the image sha256:" in made.stdout
    key = tmp_path / "seal.pub"
    key.write_text(whole.folder.public_key(SEALING_KEY))
    seen = run_hallmark("verify", image, "--trust", f"seal={key}")
    assert seen.returncode == 0, seen.stderr
    assert run_hallmark("export", image, "--oci", "--state", str(whole.folder.path)).returncode == 1


# --- a review without a cluster -----------------------------------------------------------------


def reviewed(folder: Path, name: str) -> Obj:
    done = run_hallmark("review", name, "--export", str(folder), "-o", "json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_reviewer_without_a_cluster_gets_the_digest_of_what_is_shown(
    whole: Whole, exported: Path, tmp_path: Path
) -> None:
    first, second = (found.metadata.name for found in whole.folder.read().versions[:2])
    found = reviewed(exported, second)
    assert (found["beside"], found["hidden"]) == (first, [])
    assert [gate["metric"] for gate in found["gates"]] == ["accuracy"]
    assert any(change["part"] == "parameters" for change in found["changes"])
    assert (
        f"shown        {found['shownDigest']}"
        in run_hallmark("review", second, "--export", str(exported)).stdout
    )

    key = tmp_path / "rita.pem"
    key.write_bytes(private_pem(OTHER_KEY))
    asked = ("approve", second, "--export", str(exported), "--reason", "Read.", "--approver=rita")
    right = run_hallmark(*asked, "--attest-with", str(key), "--shown", found["shownDigest"])
    assert right.returncode == 0, right.stderr
    spec = yaml.safe_load(right.stdout)["spec"]
    assert (spec["shownDigest"], spec["approver"]) == (found["shownDigest"], "rita")
    payload = base64.b64decode(json.loads(spec["attestation"])["payload"])
    assert json.loads(payload)["shownDigest"] == found["shownDigest"]

    stale = reviewed(exported, first)["shownDigest"]
    wrong = run_hallmark(*asked, "--attest-with", str(key), "--shown", stale)
    assert wrong.returncode == 1
    assert f"beside {first}, which serves" in wrong.stderr
    assert "--attest-with" in run_hallmark(*asked).stderr


@pytest.mark.parametrize("name", ["report.json", "manifest.json", "sbom_*.cdx.json"])
def test_evidence_that_cannot_be_shown_gives_no_digest(
    whole: Whole, copied: Path, name: str
) -> None:
    second = whole.folder.read().versions[1]
    digest = second.spec.artifact.manifest_digest.removeprefix("sha256:")
    (path,) = copied.glob(f"models/*/{digest}/{name}")
    path.write_bytes(path.read_bytes().replace(b":", b": ", 1))
    found = reviewed(copied, second.metadata.name)
    assert found["shownDigest"] is None
    assert "somebody changed it" in found["hidden"][0]


@pytest.mark.parametrize("how", ["nobody signed it", "its object is gone"])
def test_no_approval_is_restored_without_the_denial_of_the_same_bytes(
    exported: Path, whole: Whole, how: str
) -> None:
    files = FolderFiles(exported)
    registry = read_registry(files.read(REGISTRY, MAX_BYTES))
    assert isinstance(registry, Registry)
    log = log_of(exported / LOG, None, whole.trusted, datetime.now(UTC))
    assert log is not None
    before = {one.version.metadata.name: one for one in restored(registry, files, log.recorded)}
    assert not any(one.lost for one in before.values())

    (denial,) = (one for one in registry.approvals if one.spec.decision is ReviewDecision.DENIED)
    others = [one for one in registry.approvals if one is not denial]
    approval = next(one for one in others if one.spec.decision is ReviewDecision.APPROVED)
    on = denial.spec.model_version
    beside = approval.replace(uid="beside", spec=approval.spec.replace(model_version=on))
    plain = denial.replace(spec=denial.spec.replace(attestation=None))
    left = [plain] if how == "nobody signed it" else []
    changed = registry.replace(approvals=[*others, beside, *left])
    after = {one.version.metadata.name: one for one in restored(changed, files, log.recorded)}
    assert after[on.name].lost == (denial.name,)
    assert after[on.name].attested == ()
    for name in before.keys() - {on.name}:
        assert after[name].attested == before[name].attested
