"""``models/registry.json``: the objects of an export, as far as a signature reaches them. Pure.

What nobody vouches for (labels, conditions, replicas, times of an object) is left out, so that a
reader can believe what stands here: the seal, the approvers' keys and the signed audit log say it,
and the verifier holds each field against them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from hallmark.api.common import Digest, FileModel, LongList, NamespacedMeta, ObjectMeta
from hallmark.api.model_approval import ModelApproval, ModelApprovalSpec
from hallmark.api.model_deployment import (
    ModelDeployment,
    ModelDeploymentSpec,
    ModelDeploymentStatus,
)
from hallmark.api.model_policy import ModelPolicy, ModelPolicySpec
from hallmark.api.model_version import ModelVersion, ModelVersionSpec
from hallmark.api.texts import sha256_digest
from hallmark.api.training_run import TrainingRun, TrainingRunSpec
from hallmark.audit.record import Hash
from hallmark.policies.model_deployment.intent import FIELDS
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

MAX_BYTES = 512 << 20
_LARGEST = 2**53 - 1
Name = Annotated[str, Field(max_length=253)]


class _Entry(FileModel):
    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    name: Name
    uid: Annotated[str, Field(min_length=1, max_length=64)]

    @property
    def meta(self) -> NamespacedMeta:
        """What is left of the object's metadata."""
        return NamespacedMeta(name=self.name, namespace=self.namespace, uid=self.uid)

    @property
    def key(self) -> tuple[str, str, str]:
        """What entries are ordered by."""
        return self.namespace, self.name, self.uid


class RunEntry(_Entry):
    """A TrainingRun: what it asked for."""

    spec: TrainingRunSpec


class VersionEntry(_Entry):
    """A ModelVersion."""

    spec: ModelVersionSpec


class ApprovalEntry(_Entry):
    """A ModelApproval."""

    spec: ModelApprovalSpec


class DeploymentEntry(_Entry):
    """A ModelDeployment: what it asked for where a record names that intent, and what serves."""

    spec: ModelDeploymentSpec | None = None
    active_model_version: Name | None = None
    active_digest: Digest | None = None


class PolicyEntry(FileModel):
    """A ModelPolicy."""

    name: Name
    spec: ModelPolicySpec


class GonePolicy(FileModel):
    """A ModelPolicy as the newest record names it, whose content is not there any more."""

    name: Name
    digest: Digest


class GoneEntry(_Entry):
    """An object that records are about, and that is not there any more."""

    kind: Literal["TrainingRun", "ModelVersion", "ModelApproval", "Deployment"]

    @property
    def key(self) -> tuple[str, str, str]:
        """What entries are ordered by."""
        return self.kind, self.name, f"{self.namespace}/{self.uid}"


class LogPlace(FileModel):
    """How far the audit log of an export reaches."""

    seq: Annotated[int, Field(ge=1)]
    hash: Hash


class Registry(FileModel):
    """The document."""

    schema_version: Literal["hallmark.dev/export/v1"] = "hallmark.dev/export/v1"
    namespaces: LongList[str] = Field(default_factory=list)
    """What it is about; each holds something, or a record is about it."""
    log: LogPlace | None = None
    """The last record of the log; absent where the export has none."""
    policies: LongList[PolicyEntry] = Field(default_factory=list)
    runs: LongList[RunEntry] = Field(default_factory=list)
    versions: LongList[VersionEntry] = Field(default_factory=list)
    approvals: LongList[ApprovalEntry] = Field(default_factory=list)
    deployments: LongList[DeploymentEntry] = Field(default_factory=list)
    gone: LongList[GoneEntry] = Field(default_factory=list)
    gone_policies: LongList[GonePolicy] = Field(default_factory=list)

    def to_text(self) -> bytes:
        """Return the registry as it stands in the file: one text for one content."""
        text = json.dumps(self.to_wire(), indent=1, sort_keys=True, ensure_ascii=False)
        return f"{text}\n".encode()

    @property
    def entries(self) -> Sequence[_Entry]:
        """Everything that has a uid and is there."""
        return [*self.runs, *self.versions, *self.approvals, *self.deployments]


