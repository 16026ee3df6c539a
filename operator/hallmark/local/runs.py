"""A run without a cluster: the operator's decisions, the Jobs' own code, in this process."""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hallmark.api.artifacts import UploadURLs
from hallmark.api.common import NamespacedMeta
from hallmark.api.files import BUNDLE, MANIFEST, REFUSED_EXIT_CODE, REPORT, SLOT_SBOM, final_name
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import DEFAULT_POLICY, model_prefix, run_prefix
from hallmark.api.tasks import SealOutcome, SealTask, TrainOutcome, TrainStage, TrainTask
from hallmark.api.texts import canonical_json, sha256_digest, timestamp
from hallmark.api.training_run import TrainingRun, spec_digest
from hallmark.data.sources import Mounts
from hallmark.errors import ConfigurationError, HallmarkError
from hallmark.files import open_regular
from hallmark.local.folder import Folder
from hallmark.local.lost import SEALING_KEY
from hallmark.local.registry import LOCAL_DATA, LOCAL_IMAGE, LOCAL_RUN_ID
from hallmark.local.reviews import looked_at
from hallmark.policies.decision import Decision
from hallmark.policies.status import merge_conditions
from hallmark.policies.training_run.decide import decide_run
from hallmark.policies.training_run.inputs import (
    RunInputs,
    SealedVersion,
    SealingJob,
    TrainingJob,
    Wanted,
)
from hallmark.policies.training_run.jobs import JobView, PodView
from hallmark.policies.training_run.seal import Evidence
from hallmark.store import ArtifactMissing, Store
from hallmark.supply_chain.installed import installed_packages
from hallmark.supply_chain.sealing import seal
from hallmark.training.dataset import Announce
from hallmark.training.job import UNEXPECTED_EXIT_CODE, carry_out, describe_unexpected
from hallmark.training.outcome import Artifacts, termination_message

LOCAL_SYSTEM = "this machine"
_SMALL = 1 << 20
_STEPS = 8
"""Decisions in one run; more than any needs."""
_NUMBERED = re.compile(r"(.*?)-?v?([0-9]+)")
_LONGEST_NAME = 52


@dataclass(frozen=True)
class Ran:
    """What a run came to.

    Args:
        run: with its conditions.
        version: what it sealed, or had sealed before; None where it was refused.
        trained: whether anything was trained.
    """

    run: TrainingRun
    version: ModelVersion | None
    trained: bool

    @property
    def refusal(self) -> str:
        """Why there is no version, as a sentence; empty where there is one."""
        ready = self.run.status.condition("Ready")
        return "" if self.version is not None or ready is None else ready.message


def image_here() -> str:
    """Return what stands for the trainer's image: this interpreter's packages, by their digest."""
    return f"hallmark.dev/local@{sha256_digest(canonical_json(installed_packages()))}"


def run_here(
    folder: Folder, asked: TrainingRun, data: Path, announce: Announce, *, again: bool = False
) -> Ran:
    """Train and seal what a TrainingRun asks for, unless it is sealed already.

    Where the run's name is taken by a version of another spec or of other data, the next free
    number is taken.

    Args:
        folder: the chain, with its policy.
        asked: the run.
        data: the folder in which the dataset's file is.
        announce: told of each stage.
        again: train also where the same run is sealed.

    Raises:
        HallmarkError: the folder, or the store in it, cannot be used.
    """
    file = _dataset_digest(asked, data)
    registry = folder.read()
    sealed = None if again or file is None else _sealed_before(folder, asked, file)
    if sealed is not None:
        return sealed
    name = _free_name(asked.metadata.name, {version.metadata.name for version in registry.versions})
    now = timestamp(folder.clock())
    run = asked.replace(
        metadata=NamespacedMeta(
            name=name,
            namespace=asked.metadata.namespace,
            uid=str(uuid.uuid4()),
            generation=1,
            creation_timestamp=now,
            annotations={LOCAL_DATA: file or "", LOCAL_IMAGE: image_here()},
        )
    )
    with _uploads(folder, run.metadata.uid):
        return _Driver(folder, run, Mounts(config_map=data, volume=data), announce).drive()


def _sealed_before(folder: Folder, asked: TrainingRun, file: str) -> Ran | None:
    """Return the newest run of the same spec, data and packages that was sealed, or None."""
    registry, digest, image = folder.read(), spec_digest(asked.spec), image_here()
    for run in reversed(registry.runs):
        notes = run.metadata.annotations
        version = registry.version(run.status.model_version or "")
        same = (notes.get(LOCAL_DATA), notes.get(LOCAL_IMAGE)) == (file, image)
        if same and version is not None and version.spec.training_run.spec_digest == digest:
            return Ran(run, version, trained=False)
    return None


