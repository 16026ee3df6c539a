"""Whether an export is whole: nothing is missing, nothing is there that no signature reaches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hallmark.api.artifacts import Manifest
from hallmark.api.model_version import ModelVersion
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.verification.bundle import Bundle, copies_of, provenance_name
from hallmark.verification.files import HEAD, INDEX, LOG, REGISTRY, Files
from hallmark.verification.links import Link, broken, holds, open_
from hallmark.verification.recorded import Recorded, Thing
from hallmark.verification.registry import Registry, in_order

_KINDS = {
    "runs": "TrainingRun",
    "versions": "ModelVersion",
    "approvals": "ModelApproval",
    "deployments": "Deployment",
}


def form_link(registry: Registry) -> Link:
    """Every object is there once, in order."""
    lists = (registry.runs, registry.versions, registry.approvals, registry.deployments)
    policies = [policy.name for policy in registry.policies]
    uids = [entry.uid for entry in registry.entries]
    names = [[(entry.namespace, entry.name) for entry in entries] for entries in lists]
    if any(len(found) != len(set(found)) for found in names):
        return broken(
            "registry", "Expected each name once in a namespace, found two objects of one."
        )
    ordered = all(in_order(entries) for entries in (*lists, registry.gone))
    for listed in (registry.namespaces, policies):
        ordered = ordered and listed == sorted(set(listed))
    if not ordered or len(uids) != len(set(uids)):
        return broken("registry", "Expected every object once, in order, with a uid of its own.")
    return holds("registry", f"{len(uids)} objects of {', '.join(registry.namespaces)}")


def there(registry: Registry) -> set[Thing]:
    """Return the objects that are there."""
    return {
        Thing(kind, entry.namespace, entry.name, entry.uid)
        for field, kind in _KINDS.items()
        for entry in getattr(registry, field)
    }


def complete_link(registry: Registry, recorded: Recorded | None) -> Link:
    """Whatever a record is about is there, or is said to be gone."""
    present = there(registry)
    gone = {Thing(one.kind, one.namespace, one.name, one.uid) for one in registry.gone}
    problems = _contradictions(registry, present, gone)
    if recorded is not None:
        problems = [*problems, *_against_the_log(registry, present, gone, recorded)]
    if problems:
        return broken("complete", problems[0])
    if recorded is None:
        return open_("complete", "Without an audit log nobody knows what is missing.")
    more = f"; {len(gone)} are gone" if gone else ""
    # An export may be of some namespaces alone: that must not read as if it were of all.
    left = sorted({thing.namespace for thing in recorded.things()} - set(registry.namespaces))
    if not left:
        return holds("complete", f"whatever a record is about is here{more}")
    others = f"{', '.join(left[:5])}{', ...' if len(left) > 5 else ''}"
    if not registry.namespaces:
        return open_("complete", f"Nothing is here of what the log tells of, in {others}.")
    here = ", ".join(registry.namespaces[:5])
    return holds(
        "complete",
        f"whatever a record is about in {here} is here{more}; the export leaves out {others}, of "
        "which the log tells too",
    )


def _contradictions(registry: Registry, present: set[Thing], gone: set[Thing]) -> list[str]:
    """Return how the registry contradicts itself."""
    found = []
    if stray := {thing.namespace for thing in present | gone} ^ set(registry.namespaces):
        found.append(
            f"Expected objects of each namespace that is named, and of no other; of "
            f"'{min(stray)}' that is not so."
        )
    if both := present & gone:
        found.append(f"'{min(both).name}' is there, and is said to be gone.")
    versions = {entry.uid for entry in registry.versions}
    for entry in registry.approvals:
        if entry.spec.model_version.uid not in versions:
            found.append(f"ModelApproval '{entry.name}' decides on a version that is not here.")
    return found


def _against_the_log(
    registry: Registry, present: set[Thing], gone: set[Thing], recorded: Recorded
) -> Iterator[str]:
    known = {thing for thing in recorded.things() if thing.namespace in registry.namespaces}
    for thing in sorted(known - present - gone):
        yield f"Records are about {thing.kind} '{thing.name}' ({thing.uid}), which is not here."
    for thing in sorted(gone - known):
        yield f"No record is about '{thing.name}', which is said to be gone."
    policies = {policy.name: policy.spec.digest for policy in registry.policies}
    wanted = sorted(pair for pair in recorded.policies.items() if pair not in policies.items())
    if wanted != [(policy.name, policy.digest) for policy in registry.gone_policies]:
        yield "Expected each ModelPolicy as the newest record names it, or said to be gone."
    for thing in sorted(present):
        if record := recorded.deleted.get(thing.uid):
            yield f"{thing.kind} '{thing.name}' is here; record {record.seq} says that it is gone."
    versions = {entry.uid for entry in registry.versions}
    for thing in sorted(gone & known):
        if not went(thing, recorded, versions):
            yield f"{thing.kind} '{thing.name}' is not here, and no record says that it went."


def went(thing: Thing, recorded: Recorded, versions: set[str]) -> bool:
    """Tell whether an object that is not there is known to be gone.

    Args:
        thing: the object.
        recorded: the log; one of an earlier release does not say which objects were deleted.
        versions: the uids of the versions that are there; decisions on others are left out.
    """
    if thing.uid in recorded.deleted:
        return True
    if thing.kind == "ModelApproval":
        of_another = recorded.decision(thing.uid)[0].uid not in versions
        return of_another or not (
            recorded.names_deletions or _still_counts(recorded, thing.uid, versions)
        )
    return not recorded.names_deletions


def _still_counts(recorded: Recorded, approval: str, versions: set[str]) -> bool:
    """Tell whether a decision counted, was never withdrawn, and its version is there."""
    records = recorded.decision(approval)
    accepted = any(record.outcome == AuditOutcome.ACCEPTED for record in records)
    withdrawn = any(record.event == AuditEvent.WITHDRAW for record in records)
    return accepted and not withdrawn and records[0].uid in versions


def copies_link(manifests: Iterable[Manifest], files: Files) -> Link:
    """The files that are laid out for readers are the sealed ones."""
    wanted: dict[str, set[str]] = {}
    for manifest in manifests:
        for path, digest in copies_of(manifest).items():
            wanted.setdefault(path, set()).add(digest)
    for path, digests in sorted(wanted.items()):
        fact = files.fact(path)
        if fact is None or fact.digest not in digests:
            found = fact.digest if fact else "none"
            return broken("copies", f"Expected {path} as sealed ({min(digests)}), found {found}.")
    return holds("copies", f"{len(wanted)} files in models/ and sbom/ are the sealed ones")


def nothing_else_link(
    files: Files, bundles: Mapping[str, Bundle], versions: Sequence[ModelVersion], *, log: bool
) -> Link:
    """There is no file that nothing signed names."""
    expected = {INDEX, REGISTRY, *({LOG, HEAD} if log else ())}
    for bundle in bundles.values():
        expected |= bundle.names
        if isinstance(bundle.manifest, Manifest):
            expected |= copies_of(bundle.manifest).keys()
    expected |= {provenance_name(version) for version in versions}
    if extra := files.names() - expected:
        return broken("files", f"Expected no file {min(extra)}: nothing signed names it.")
    return holds("files", "there is no file that nothing signed names")
