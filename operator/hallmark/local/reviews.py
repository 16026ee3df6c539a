"""Decisions of people without a cluster: attested with a key of this folder, judged as ever.

One machine cannot tell two people apart: whoever can write the folder can decide. So a decision
here carries the name ``local:<user>``, which no cluster authenticates, and counts in this folder.
"""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Sequence
from dataclasses import replace

from hallmark.api.common import NamespacedMeta
from hallmark.api.files import MANIFEST, REPORT, SLOT_SBOM, final_name
from hallmark.api.model_approval import ModelApproval, ModelApprovalSpec, ReviewDecision
from hallmark.api.model_policy import ApproverKey
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import model_prefix, short_hash
from hallmark.api.texts import timestamp
from hallmark.audit import Record
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.keys import key_id
from hallmark.local.folder import Folder
from hallmark.local.lost import APPROVER_KEY
from hallmark.local.registry import LOCAL_RUN_ID, Registry
from hallmark.policies.model_deployment.record import gave_way, used_versions
from hallmark.policies.model_version.attestation import attest
from hallmark.policies.model_version.checks import asked_packages
from hallmark.policies.model_version.decide import decide_version, heard
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.policies.model_version.shown import shown_of
from hallmark.policies.status import merge_conditions

_REPORT_BYTES = 16 << 20


def approver_here() -> str:
    """Return the name that decisions on this machine carry.

    Raises:
        ConfigurationError: this machine does not say who runs this.
    """
    try:
        return f"local:{getpass.getuser()}"
    except (KeyError, OSError, ImportError) as error:
        raise ConfigurationError(
            "Expected a user name, found none; set the environment variable USER."
        ) from error


def own_approver(folder: Folder, name: str) -> ApproverKey:
    """Return the key that attests this folder's decisions, as a policy trusts it."""
    public = folder.public_key(APPROVER_KEY)
    return ApproverKey(approver=name, key_id=key_id(public), public_key=public)


def decide_here(
    folder: Folder, name: str, decision: ReviewDecision, reason: str
) -> tuple[ModelVersion, ModelApproval]:
    """Record a decision on a version, and what it adds up to.

    Returns:
        The version after it, and the decision.

    Raises:
        ConfigurationError: there is no such version.
    """
    found = version_here(folder, folder.read(), name)
    spec = _spec(found, decision, approver_here(), reason)
    version, (approval,) = say_here(folder, name, [spec])
    return version, approval


def say_here(
    folder: Folder, name: str, said: Sequence[ModelApprovalSpec]
) -> tuple[ModelVersion, list[ModelApproval]]:
    """Record what is said of a version, all or nothing, and what it adds up to.

    A word on a vulnerability takes the place of what the same person said of it before.

    Returns:
        The version after it, and each decision.

    Raises:
        ConfigurationError: there is no such version.
    """
    with folder.transaction() as transaction:
        registry = transaction.registry
        version = version_here(folder, registry, name)
        made = [_approval(folder, version, spec) for spec in said]
        registry = _trusting(registry, own_approver(folder, approver_here()))
        for approval in made:
            registry = _without_former(registry, approval).with_approval(approval)
        version, records = looked_at(folder, registry, version)
        transaction.commit(registry.with_version(version), records)
    return version, made


def version_here(folder: Folder, registry: Registry, name: str) -> ModelVersion:
    """Return a version of a folder.

    Raises:
        ConfigurationError: there is no such version.
    """
    version = registry.version(name)
    if version is None:
        known = ", ".join(version.metadata.name for version in registry.versions) or "none"
        raise ConfigurationError(
            f"Expected a version in {folder.path}, found no '{name}'; there are: {known}."
        )
    return version


def _without_former(registry: Registry, approval: ModelApproval) -> Registry:
    """Return the registry without what the same person said of the same before."""
    said = _said_of(approval)
    if said is None:
        return registry
    others = [other for other in registry.approvals if _said_of(other) != said]
    return registry.replace(approvals=others)


