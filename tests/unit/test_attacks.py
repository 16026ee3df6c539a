"""Attacks that cross several parts, performed; docs/threat-model.md says where the others are."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hallmark.api.files import MODEL_ONNX, SERVED_FILES, SLOT_JOBLIB
from hallmark.api.model_policy import ApproverKey
from hallmark.errors import ArtifactError
from hallmark.local.begin import begin
from hallmark.local.runs import run_here
from hallmark.policies.model_version.approvals import record_of
from hallmark.store import open_store
from hallmark.supply_chain.sealing import seal
from hallmark.supply_chain.verify import SealedManifest, verify_sealed
from hallmark_predictor.loader import load
from hallmark_predictor.model import Model
from hallmark_predictor.verification import Refused
from tests import chains
from tests.unit.policies.model_version.ballots import RITA, approval, ballot
from tests.unit.predictor.factories import NOW, sealed, served_files, write_settings
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.factories import KEY, OTHER_KEY, trusted
from tests.unit.supply_chain.uploads import task, upload


class Pickled:
    """Runs a command in whoever unpickles it."""

    def __init__(self, canary: Path) -> None:
        """Let it make a file."""
        self._command = f"touch {canary}"

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Return what is called."""
        return os.system, (self._command,)


def test_the_pickle_of_the_attack_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Pickled(tmp_path / "canary")))  # noqa: S301 - the attack itself
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize("slot", [SLOT_JOBLIB, MODEL_ONNX])
def test_a_pickle_that_runs_code_is_never_opened_where_it_is_sealed(
    slot: str, tmp_path: Path
) -> None:
    hostile = upload({slot: pickle.dumps(Pickled(tmp_path / "canary"))})
    store = open_store("memory://")
    hostile.put(store)
    outcome = seal(task(hostile), store, lambda: KEY, factories.NOW)
    # Nobody loads the joblib file, so that it may hold anything; what is served may not.
    assert outcome.sealed == (slot == SLOT_JOBLIB), outcome.message
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", SERVED_FILES)
def test_a_pickle_that_runs_code_is_never_opened_where_it_is_served(
    name: str, tmp_path: Path
) -> None:
    """The trusted key sealed it and a reviewer approved it: only that nobody unpickles is left."""
    files = {**served_files(), name: pickle.dumps(Pickled(tmp_path / "canary"))}
    whole = sealed(files=files)
    settings = write_settings(tmp_path, whole.trust, {}, load_seconds=0)
    (tmp_path / "bundle").mkdir()
    for served, data in files.items():
        (tmp_path / "bundle" / served).write_bytes(data)
    assert isinstance(load(settings, NOW), Refused)
    assert not (tmp_path / "canary").exists()


@contextmanager
def swapped(path: Path, other: Path) -> Iterator[None]:
    """Put one or the other of two files at a path, as quickly as can be."""
    ends = threading.Event()

    def swap() -> None:
        between = path.with_suffix(".between")
        while not ends.is_set():
            path.rename(between)
            other.rename(path)
            path.rename(other)
            between.rename(path)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def test_files_that_are_swapped_while_they_are_read_are_never_served(tmp_path: Path) -> None:
    whole = sealed()
    settings = write_settings(tmp_path, whole.trust, {}, load_seconds=0)
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name, data in whole.files.items():
        (folder / name).write_bytes(data)
    evil = tmp_path / "evil"
    data = whole.files[MODEL_ONNX]
    evil.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    served = 0
    with swapped(folder / MODEL_ONNX, evil):
        for _ in range(20):
            try:
                found = load(settings, NOW)
            except ArtifactError:
                continue
            assert isinstance(found, Model)
            served += 1
    assert isinstance(load(settings, NOW), Model), f"served {served} of 20 times meanwhile"


def test_an_approvers_stolen_key_seals_nothing() -> None:
    text, digest, bundle = factories.sealed(factories.manifest(), key=OTHER_KEY)
    found = verify_sealed(text, digest, bundle, [trusted(KEY)], factories.NOW)
    assert not isinstance(found, SealedManifest)


def test_the_stolen_sealing_key_approves_nothing() -> None:
    rita = ApproverKey.model_validate({**trusted(KEY).to_wire(), "approver": "rita"})
    signed_with_the_sealers = approval(attested=True)
    for keys, accepted in (([RITA], True), ([rita], False), ([], False)):
        record = record_of(ballot(approval=signed_with_the_sealers, keys=keys))
        assert record.accepted == accepted
        assert accepted or record.reason == "AttestationInvalid"


def test_labels_that_were_flipped_fail_the_gate(tmp_path: Path) -> None:
    """Half of the labels lie: what is learned from them measures badly on the rest of them."""
    honest = chains.run("loan-v1", gate="0.8")
    header, *rows = chains.records().splitlines()
    other = {"yes": "no", "no": "yes"}
    lies = [
        f"{row.rpartition(',')[0]},{other[row.rpartition(',')[2]]}" if number % 2 else row
        for number, row in enumerate(rows)
    ]
    poisoned = honest.replace(
        spec=honest.spec.replace(
            dataset=honest.spec.dataset.replace(records="\n".join([header, *lies]) + "\n")
        )
    )
    folder = begin(tmp_path, honest, None)
    assert run_here(folder, honest, tmp_path, lambda *_: None).version is not None
    ran = run_here(folder, poisoned, tmp_path, lambda *_: None)
    assert ran.version is None
    assert "accuracy" in ran.refusal
