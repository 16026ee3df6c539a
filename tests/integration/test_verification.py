"""A third party's look at a whole chain: an export, public keys, and nothing else."""

from __future__ import annotations

import base64
import functools
import json
import operator
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.artifacts import Manifest
from hallmark.api.assessment import Analysis, Assessment
from hallmark.api.files import BUNDLE, MANIFEST
from hallmark.api.model_approval import ModelApprovalSpec, ReviewDecision
from hallmark.api.texts import canonical_json, sha256_digest, timestamp
from hallmark.cli.scan import look_up_in
from hallmark.keys import Purpose, public_pem
from hallmark.local.folder import now
from hallmark.local.lost import APPROVER_KEY, SEALING_KEY
from hallmark.policies.model_version.attestation import attest
from hallmark.resources.decisions import Said, model_approval
from hallmark.supply_chain.dsse import IN_TOTO, sign_envelope
from hallmark.supply_chain.manifest import FileFact, read_manifest
from hallmark.supply_chain.seal import signed_resources
from hallmark.supply_chain.signing import sign_bundle
from hallmark.verification.bundle import folder_of
from hallmark.verification.export import export
from hallmark.verification.files import INDEX, LOG, build_index
from hallmark.verification.links import State
from hallmark.verification.opening import verify_export, verify_folder
from hallmark.verification.registry import Registry
from hallmark.verification.trusted import Trusted, trusted_key
from tests.chains import MODEL, Whole, objects_of
from tests.examples import slow_but
from tests.integration.api import Obj
from tests.integration.exported_chain import STRANGER, copied, exported, links, whole
from tests.mutations.__main__ import tell, tried
from tests.mutations.changes import KINDS
from tests.unit.supply_chain.factories import OTHER_KEY
from tests.unit.supply_chain.osv_entries import affected, entry, snapshot

__all__ = ["copied", "exported", "whole"]


def test_every_link_of_a_chain_that_nobody_changed_holds(whole: Whole, exported: Path) -> None:
    verdict = verify_export(exported, whole.trusted, now())

    assert links(verdict, State.BROKEN) == []
    assert links(verdict, State.OPEN) == []
    found = {link.name.partition(" ")[0] for link in links(verdict, State.HOLDS)}
    assert found >= {"dataset", "run", "gates", "artifacts", "signature", "provenance", "SBOM",
                     "policy", "decision", "approval", "record", "rollout", "stage", "drift",
                     "rollback", "log", "index", "complete", "copies", "files"}  # fmt: skip


@pytest.mark.parametrize(
    ("osv", "state", "said"),
    [
        ([], State.OPEN, "expected a snapshot of OSV"),
        ([entry("GHSA-0", affected("else"))], State.HOLDS, "meets ModelPolicy"),
        ([entry("GHSA-1", affected("numpy", ranges=[]))], State.OPEN, "GHSA-1 in 'numpy'"),
    ],
)
def test_known_vulnerabilities_are_those_of_the_verifiers_snapshot(
    whole: Whole, copied: Path, tmp_path: Path, osv: list[Obj], state: State, said: str
) -> None:
    file = copied / "models" / "registry.json"
    registry = json.loads(file.read_bytes())
    (policy,) = registry["policies"]
    policy["spec"]["dependencies"]["vulnerabilities"] = {}
    file.write_bytes(Registry.model_validate(registry).to_text())
    look_up = look_up_in(snapshot(tmp_path / "osv", *osv) if osv else None, now())

    # With the log it would be a policy that no record names.
    unrecorded = Trusted(whole.trusted.signers, approvers=whole.trusted.approvers)
    verdict = verify_export(copied, unrecorded, now(), look_up)
    found = [link for one in verdict.subjects for link in one.links if link.name == "policy"]
    assert {link.state for link in found} == {state}
    assert all(said in link.said for link in found)


