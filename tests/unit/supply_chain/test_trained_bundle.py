"""What the training Job really makes is what the sealing Job accepts."""

from __future__ import annotations

import io

import polars as pl
import pytest

from hallmark.api.artifacts import Manifest
from hallmark.api.dependencies import Dependencies
from hallmark.api.files import BUNDLE, MANIFEST, SCHEMA
from hallmark.api.names import model_prefix, run_prefix
from hallmark.api.served import ServedSchema
from hallmark.api.tasks import SealOutcome, SealTask
from hallmark.api.texts import sha256_digest
from hallmark.api.trainer import Algorithm
from hallmark.store import Store, open_store
from hallmark.supply_chain.sealing import seal
from hallmark.supply_chain.verify import SealedManifest, verify_sealed
from hallmark.training.outcome import Artifacts
from tests.unit.supply_chain.factories import KEY, NOW, trusted
from tests.unit.training import factories as training
from tests.unit.training.fits import small


def sealed(store: Store, made: Artifacts, denied: list[str]) -> SealOutcome:
    data = made.files[MANIFEST]
    manifest = Manifest.model_validate_json(data)
    for slot, each in made.files.items():
        store.put(run_prefix("uid") + slot, each)
    task = SealTask(
        namespace=manifest.namespace,
        model=manifest.model,
        run_name="run-1",
        run_uid="uid",
        manifest_digest=sha256_digest(data),
        spec_digest=manifest.spec_digest,
        dataset_fingerprint=manifest.dataset_fingerprint,
        dependencies=Dependencies(denied=denied),
        store_uri=store.uri,
        store_region="us-east-1",
    )
    return seal(task, store, lambda: KEY, NOW)


def test_a_trained_model_of_every_feature_type_is_sealed() -> None:
    made = training.run(training.mixed_spec(), training.mixed_parquet())
    assert isinstance(made, Artifacts)
    store = open_store("memory://")
    outcome = sealed(store, made, ["torch"])
    assert outcome.sealed, outcome.message
    manifest = Manifest.model_validate_json(made.files[MANIFEST])
    digest = sha256_digest(made.files[MANIFEST])
    folder = model_prefix(manifest.namespace, manifest.model, digest)
    bundle = store.get(folder + BUNDLE).decode()
    text = store.get(folder + MANIFEST).decode()
    found = verify_sealed(text, digest, bundle, [trusted()], NOW)
    assert found == SealedManifest(manifest, trusted().key_id)
    refused = sealed(open_store("memory://"), made, ["scikit-learn"])
    assert "no package 'scikit-learn'" in refused.message


@pytest.mark.parametrize("classes", ["two that are peers", "three"])
@pytest.mark.parametrize("algorithm", Algorithm)
def test_every_algorithms_model_is_sealed(algorithm: Algorithm, classes: str) -> None:
    rows = training.mixed_rows()
    if classes == "three":
        third = pl.when(pl.col("amount") > 60).then(pl.lit("maybe")).otherwise(pl.col("label"))
        rows = rows.with_columns(label=third)
    data = io.BytesIO()
    rows.write_parquet(data)
    spec = training.mixed_spec(
        trainer=small(algorithm).to_wire(), evaluation={"resamples": 100}, gates=[]
    )
    spec["schema"] |= {"target": {"name": "label"}, "sensitive": []}
    made = training.run(spec, data.getvalue())
    assert isinstance(made, Artifacts), made.outcome.message
    schema = ServedSchema.model_validate_json(made.files[SCHEMA])
    assert schema.positive is None
    assert schema.classes == (["maybe"] if classes == "three" else []) + ["no", "yes"]
    outcome = sealed(open_store("memory://"), made, [])
    assert outcome.sealed, outcome.message