class _Driver:
    """Carries out what is decided about one run, until it has ended."""

    def __init__(
        self, folder: Folder, run: TrainingRun, mounts: Mounts, announce: Announce
    ) -> None:
        self._folder, self._store = folder, folder.store()
        self._mounts, self._announce = mounts, announce
        policy = folder.read().policy
        self._inputs = RunInputs(
            run=run,
            now=folder.clock(),
            system=LOCAL_SYSTEM,
            policy_name=policy.metadata.name or DEFAULT_POLICY,
            policy=policy,
            urls=UploadURLs(urls={}),
        )
        self._trained = False

    def drive(self) -> Ran:
        """Decide and carry out until the run is sealed or refused.

        Raises:
            HallmarkError: something failed; the run may be tried again.
        """
        for _ in range(_STEPS):
            found = decide_run(self._inputs)
            self._note(found.decision)
            if found.wanted is None and self._has_ended:
                break
            self._carry_out(found.wanted)
            self._inputs = replace(self._inputs, now=self._folder.clock())
        return Ran(self._inputs.run, self._inputs.version, self._trained)

    @property
    def _has_ended(self) -> bool:
        status = self._inputs.run.status
        return bool(status.completion_time) or status.is_true("Stalled")

    def _note(self, decision: Decision) -> None:
        """Record a decision, and keep the run with its new status."""
        run = self._inputs.run
        status = decision.status or run.status
        conditions = merge_conditions(
            run.status.conditions, decision.conditions, self._inputs.now, run.metadata.generation
        )
        run = run.replace(status=status.replace(conditions=conditions))
        self._inputs = replace(self._inputs, run=run)
        with self._folder.transaction() as transaction:
            transaction.commit(transaction.registry.with_run(run), decision.records)

    def _carry_out(self, wanted: Wanted | None) -> None:
        match wanted:
            case TrainingJob(task):
                self._inputs = self._train(task)
            case SealingJob(task):
                self._inputs = self._seal(task)
            case SealedVersion():
                self._inputs = replace(self._inputs, version=self._create(wanted))
            case None:
                pass

    def _train(self, task: TrainTask) -> RunInputs:
        """Do what a training Job does; its folder in the store is filled without URLs."""
        self._trained = True
        outcome, code = self._assayed(task)
        job = JobView("train", task.run_uid, task.image, False, complete=code == 0, failed=code > 0)
        pod = PodView(exit_code=code, message=termination_message(outcome).decode())
        return replace(self._inputs, job=job, pod=pod)

    def _assayed(self, task: TrainTask) -> tuple[TrainOutcome, int]:
        stage = TrainStage.SOURCE

        def announce(reached: TrainStage, percent: int, message: str) -> None:
            nonlocal stage
            stage = reached
            self._announce(reached, percent, message)

        try:
            result = carry_out(task, self._mounts, announce)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic in polars is no Exception
            sentence = describe_unexpected(error)
            return TrainOutcome(stage=stage, message=sentence), UNEXPECTED_EXIT_CODE
        if not isinstance(result, Artifacts):
            return result.outcome, REFUSED_EXIT_CODE
        for slot, content in result.files.items():
            self._store.put(run_prefix(task.run_uid) + slot, content)
        return result.outcome, 0

    def _seal(self, task: SealTask) -> RunInputs:
        """Do what a sealing Job does, and read what it left."""
        self._announce(TrainStage.DONE, 96, "Sealing: hashing, checking, signing.")
        try:
            now = self._folder.clock()
            outcome = seal(
                task,
                self._store,
                lambda: self._folder.key(SEALING_KEY),
                now,
                partial(self._folder.feed.about, now=now),
            )
            code = 0 if outcome.sealed else REFUSED_EXIT_CODE
        except HallmarkError as error:
            outcome, code = SealOutcome(sealed=False, message=str(error)[:1000]), 1
        job = JobView("seal", task.run_uid, "", False, complete=code == 0, failed=code > 0)
        return replace(
            self._inputs,
            seal_job=job,
            seal_pod=PodView(exit_code=code, message=outcome.to_bytes().decode()),
            evidence=self._evidence(task) if outcome.sealed else None,
        )

    def _evidence(self, task: SealTask) -> Evidence:
        prefix = model_prefix(task.namespace, task.model, task.manifest_digest)
        manifest, bundle = (_text(self._store, prefix + name) for name in (MANIFEST, BUNDLE))
        return Evidence(manifest, bundle, small_file(self._store, prefix + REPORT))

    def _create(self, wanted: SealedVersion) -> ModelVersion:
        """Make the ModelVersion, with what a reader looks for beside the registry."""
        manifest = wanted.seal.manifest
        run = self._inputs.run
        folder = model_prefix(
            run.metadata.namespace, run.spec.model, run.status.manifest_digest or ""
        )
        self._lay_out(folder, manifest.run_id)
        with self._folder.transaction() as transaction:
            registry = transaction.registry
            spec = wanted.spec(registry.next_number(run.spec.model))
            version = ModelVersion(
                metadata=NamespacedMeta(
                    name=run.metadata.name,
                    namespace=run.metadata.namespace,
                    uid=str(uuid.uuid4()),
                    generation=1,
                    creation_timestamp=timestamp(self._folder.clock()),
                    annotations={LOCAL_RUN_ID: manifest.run_id},
                ),
                # Relative, so that the folder may be moved.
                spec=spec.replace(artifact=spec.artifact.replace(uri=folder.rstrip("/"))),
            )
            if registry.version(version.metadata.name) is not None:
                raise ConfigurationError(
                    f"Another run made {version.metadata.name} meanwhile; run this again."
                )
            version, records = looked_at(self._folder, registry, version)
            transaction.commit(registry.with_version(version), records)
        return version

    def _lay_out(self, folder: str, run_id: str) -> None:
        """Put the estimator and the SBOM where an export has them."""
        sealed = self._folder.path / folder
        joblib = f"model_{run_id}.joblib"
        _copy(sealed / joblib, self._folder.path / "models" / joblib)
        sbom = self._folder.path / "sbom" / f"sbom_{run_id}.json"
        _copy(sealed / final_name(SLOT_SBOM, run_id), sbom)