def test_the_same_bytes_that_another_key_sealed_later_leave_the_earlier_version_verified(
    whole: Whole, tmp_path: Path
) -> None:
    """A run again after a change of the sealing key: one folder, and the later signature in it."""
    objects = objects_of(whole.folder.read())
    first = next(one for one in objects.versions if one.metadata.name == "loan-v1")
    prefix = folder_of(first)
    manifest = read_manifest(
        whole.folder.store().get(prefix + MANIFEST), first.spec.artifact.manifest_digest
    )
    assert isinstance(manifest, Manifest)
    resources = signed_resources(manifest, first.spec.artifact.manifest_digest)
    spec = first.spec.replace(version=9, bundle=sign_bundle(OTHER_KEY, MODEL, resources))
    named = first.metadata.replace(name="later", uid="uid-later")
    later = first.replace(metadata=named, spec=spec)
    other = trusted_key(Purpose.SEAL, public_pem(OTHER_KEY.public_key()))
    trusted = Trusted([*whole.trusted.signers, *other.signers])
    chain = tmp_path / "export"
    versions = (later, *objects.versions)  # in no order
    twins = replace(objects, versions=versions)
    export(chain, twins, None, whole.folder.store(), None, None, now())

    def signed() -> dict[str, State]:
        verdict = verify_export(chain, trusted, now())
        return {
            subject.name.rpartition("/")[2]: link.state
            for subject in verdict.subjects
            for link in subject.links
            if link.name == "signature" and subject.name.endswith(("/loan-v1", "/later"))
        }

    assert signed() == {"loan-v1": State.HOLDS, "later": State.HOLDS}
    (chain / prefix / BUNDLE).write_text(first.spec.bundle)
    assert signed() == {"loan-v1": State.BROKEN, "later": State.BROKEN}


@pytest.mark.parametrize("signer", ["the reviewer", "a stranger"])
def test_a_reviewers_word_lifts_a_vulnerability_for_the_verifier_too(
    whole: Whole, copied: Path, tmp_path: Path, signer: str
) -> None:
    key = whole.folder.key(APPROVER_KEY) if signer == "the reviewer" else OTHER_KEY
    file = copied / "models" / "registry.json"
    registry = json.loads(file.read_bytes())
    (policy,) = registry["policies"]
    policy["spec"]["dependencies"]["vulnerabilities"] = {"vex": {}}
    version = whole.folder.read().version("loan-v1")
    assert version is not None
    said = Assessment(vulnerability="GHSA-1", package="numpy", analysis=Analysis.RESOLVED)
    words = Said(ReviewDecision.ASSESSED, "Looked at it.", assessment=said)
    made = model_approval(version, words, whole.trusted.approvers[0].approver)
    spec = ModelApprovalSpec.model_validate(made["spec"])
    spec = spec.replace(attestation=attest(key, MODEL, spec))
    entry_ = {"name": "word", "namespace": "default", "uid": "uid-word", "spec": spec.to_wire()}
    registry["approvals"].append(registry["approvals"][0] | entry_)
    file.write_bytes(Registry.model_validate(registry).to_text())
    flaw = entry("GHSA-1", affected("numpy", ranges=[]))
    look_up = look_up_in(snapshot(tmp_path / "osv", flaw), now())

    unrecorded = Trusted(whole.trusted.signers, approvers=whole.trusted.approvers)
    verdict = verify_export(copied, unrecorded, now(), look_up)
    found = {
        one.name.rpartition("/")[2]: link.state
        for one in verdict.subjects
        for link in one.links
        if link.name == "policy"
    }
    assert found["loan-v1"] is (State.HOLDS if signer == "the reviewer" else State.OPEN)
    assert found["loan-v2"] is State.OPEN, "it has other bytes"


def test_the_same_chain_gives_the_same_bytes(whole: Whole, exported: Path, tmp_path: Path) -> None:
    assert whole.export(tmp_path / "again") == verify_export(exported, whole.trusted, now()).digest


