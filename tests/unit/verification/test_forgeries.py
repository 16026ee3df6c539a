"""What somebody makes who can write an export, or the files of a log, and has no key."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, get_args, get_origin

import pytest
from pydantic import BaseModel, FailFast, ValidationError
from pydantic.fields import FieldInfo

from hallmark.api.common import ObjectMeta
from hallmark.api.model_approval import ModelApprovalSpec
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.report import Report
from hallmark.api.texts import timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.files import head_path, rotated_name
from hallmark.audit.record import Record, build_record
from hallmark.audit.verify import AuditVerdict, verify_log
from hallmark.keys import Purpose
from hallmark.local.registry import Registry as LocalRegistry
from hallmark.verification.files import FolderFiles, Index
from hallmark.verification.links import Link, State, Subject
from hallmark.verification.log import Log, audit_link, log_of
from hallmark.verification.recorded import Recorded
from hallmark.verification.registry import (
    ApprovalEntry,
    DeploymentEntry,
    GoneEntry,
    GonePolicy,
    PolicyEntry,
    Registry,
    RunEntry,
    VersionEntry,
    read_registry,
)
from hallmark.verification.restore import restored
from hallmark.verification.trusted import Trusted, trusted_key
from hallmark.verification.verify import Evidence, verify
from hallmark.verification.wholeness import complete_link, form_link
from tests.unit.audit.factories import NOW as WRITTEN, PUBLIC, write_log
from tests.unit.policies.model_version.ballots import approval
from tests.unit.policies.training_run import runs
from tests.unit.supply_chain.factories import NOW
from tests.unit.test_files import HOSTILE

VERSION = runs.version()
ENTRY = VersionEntry(
    namespace=VERSION.metadata.namespace,
    name=VERSION.metadata.name,
    uid=VERSION.metadata.uid,
    spec=VERSION.spec,
)


def log(*records: Record) -> Log:
    """Return a log that the verifier believes."""
    lines = [
        build_record(record, seq, timestamp(NOW + timedelta(hours=seq)), "sha256:" + "0" * 64)
        for seq, record in enumerate(records, 1)
    ]
    return Log(AuditVerdict(True, len(lines), ()), Recorded(lines), None, "the key")


def judged(policy: ModelPolicy) -> Record:
    """Return that a version was verified under a policy."""
    details = {"policyDigest": policy.spec.digest, "policy": policy.metadata.name}
    meta = VERSION.metadata
    return Record(policy.spec.digest, AuditEvent.VERIFY, "ModelVersion", meta.namespace,
                  meta.name, meta.uid, AuditOutcome.VERIFIED, "", "", "", details)  # fmt: skip


# -- files of a log ------------------------------------------------------------------------------

PLACES: dict[str, Callable[[Path], Path]] = {
    "the head": head_path,
    "a closed file": lambda log: rotated_name(log, 1),
    "the last closed file": lambda log: rotated_name(log, 900),
    "the current file": lambda log: log,
}


@HOSTILE
@pytest.mark.parametrize("key", [PUBLIC, None], ids=["with a key", "without"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_log_of_which_a_file_is_none_is_no_log_and_nobody_waits_for_it(
    place: Callable[[Path], Path], put: Callable[[Path], None], key: str | None, tmp_path: Path
) -> None:
    made = tmp_path / "secure_mlops.log"
    write_log(made, 2)
    spoiled = place(made)
    spoiled.unlink(missing_ok=True)
    put(spoiled)
    if spoiled.is_file() and spoiled.stat().st_size > 1 << 30:
        os.truncate(spoiled, 1 << 20)  # Each byte of a log is read.
    verdict = verify_log(made, key)
    auditors = trusted_key(Purpose.AUDIT, PUBLIC) if key else Trusted()
    read = log_of(made, None, auditors, NOW)
    assert read is None or read.verdict == verdict
    nothing = not os.path.lexists(spoiled)
    if nothing and (spoiled != made and (spoiled != head_path(made) or key is None)):
        assert verdict.ok
        return
    assert not verdict.ok
    assert all(len(problem) < 1000 for problem in verdict.problems)


@pytest.mark.parametrize("revoked", [(False,), (True,), (False, True), (True, False)])
def test_an_audit_key_that_is_revoked_anywhere_vouches_for_no_log(
    revoked: tuple[bool, ...], tmp_path: Path
) -> None:
    """Who adds the bare key to a policy that revokes it does not bring it back."""
    made = tmp_path / "secure_mlops.log"
    write_log(made, 2)
    (key,) = trusted_key(Purpose.AUDIT, PUBLIC).auditors
    gone = key.replace(revoked_at=timestamp(NOW - timedelta(days=1)))
    auditors = Trusted(auditors=tuple(gone if one else key for one in revoked))
    read = log_of(made, None, auditors, NOW)
    assert read is not None
    assert (read.believed is None) is any(revoked)
    link = audit_link(read, None, exported=False)
    assert link.state is (State.OPEN if any(revoked) else State.HOLDS)
    assert ("was revoked" if any(revoked) else f"2 records up to {timestamp(WRITTEN)}") in link.said


# -- objects -------------------------------------------------------------------------------------


def test_a_version_is_judged_by_the_newest_policy_or_by_none(tmp_path: Path) -> None:
    """Who writes an export has policies of before, too, and would choose the mildest."""
    mild, strict = (runs.policy(approvals={"minimum": number}) for number in (1, 3))
    strict = strict.replace(metadata=ObjectMeta(name=mild.metadata.name))
    records = log(judged(mild), judged(strict))

    def approval_link(shown: ModelPolicy, *gone: GonePolicy) -> Link:
        registry = Registry(
            namespaces=[ENTRY.namespace],
            policies=[PolicyEntry(name=shown.metadata.name, spec=shown.spec)],
            versions=[ENTRY],
            gone_policies=list(gone),
        )
        evidence = Evidence(registry, FolderFiles(tmp_path), records, False)
        subjects = verify(evidence, Trusted(), NOW).subjects
        links = [link for one in subjects if one.kind == "ModelVersion" for link in one.links]
        return next(link for link in links if link.name == "approval")

    assert "0 of 3 approvals" in approval_link(strict).said
    gone = GonePolicy(name=strict.metadata.name, digest=strict.spec.digest)
    forged = approval_link(mild, gone)
    assert forged.state is State.OPEN
    assert "how many are needed is not here" in forged.said


@pytest.mark.parametrize("kind", [RunEntry, VersionEntry, ApprovalEntry, DeploymentEntry])
def test_no_two_objects_of_a_kind_have_one_name(kind: type) -> None:
    fields = {"namespace": "bank", "name": "credit", "spec": None}
    one, other = (kind.model_construct(**fields, uid=uid) for uid in ("a", "b"))
    listed = {RunEntry: "runs", VersionEntry: "versions", ApprovalEntry: "approvals"}
    name = listed.get(kind, "deployments")
    for entries, expected in (([one], State.HOLDS), ([one, other], State.BROKEN)):
        registry = Registry.model_construct(namespaces=["bank"], **{name: entries})
        assert form_link(registry).state is expected


@pytest.mark.parametrize(
    ("spaces", "state", "said"),
    [
        (["bank", "shop"], State.HOLDS, "whatever a record is about is here; 2 are gone"),
        (["bank"], State.HOLDS, "in bank is here; 1 are gone; the export leaves out shop"),
        ([], State.OPEN, "Nothing is here of what the log tells of, in bank, shop"),
    ],
)
def test_an_export_of_some_namespaces_does_not_read_as_one_of_all(
    spaces: list[str], state: State, said: str
) -> None:
    seen = [
        Record(
            space,
            AuditEvent.VERIFY,
            "Deployment",
            space,
            "credit",
            f"u-{space}",
            AuditOutcome.PASSED,
            "",
        )
        for space in ("bank", "shop")
    ]
    gone = [
        GoneEntry(kind="Deployment", namespace=space, name="credit", uid=f"u-{space}")
        for space in spaces
    ]
    link = complete_link(Registry(namespaces=spaces, gone=gone), log(*seen).recorded)
    assert link.state is state
    assert said in link.said


# -- what is brought into another cluster --------------------------------------------------------


@pytest.mark.parametrize("decision", ["Approved", "Denied", "Revoked"])
@pytest.mark.parametrize("believed", [True, False], ids=["with a log", "without"])
def test_without_a_log_to_believe_only_what_takes_trust_away_is_brought_along(
    decision: str, tmp_path: Path, *, believed: bool
) -> None:
    """A denial may have been left out together with the log that tells of it."""
    spec: ModelApprovalSpec = approval(attested=True, decision=decision).spec
    said = ApprovalEntry(namespace=ENTRY.namespace, name="word", uid="w", spec=spec)
    assert spec.model_version.uid == ENTRY.uid
    registry = Registry(namespaces=[ENTRY.namespace], versions=[ENTRY], approvals=[said])
    recorded = log(judged(runs.policy())).recorded if believed else None
    (found,) = restored(registry, FolderFiles(tmp_path), recorded)
    assert found.untold is not believed
    assert bool(found.attested) is (believed or decision != "Approved")


@pytest.mark.parametrize("decision", ["Approved", "Denied", "Revoked"])
@pytest.mark.parametrize("outcome", [AuditOutcome.ACCEPTED, AuditOutcome.REFUSED, None])
@pytest.mark.parametrize("approver", ["rita", "ALICE ", "alice", "relay"])
def test_who_asked_for_a_version_is_let_in_by_no_import(
    decision: str, outcome: AuditOutcome | None, approver: str, tmp_path: Path
) -> None:
    """Whoever imports asks for it anew, so that nothing there would tell the first one."""
    asked = ENTRY.spec.replace(
        requested_by=ENTRY.spec.requested_by.replace(name="alice", relay="relay")
    )
    entry = ENTRY.replace(spec=asked)
    spec = approval(attested=True, decision=decision, approver=approver).spec
    said = ApprovalEntry(namespace=entry.namespace, name="word", uid="w", spec=spec)
    registry = Registry(namespaces=[entry.namespace], versions=[entry], approvals=[said])
    records = [judged(runs.policy())]
    if outcome is not None:
        details = {"approvalUid": "w", "manifestDigest": "sha256:" + "9" * 64}
        records.append(
            Record(
                "w",
                AuditEvent.APPROVE,
                "ModelVersion",
                entry.namespace,
                entry.name,
                entry.uid,
                outcome,
                "",
                "",
                approver,
                details,
            )
        )
    (found,) = restored(registry, FolderFiles(tmp_path), log(*records).recorded)
    counts = approver == "rita" and outcome is not AuditOutcome.REFUSED
    assert bool(found.attested) is (decision != "Approved" or counts)
    assert found.uncounted == (() if decision != "Approved" or counts else ("word",))


# -- what is said --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2K", "\udcff", "\u202e", "\r✓ all holds"])
def test_whatever_a_name_holds_what_is_said_is_one_line_that_can_be_printed(name: str) -> None:
    link = Link(f"decision {name}", State.BROKEN, f"Expected no file {name}, found one.")
    subject = Subject("Export", name, (link,))
    for text in (link.name, link.said, subject.name):
        assert text.isprintable()
        assert json.loads(json.dumps(text, ensure_ascii=False).encode()) == text


# -- what a small export may cost ----------------------------------------------------------------


def test_a_file_of_many_names_is_read_once(tmp_path: Path) -> None:
    size, names = 4 << 20, [f"{number:03d}" for number in range(100)]
    (tmp_path / names[0]).write_bytes(b"x" * size)
    for name in names[1:]:
        (tmp_path / name).hardlink_to(tmp_path / names[0])
    before = _bytes_read()
    files = FolderFiles(tmp_path)
    files.measure(names)
    assert {files.fact(name) for name in names} == {files.fact(names[0])}
    assert _bytes_read() - before < 20 * size, "Some threads may have begun at once."


def _bytes_read() -> int:
    """Return how many bytes this process has read from files."""
    return int(Path("/proc/self/io").read_text().split()[1])


def lists_of(model: type[BaseModel], seen: set[type]) -> Iterator[tuple[str, list[object]]]:
    """Yield each list in a document and in what it holds, with what bounds it."""
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        waiting: list[object] = [field.annotation]
        bounds = [*field.metadata]
        while waiting:
            kind = waiting.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from lists_of(kind, seen)
            if get_origin(kind) is Annotated:
                bounds += get_args(kind)[1:]
            if get_origin(kind) is list:
                yield f"{model.__name__}.{name}", bounds
            waiting += get_args(kind)


@pytest.mark.parametrize("document", [Registry, Index, Report, LocalRegistry])
def test_each_list_of_a_long_document_has_a_bound_or_ends_with_its_first_wrong_item(
    document: type[BaseModel],
) -> None:
    """An error of each takes a kilobyte: three megabytes of them took three gigabytes."""
    found = list(lists_of(document, set()))
    assert found
    assert [name for name, bounds in found if not any(map(_bounds, bounds))] == []


def _bounds(mark: object) -> bool:
    if isinstance(mark, FieldInfo):
        return any(map(_bounds, mark.metadata))
    return isinstance(mark, FailFast) or getattr(mark, "max_length", None) is not None


@pytest.mark.parametrize("wrong", ["0", "{}", '""'])
@pytest.mark.parametrize("field", ["policies", "runs", "versions", "approvals", "gone"])
def test_wrong_items_without_an_end_are_one_error(field: str, wrong: str) -> None:
    text = f'{{"{field}": [{",".join([wrong] * 3000)}]}}'
    with pytest.raises(ValidationError) as refused:
        Registry.model_validate_json(text)
    assert refused.value.error_count() < 10
    said = read_registry(text.encode())
    assert isinstance(said, str)
    assert f"'{field}.0" in said