def small_file(store: Store, path: str, limit: int = _SMALL) -> bytes | None:
    """Return the bytes of an object of at most ``limit`` bytes, or None where there is none.

    Raises:
        ArtifactError: it cannot be read, or is larger.
    """
    try:
        return store.get(path, limit=limit)
    except ArtifactMissing:
        return None


def _text(store: Store, path: str) -> str | None:
    data = small_file(store, path)
    return None if data is None else data.decode(errors="replace")


def _copy(source: Path, target: Path) -> None:
    """Copy a file whole or not at all."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.copyfile(source, partial)
    partial.replace(target)


@contextmanager
def _uploads(folder: Folder, uid: str) -> Iterator[None]:
    """Have a run's uploads removed at its end, and those of runs that were killed."""
    runs = folder.path / "runs"
    for left in runs.iterdir() if runs.exists() else ():
        if not folder.is_locked(f"run-{left.name}"):
            _remove(folder, left.name)
    try:
        with folder.lock(f"run-{uid}", 0):
            (runs / uid).mkdir(parents=True, exist_ok=True)
            yield
    finally:
        _remove(folder, uid)


def _remove(folder: Folder, uid: str) -> None:
    shutil.rmtree(folder.path / "runs" / uid, ignore_errors=True)
    (folder.path / f".run-{uid}").unlink(missing_ok=True)
    with suppress(OSError):
        (folder.path / "runs").rmdir()


def _dataset_digest(run: TrainingRun, data: Path) -> str | None:
    """Return the SHA-256 (hex) of the dataset where it is on this machine, else None."""
    dataset = run.spec.dataset
    if dataset is None or dataset.uri is not None:
        return None
    if dataset.records is not None:
        return hashlib.sha256(dataset.records.encode()).hexdigest()
    named = dataset.config_map.key if dataset.config_map else None
    named = dataset.volume_claim.path if dataset.volume_claim else named
    try:
        with open_regular(data / (named or "")) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None  # The Job's own code says what is wrong with it.


def _free_name(asked: str, taken: set[str]) -> str:
    """Return the name, or the same with the next free number."""
    if asked not in taken:
        return asked
    numbered = _NUMBERED.fullmatch(asked)
    stem, number = (numbered[1], int(numbered[2])) if numbered else (asked, 1)
    while True:
        number += 1
        suffix = f"-v{number}"
        name = f"{(stem or 'v')[: _LONGEST_NAME - len(suffix)].rstrip('-')}{suffix}"
        if name not in taken:
            return name