def _said_of(approval: ModelApproval) -> tuple[str, ...] | None:
    """Return who speaks of which vulnerability where, or None where it is about none."""
    spec, about = approval.spec, approval.spec.assessment
    if about is None:
        return None
    known_as = about.vulnerability.upper()
    return spec.approver, spec.model_version.uid, known_as, about.package, about.version or ""


def looked_at(
    folder: Folder, registry: Registry, version: ModelVersion
) -> tuple[ModelVersion, Sequence[Record]]:
    """Return a version as it stands today, and what is to be recorded of that."""
    store, spec = folder.store(), version.spec
    prefix = model_prefix(version.metadata.namespace, spec.model, spec.artifact.manifest_digest)
    run_id = version.metadata.annotations.get(LOCAL_RUN_ID, "")

    def read(file: str) -> bytes | None:
        try:
            return store.get(prefix + file, limit=_REPORT_BYTES)
        except ArtifactError:
            return None  # What is missing or too large does not verify.

    manifest = read(MANIFEST)
    now = folder.clock()
    inputs = VersionInputs(
        version=version,
        now=now,
        policy_name=registry.policy.metadata.name,
        policy=registry.policy,
        manifest=None if manifest is None else manifest.decode(errors="replace"),
        report=read(REPORT),
        sbom=read(final_name(SLOT_SBOM, run_id)),
        approvals=registry.approvals_of(version.metadata.name),
        twins=tuple(
            twin
            for twin in registry.versions
            if twin.metadata.uid != version.metadata.uid
            and twin.spec.artifact.manifest_digest == spec.artifact.manifest_digest
        ),
        rolled_back=gave_way(registry.deployments, spec.artifact.manifest_digest),
        shown=shown_of(version, registry.deployments, registry.versions),
        present=frozenset(approval.metadata.uid for approval in registry.approvals),
        used_by=tuple(
            deployment.metadata.name
            for deployment in registry.deployments
            if version.metadata.name in used_versions(deployment.status)
        ),
    )
    if registry.policy.spec.dependencies.vulnerabilities is not None:
        known = folder.feed.about(asked_packages(inputs), now)
        inputs = replace(inputs, vulnerabilities=known)
    decision = decide_version(heard(inputs))
    status = decision.status or version.status
    conditions = merge_conditions(version.status.conditions, decision.conditions, now, 1)
    return version.replace(status=status.replace(conditions=conditions)), decision.records


def _spec(
    version: ModelVersion, decision: ReviewDecision, approver: str, reason: str
) -> ModelApprovalSpec:
    return ModelApprovalSpec.model_validate(
        {
            "modelVersion": {"name": version.metadata.name, "uid": version.metadata.uid},
            "manifestDigest": version.spec.artifact.manifest_digest,
            "sbomDigest": version.spec.sbom_digest,
            "gateReportDigest": version.spec.gate_report_digest,
            "decision": decision,
            "approver": approver,
            "reason": reason,
        }
    )


def _approval(folder: Folder, version: ModelVersion, spec: ModelApprovalSpec) -> ModelApproval:
    signed = spec.replace(attestation=attest(folder.key(APPROVER_KEY), version.spec.model, spec))
    uid = str(uuid.uuid4())
    return ModelApproval(
        metadata=NamespacedMeta(
            name=f"{version.metadata.name}-{spec.decision.lower()}-{short_hash(uid)}",
            namespace=version.metadata.namespace,
            uid=uid,
            generation=1,
            creation_timestamp=timestamp(folder.clock()),
        ),
        spec=signed,
    )


def _trusting(registry: Registry, key: ApproverKey) -> Registry:
    """Return the registry whose policy knows this user's key."""
    policy = registry.policy
    others = [known for known in policy.spec.approvers if known.key_id != key.key_id]
    if len(others) + 1 == len(policy.spec.approvers) and key in policy.spec.approvers:
        return registry
    spec = policy.spec.replace(approvers=[*others, key])
    return registry.replace(policy=policy.replace(spec=spec))
