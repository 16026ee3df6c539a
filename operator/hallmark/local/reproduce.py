"""A sealed version trained again on this machine, by the training Job's own code."""

from __future__ import annotations

import platform
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

from hallmark.api.dataset import Dataset
from hallmark.api.model_policy import ModelPolicySpec, Sources
from hallmark.api.pii import PIIAction
from hallmark.api.tasks import TrainStage, TrainTask
from hallmark.data.sources import Mounts
from hallmark.errors import ConfigurationError
from hallmark.files import open_regular
from hallmark.supply_chain.installed import installed_packages
from hallmark.training.assay import assay
from hallmark.training.dataset import Announce
from hallmark.training.job import carry_out, describe_unexpected
from hallmark.training.outcome import Artifacts, RefusedRun
from hallmark.verification.reproduced import Reproduction, compare
from hallmark.verification.sealed import Sealed


@dataclass(frozen=True)
class Rows:
    """Where the rows are.

    Args:
        path: a file with them, or a folder in which the run's own path leads to it; None: inline,
            or at the URL that the run names.
        content: a file's bytes instead of a path.
        policy: whose sources may be asked for a URL, and whether whose report quotes numbers; None:
            no URL is opened, and no number quoted.
    """

    path: Path | None = None
    content: bytes | None = None
    policy: ModelPolicySpec | None = None

    @property
    def sources(self) -> Sources:
        """What may be asked for a URL."""
        return self.policy.sources if self.policy else Sources()


def with_data(rows: Rows, path: Path | None) -> Rows:
    """Return the rows at a path that somebody names, or as they were."""
    return replace(rows, path=path, content=None) if path is not None else rows


def reproduce(sealed: Sealed, rows: Rows, announce: Announce) -> Reproduction:
    """Return how what is trained here, from the same rows, stands to what was sealed.

    Args:
        sealed: the version.
        rows: where its rows are.
        announce: told of each stage.

    Raises:
        ConfigurationError: the rows are not there or are others, or training refused them.
    """
    task = _task(sealed, rows)
    try:
        result = _trained(task, rows, announce)
    except (KeyboardInterrupt, SystemExit, ConfigurationError):
        raise
    except BaseException as error:  # a panic in polars is no Exception
        raise ConfigurationError(describe_unexpected(error)) from error
    name = sealed.version.metadata.name
    if isinstance(result, RefusedRun):
        raise ConfigurationError(_refusal(name, result, sealed.manifest.dataset_fingerprint))
    announce(TrainStage.DONE, 95, "Comparing.")
    return replace(compare(sealed, result.files, installed_packages()), here=machine())


def _task(sealed: Sealed, rows: Rows) -> TrainTask:
    """Return the training Job's task of then: with the sealed image, floors and fingerprint."""
    metadata, spec, manifest = sealed.run.metadata, sealed.run.spec, sealed.manifest
    fingerprint = manifest.dataset_fingerprint
    dataset = spec.dataset.replace(fingerprint=fingerprint) if spec.dataset else None
    return TrainTask(
        namespace=metadata.namespace,
        run_name=metadata.name,
        run_uid=metadata.uid,
        spec=spec.replace(dataset=dataset),
        spec_digest=manifest.spec_digest,
        floors=sealed.floors,
        allowed_pii_actions=list(PIIAction),
        quote_numbers=bool(rows.policy and rows.policy.pii.quote_numbers),
        allowed_sources=rows.sources.allowed,
        allow_private_addresses=rows.sources.allow_private_addresses,
        source_endpoint=rows.sources.endpoint,
        read_limits=rows.sources.limits,
        image=f"{sealed.version.spec.model}@{manifest.image_digest}",
    )


def _trained(task: TrainTask, rows: Rows, announce: Announce) -> RefusedRun | Artifacts:
    if rows.content is not None:
        return assay(task, rows.content, announce)
    if rows.path is not None and not rows.path.is_dir():
        with _opened(rows.path) as file:
            return assay(task, file, announce)
    dataset = task.spec.dataset
    if rows.path is None and dataset is not None and dataset.records is None:
        _require_url(dataset, rows.policy)
    mounts = Mounts(config_map=rows.path, volume=rows.path) if rows.path else Mounts()
    return carry_out(task, mounts, announce)


def _opened(path: Path) -> BinaryIO:
    try:
        return open_regular(path)
    except OSError as error:
        raise ConfigurationError(
            f"--data: expected a file or folder {path}, found none that can be read "
            f"({error.strerror})."
        ) from error


def _require_url(dataset: Dataset, policy: ModelPolicySpec | None) -> None:
    """Refuse what needs a file: a mount, or a URL that only a stranger's export names."""
    if dataset.uri is not None and policy is not None:
        return
    where = "at the address that its TrainingRun names"
    if dataset.config_map is not None:
        source = dataset.config_map
        where = f"not here: the run read '{source.key}' of the ConfigMap '{source.name}'"
    elif dataset.volume_claim is not None:
        where = f"on the volume of the claim '{dataset.volume_claim.claim_name}'"
    raise ConfigurationError(
        f"The rows are {where}; fetch them, and name the file with --data. What is sealed holds no "
        "rows."
    )


def _refusal(name: str, refused: RefusedRun, fingerprint: str) -> str:
    outcome = refused.outcome
    if outcome.stage is TrainStage.FINGERPRINT:
        return (
            f"These are not the rows of {name}: expected the fingerprint {fingerprint}, found "
            f"{outcome.fingerprint}. Give the dataset as it was, with --data."
        )
    return f"{name} cannot be reproduced here ({outcome.stage}): {outcome.message}"


def machine() -> dict[str, str]:
    """Return what no bundle records, and what may round otherwise: Python and the processor."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    kernels = {info.get("architecture") for info in threadpool_info()} - {None}
    if kernels:
        found["kernels"] = ", ".join(sorted(kernels))
    with suppress(KeyError, TypeError, AttributeError):
        simd = np.show_config(mode="dicts")["SIMD Extensions"]
        found["simd"] = str(simd["found"][-1])
    return found
