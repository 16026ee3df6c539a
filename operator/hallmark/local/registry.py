"""``models/registry.json``: all objects of a folder, and in short what they say. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from hallmark.api.common import ApiModel, FileModel, LongList, NamespacedResource
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment, ModelDeploymentStatus
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.api.training_run import TrainingRun
from hallmark.audit.head import Head
from hallmark.errors import IntegrityError

MAX_BYTES = 256 << 20
"""The longest registry that is read."""
KEPT_RUNS = 20
"""How many runs are remembered; what they made stays."""
LOCAL_RUN_ID = "hallmark.dev/run-id"
"""On a ModelVersion here: the run id, which names its files in ``models/`` and ``sbom/``."""
LOCAL_DATA = "hallmark.dev/data-sha256"
"""On a TrainingRun here: the SHA-256 (hex) of the dataset's file."""
LOCAL_IMAGE = "hallmark.dev/image"
"""On a TrainingRun here: what stands for the trainer's image."""

Object = TypeVar("Object", bound=NamespacedResource)


class VersionEntry(ApiModel):
    """A version in short."""

    name: str
    version: int
    run_id: str
    approved: bool = False
    denied: bool = False
    revoked: bool = False
    manifest_digest: str
    signed_by: str | None = None
    """The id of the key whose signature over the manifest holds."""
    artifact: str
    """The bundle's folder."""
    model: str
    """The estimator's file, for data scientists."""
    sbom: str
    report: str


class ModelEntry(ApiModel):
    """A model in short."""

    active: str | None = None
    """The version that serves."""
    stable: str | None = None
    """The version that a rollback would go to, or that serves."""
    versions: LongList[VersionEntry] = Field(default_factory=list)


class Registry(FileModel):
    """The whole state of a folder: objects as they would stand in a cluster."""

    schema_version: Literal["hallmark.dev/registry/v1"] = "hallmark.dev/registry/v1"
    models: dict[str, ModelEntry] = Field(default_factory=dict)
    """For readers: made of what follows at each write, and never read."""
    policy: ModelPolicy
    audit: Head | None = None
    """How far the audit log reached: kept beside it, so that a log that was cut is found."""
    highest: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """The highest version number that each model has had."""
    runs: LongList[TrainingRun] = Field(default_factory=list)
    versions: LongList[ModelVersion] = Field(default_factory=list)
    approvals: LongList[ModelApproval] = Field(default_factory=list)
    deployments: LongList[ModelDeployment] = Field(default_factory=list)

    def version(self, name: str) -> ModelVersion | None:
        """Return the version of that name, or None."""
        return _named(self.versions, name)

    def deployment(self, name: str) -> ModelDeployment | None:
        """Return the deployment of that name, or None."""
        return _named(self.deployments, name)

    def run(self, name: str) -> TrainingRun | None:
        """Return the newest run of that name, or None."""
        return _named(self.runs, name)

    def with_run(self, run: TrainingRun) -> Registry:
        """Return the registry with a run in it, newest last."""
        others = [other for other in self.runs if other.metadata.uid != run.metadata.uid]
        return self.replace(runs=[*others, run][-KEPT_RUNS:])

    def with_version(self, version: ModelVersion) -> Registry:
        """Return the registry with a version, new or in the place of its former state."""
        highest = max(version.spec.version, self.highest.get(version.spec.model, 0))
        return self.replace(
            versions=_with(self.versions, version),
            highest={**self.highest, version.spec.model: highest},
        )

    def with_approval(self, approval: ModelApproval) -> Registry:
        """Return the registry with a decision in it."""
        return self.replace(approvals=_with(self.approvals, approval))

    def with_deployment(self, deployment: ModelDeployment) -> Registry:
        """Return the registry with a deployment, new or in the place of its former state."""
        return self.replace(deployments=_with(self.deployments, deployment))

    def approvals_of(self, version: str) -> tuple[ModelApproval, ...]:
        """Return every decision on a version."""
        return tuple(
            approval for approval in self.approvals if approval.spec.model_version.name == version
        )

    def next_number(self, model: str) -> int:
        """Return a number that no version of the model has had."""
        return 1 + self.highest.get(model, 0)

    def to_text(self) -> bytes:
        """Return the registry as it stands in the file, its summary made anew."""
        summed = self.replace(models=dict(_summary(self)))
        return (json.dumps(summed.to_wire(), indent=2, ensure_ascii=False) + "\n").encode()


def read_registry(data: bytes, where: str) -> Registry:
    """Return the registry in a file's bytes.

    Raises:
        IntegrityError: it is none.
    """
    try:
        return Registry.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise IntegrityError(
            f"{where} is not a registry as this version writes it ({place}: {first['msg']}). "
            "Restore it, or move the folder away and begin a new one."
        ) from error


def _summary(registry: Registry) -> Iterator[tuple[str, ModelEntry]]:
    for model in sorted({version.spec.model for version in registry.versions}):
        serving = registry.deployment(model)
        status = serving.status if serving else ModelDeploymentStatus()
        yield (
            model,
            ModelEntry(
                active=status.active_model_version,
                stable=status.stable_model_version,
                versions=[
                    _entry(version) for version in registry.versions if version.spec.model == model
                ],
            ),
        )


def _entry(version: ModelVersion) -> VersionEntry:
    run_id = version.metadata.annotations.get(LOCAL_RUN_ID, "")
    return VersionEntry(
        name=version.metadata.name,
        version=version.spec.version,
        run_id=run_id,
        approved=version.status.is_true(VersionCondition.APPROVED),
        denied=version.status.is_true(VersionCondition.DENIED),
        revoked=version.status.is_true(VersionCondition.REVOKED),
        manifest_digest=version.spec.artifact.manifest_digest,
        signed_by=version.status.key_id,
        artifact=version.spec.artifact.uri,
        model=f"models/model_{run_id}.joblib",
        sbom=f"sbom/sbom_{run_id}.json",
        report=f"{version.spec.artifact.uri}/report.html",
    )


def _named(objects: list[Object], name: str) -> Object | None:
    return next((found for found in reversed(objects) if found.metadata.name == name), None)


def _with(objects: list[Object], changed: Object) -> list[Object]:
    uid = changed.metadata.uid
    if any(found.metadata.uid == uid for found in objects):
        return [changed if found.metadata.uid == uid else found for found in objects]
    return [*objects, changed]