def read_registry(data: bytes | None) -> Registry | str:
    """Return the registry in a file's bytes, or a sentence on what is wrong with them.

    Args:
        data: the file's bytes; None: there is no such file.
    """
    if data is None:
        return "Expected models/registry.json as an export writes it, found none."
    try:
        document = parse_object(data, MAX_BYTES)
        if _has_a_number_beyond(document):
            return "Expected models/registry.json as an export writes it, found a larger number."
        registry = Registry.model_validate(document)
    except UnreadableJSON as error:
        return f"Expected models/registry.json as an export writes it, found {error}."
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return (
            f"Expected models/registry.json as an export writes it, found {first['type']} in "
            f"'{where}'."
        )
    return registry if registry.to_text() == data else _another_form(registry)


def _has_a_number_beyond(document: object) -> bool:
    """Tell whether a number is in a document for which canonical JSON has no form."""
    waiting: list[object] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
            return True
    return False


def _another_form(registry: Registry) -> str:
    digest = sha256_digest(registry.to_text())
    return (
        "Expected models/registry.json in the one form that its content has "
        f"({digest}), found another text of it: a field that nothing reads, or another order."
    )


# -- from objects, and back ---------------------------------------------------------------------


def run_entry(run: TrainingRun) -> RunEntry:
    """Return a run without what may change and means nothing for the result."""
    return RunEntry(**_whose(run), spec=plain_run(run.spec))


def plain_run(spec: TrainingRunSpec) -> TrainingRunSpec:
    """Return what a run asked for without ``suspend`` and ``jobTTL``."""
    return spec.replace(suspend=False, job_ttl=None)


def version_entry(version: ModelVersion) -> VersionEntry:
    """Return a version."""
    return VersionEntry(**_whose(version), spec=version.spec)


def approval_entry(approval: ModelApproval) -> ApprovalEntry:
    """Return a decision."""
    return ApprovalEntry(**_whose(approval), spec=approval.spec)


def policy_entry(policy: ModelPolicy) -> PolicyEntry:
    """Return a policy."""
    return PolicyEntry(name=policy.metadata.name, spec=policy.spec)


def deployment_entry(deployment: ModelDeployment, *, spec_is_recorded: bool) -> DeploymentEntry:
    """Return a deployment: what serves, and what it asks for if a record names that."""
    status = deployment.status
    return DeploymentEntry(
        **_whose(deployment),
        spec=plain_deployment(deployment.spec) if spec_is_recorded else None,
        active_model_version=status.active_model_version,
        active_digest=status.active_digest,
    )


def plain_deployment(spec: ModelDeploymentSpec) -> ModelDeploymentSpec:
    """Return the fields that are part of an intent."""
    asked = {key: value for key, value in spec.to_wire().items() if key in FIELDS}
    return ModelDeploymentSpec.model_validate(asked)


def run_of(entry: RunEntry) -> TrainingRun:
    """Return the run of an entry."""
    return TrainingRun(metadata=entry.meta, spec=entry.spec)


def version_of(entry: VersionEntry) -> ModelVersion:
    """Return the version of an entry."""
    return ModelVersion(metadata=entry.meta, spec=entry.spec)


def approval_of(entry: ApprovalEntry, created: str | None) -> ModelApproval:
    """Return the approval of an entry, made at a moment."""
    meta = entry.meta.replace(creation_timestamp=created)
    return ModelApproval(metadata=meta, spec=entry.spec)


def policy_of(entry: PolicyEntry) -> ModelPolicy:
    """Return the policy of an entry."""
    return ModelPolicy(metadata=ObjectMeta(name=entry.name), spec=entry.spec)


def deployment_of(entry: DeploymentEntry) -> ModelDeployment | None:
    """Return the deployment of an entry, or None where its spec is not there."""
    if entry.spec is None:
        return None
    status = ModelDeploymentStatus(
        active_model_version=entry.active_model_version, active_digest=entry.active_digest
    )
    return ModelDeployment(metadata=entry.meta, spec=entry.spec, status=status)


def _whose(obj: TrainingRun | ModelVersion | ModelApproval | ModelDeployment) -> dict[str, Any]:
    metadata = obj.metadata
    return {"namespace": metadata.namespace, "name": metadata.name, "uid": metadata.uid}


def in_order(entries: Iterable[_Entry]) -> bool:
    """Tell whether entries stand in their order, each once."""
    keys = [entry.key for entry in entries]
    return keys == sorted(set(keys))