def test_any_single_change_is_found(
    whole: Whole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = 3 * len(KINDS)
    assert tell(tried(whole, tmp_path, count, seed=7)) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.endswith(f"mutations: {count} tried, 0 survived\n")


def _texts(lines: list[bytes]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield where each kind of text stands in a record, once for each kind of record."""
    known = set()
    for at, line in enumerate(lines):
        record = json.loads(line)
        places = [(name,) for name, value in record.items() if isinstance(value, str)]
        places += [("details", name) for name in record["details"]]
        for place in places:
            kind = record["event"], record["outcome"], place
            if kind not in known and _holder(record, place)[place[-1]]:
                known.add(kind)
                yield at, place


def _holder(record: Obj, place: tuple[str, ...]) -> Obj:
    """Return what a text stands in: the record, or its details."""
    return record["details"] if len(place) > 1 else record


def _line(record: Obj) -> bytes:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "²" * 5000], ids=["nothing", "5,000 digits that are none"])
def test_no_text_of_a_record_that_was_changed_keeps_the_verifier_from_its_verdict(
    copied: Path, whole: Whole, text: str
) -> None:
    # The chain finds it; what the links after it read may be anything.
    files = {str(file.relative_to(copied)): file for file in copied.rglob("*") if file.is_file()}
    facts = {name: FileFact.of(file.read_bytes()) for name, file in files.items() if name != INDEX}
    lines = files[LOG].read_bytes().splitlines()
    for at, place in _texts(lines):
        record = json.loads(lines[at])
        _holder(record, place)[place[-1]] = text
        log = b"".join(b"%b\n" % line for line in [*lines[:at], _line(record), *lines[at + 1 :]])
        for name, data in (
            (LOG, log),
            (INDEX, build_index({**facts, LOG: FileFact.of(log)}).to_bytes()),
        ):
            files[name].unlink()  # Some are links to the same file.
            files[name].write_bytes(data)
        verdict = verify_export(copied, whole.trusted, now())
        assert verdict.state is State.BROKEN, (at, place)


def test_a_folder_is_verified_where_it_stands(whole: Whole) -> None:
    folder = whole.folder
    found, left = verify_folder(
        folder.path, objects_of(folder.read()), folder.log_file, whole.trusted, now()
    )
    assert links(found, State.BROKEN) == []
    assert left == []


@pytest.mark.parametrize(
    ("purpose", "broken"),
    [(Purpose.SEAL, "signature"), (Purpose.AUDIT, "log"), (Purpose.APPROVE, "decision")],
)
def test_a_key_that_the_verifier_does_not_trust_vouches_for_nothing(
    whole: Whole, exported: Path, purpose: Purpose, broken: str
) -> None:
    trusted, other = whole.trusted, trusted_key(purpose, STRANGER, "mallory")
    changed = Trusted(
        signers=other.signers or trusted.signers,
        auditors=other.auditors or trusted.auditors,
        approvers=other.approvers or trusted.approvers,
    )
    verdict = verify_export(exported, changed, now())
    assert any(link.name.startswith(broken) for link in links(verdict, State.BROKEN))


def test_without_keys_nothing_is_proved_and_nothing_is_called_broken(exported: Path) -> None:
    verdict = verify_export(exported, Trusted(), now())
    assert links(verdict, State.BROKEN) == []
    unproved = {link.name for link in links(verdict, State.OPEN)}
    assert unproved >= {"log", "signature", "provenance", "complete"}


def test_a_revoked_sealing_key_takes_every_signature_with_it(whole: Whole, exported: Path) -> None:
    key = whole.trusted.signers[0].replace(revoked_at="2026-01-01T00:00:00Z")
    trusted = Trusted((key,), whole.trusted.auditors, whole.trusted.approvers)
    said = [link.said for link in links(verify_export(exported, trusted, now()), State.BROKEN)]
    assert any("was revoked at" in sentence for sentence in said)


def retired(trusted: Trusted, moment: datetime) -> Trusted:
    """Return the same keys, where those that seal and approve ended at a moment."""
    end = timestamp(moment)
    return Trusted(
        tuple(key.replace(valid_until=end) for key in trusted.signers),
        trusted.auditors,
        tuple(key.replace(valid_until=end) for key in trusted.approvers),
    )


def test_what_retired_keys_signed_in_time_holds_and_nothing_else(
    whole: Whole, exported: Path
) -> None:
    ended_since = retired(whole.trusted, now())
    verdict = verify_export(exported, ended_since, now() + timedelta(days=1))
    assert links(verdict, State.BROKEN) == []
    assert links(verdict, State.OPEN) == []

    ended_before = retired(whole.trusted, now() - timedelta(days=1))
    found = verify_export(exported, ended_before, now())
    assert "signature" in {link.name for link in links(found, State.BROKEN)}
    assert "provenance" not in {link.name for link in links(found, State.HOLDS)}


def test_without_a_log_to_believe_nothing_says_when_a_retired_key_signed(
    whole: Whole, exported: Path
) -> None:
    ended = retired(whole.trusted, now())
    verdict = verify_export(exported, Trusted(ended.signers), now() + timedelta(days=1))
    assert links(verdict, State.BROKEN) == []
    said = {link.name: link.said for link in links(verdict, State.OPEN)}
    assert "No record says that it sealed before" in said["signature"]
    assert "no record says that it signed before" in said["provenance"]


def said_of(folder: Path) -> tuple[Path, Obj]:
    """Return the file of one version's provenance in an export, and its statement."""
    file = sorted(folder.glob("models/*/*/provenance/*.json"))[0]
    return file, json.loads(base64.b64decode(json.loads(file.read_bytes())["payload"]))


def other_spec(statement: Obj) -> None:
    spec = statement["predicate"]["buildDefinition"]["externalParameters"]["spec"]
    spec["trainer"]["parameters"][0]["value"] = "9.0"


def other_rows(statement: Obj) -> None:
    spec = statement["predicate"]["buildDefinition"]["externalParameters"]["spec"]
    spec["dataset"]["recordsFingerprint"] = "sha256:" + "0" * 64


def other_library(statement: Obj) -> None:
    statement["predicate"]["buildDefinition"]["resolvedDependencies"][-1]["uri"] += "1"


def a_library_less(statement: Obj) -> None:
    statement["predicate"]["buildDefinition"]["resolvedDependencies"].pop()


def another_field(statement: Obj) -> None:
    statement["predicate"]["runDetails"]["builder"]["version"] = {"hallmark": "1"}


def as_before(statement: Obj) -> None:
    definition = statement["predicate"]["buildDefinition"]
    del definition["externalParameters"]["spec"]
    del definition["resolvedDependencies"][2:]
    del statement["predicate"]["runDetails"]["builder"]["builderDependencies"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (other_spec, "Expected the spec of the TrainingRun in it"),
        (other_rows, "Expected the spec of the TrainingRun in it"),
        (other_library, "Expected the statement about this run, its libraries"),
        (a_library_less, "Expected the statement about this run, its libraries"),
        (another_field, "Expected the statement about this run, its libraries"),
        (as_before, ""),
    ],
)
def test_provenance_that_the_sealing_key_signed_must_agree_with_all_that_is_there(
    whole: Whole, copied: Path, change: Callable[[Obj], None], sentence: str
) -> None:
    file, statement = said_of(copied)
    change(statement)
    key = whole.folder.key(SEALING_KEY)
    file.write_bytes(canonical_json(sign_envelope(key, IN_TOTO, canonical_json(statement))))
    verdict = verify_export(copied, whole.trusted, now())
    found = [link.said for link in links(verdict, State.BROKEN) if link.name == "provenance"]
    assert [sentence in text for text in found] == ([True] if sentence else [])


def test_provenance_has_the_spec_and_no_row(whole: Whole, copied: Path) -> None:
    _, statement = said_of(copied)
    definition = statement["predicate"]["buildDefinition"]
    spec = definition["externalParameters"]["spec"]
    assert spec["gates"] == [{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.6"}]
    assert spec["dataset"] == {
        "recordsFingerprint": "sha256:" + definition["resolvedDependencies"][0]["digest"]["sha256"]
    }
    assert "pkg:pypi/scikit-learn@" in json.dumps(definition["resolvedDependencies"])
    assert "north,yes" not in json.dumps(statement)


def _link_out(folder: Path) -> None:
    (folder / "models" / "registry.json").rename(folder.parent / "registry.json")
    (folder / "models" / "registry.json").symlink_to(folder.parent / "registry.json")


def _folder_link(folder: Path) -> None:
    (folder / "sbom").rename(folder.parent / "sbom")
    (folder / "sbom").symlink_to(folder.parent / "sbom")


def _deep(folder: Path) -> None:
    (folder / "models" / "registry.json").write_text("[" * 100_000)


def _pipe(folder: Path) -> None:
    (folder / "export.json").unlink()
    os.mkfifo(folder / "export.json")


def _large_number(folder: Path) -> None:
    registry = folder / "models" / "registry.json"
    text = registry.read_text()
    registry.write_text(text.replace('"version": 1', f'"version": {10**400}', 1))


def _garbled_baselines(folder: Path) -> None:
    registry = folder / "models" / "registry.json"
    for file in folder.glob("models/*/*/baseline.json"):
        before = sha256_digest(file.read_bytes())
        file.unlink()
        file.write_text("{}")
        registry.write_text(registry.read_text().replace(before, sha256_digest(b"{}")))


@pytest.mark.parametrize(
    "spoil",
    [_large_number, _garbled_baselines, _link_out, _folder_link, _deep, _pipe],
)
def test_what_leads_out_of_the_folder_or_is_no_file_is_not_read(
    whole: Whole, copied: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(copied)
    assert verify_export(copied, whole.trusted, now()).state is State.BROKEN


_DOCUMENTS = ("sbom_*.cdx.json", "report.json", "manifest.json", "baseline.json")
_OF_ANOTHER_TYPE: tuple[object, ...] = ({}, [], 1, None, "", {"name": "x"})


@pytest.mark.parametrize("part", slow_but(0, of=range(20)))
@pytest.mark.parametrize("name", _DOCUMENTS)
def test_a_member_of_another_type_is_found(
    whole: Whole, copied: Path, name: str, part: int
) -> None:
    file = min(copied.glob(f"models/*/*/{name}"))
    sealed, draw = file.read_bytes(), random.Random(part)  # noqa: S311 - repeatable, not secret
    for place in draw.sample(list(_places(json.loads(sealed))), 6):
        document = json.loads(sealed)
        holder = functools.reduce(operator.getitem, place[:-1], document)
        others = [value for value in _OF_ANOTHER_TYPE if value != holder[place[-1]]]
        holder[place[-1]] = draw.choice(others)
        file.unlink()  # It may be a link to the same file.
        file.write_text(json.dumps(document))
        assert verify_export(copied, whole.trusted, now()).state is State.BROKEN, place


def test_a_library_whose_version_is_no_text_is_found(whole: Whole, copied: Path) -> None:
    file = min(copied.glob("models/*/*/sbom_*.cdx.json"))
    document = json.loads(file.read_bytes())
    library = next(part for part in document["components"] if "pkg:pypi/" in part.get("purl", ""))
    library["version"] = {"name": "x"}
    file.unlink()
    file.write_text(json.dumps(document))
    assert verify_export(copied, whole.trusted, now()).state is State.BROKEN


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in members:
        yield (*path, key)
        if isinstance(member, dict | list):
            yield from _places(member, (*path, key))
