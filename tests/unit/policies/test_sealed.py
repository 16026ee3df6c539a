"""A signed manifest against who names what it fixes: each fact, each place."""

from __future__ import annotations

import asyncio
import json
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.artifacts import Manifest
from hallmark.api.common import FileModel
from hallmark.api.files import MANIFEST
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import model_prefix
from hallmark.api.report import Report
from hallmark.api.served import Baseline
from hallmark.api.texts import sha256_digest
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.stores import Stores
from hallmark.policies.model_version.checks import verify
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.policies.sealed import (
    FACTS,
    Facts,
    contradiction,
    facts_of_manifest,
    facts_of_version,
    read_baseline,
    read_document,
    read_report,
    version_contradiction,
)
from hallmark.policies.training_run.seal import TITLES, Seal, verify_claim
from hallmark.refusal import Refusal
from hallmark.store import open_store
from tests.unit.policies.training_run.runs import (
    BASELINE,
    MODEL,
    NAMESPACE,
    NOW,
    SBOM,
    bundle,
    claim,
    policy,
    run,
    trained,
    version,
)

OTHER = "sha256:" + "9" * 64
MANIFESTS = bundle().manifest


def other(fact: str) -> ModelVersion:
    """Return the sealed version with another value for a fact."""
    made = version()
    match fact:
        case "namespace":
            return made.replace(metadata=made.metadata.replace(namespace="thief"))
        case "model":
            return made.replace(spec=made.spec.replace(model="other"))
        case "spec_digest":
            origin = made.spec.training_run.replace(spec_digest=OTHER)
            return made.replace(spec=made.spec.replace(training_run=origin))
        case _:
            return made.replace(spec=made.spec.replace(**{fact: OTHER}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a store in which the bundle lies, under both namespaces and models of the tests."""
    for namespace, model in ((NAMESPACE, MODEL), ("thief", MODEL), (NAMESPACE, "other")):
        place = tmp_path / model_prefix(namespace, model, bundle().digest)
        place.mkdir(parents=True)
        (place / MANIFEST).write_bytes(MANIFESTS.to_bytes())
        (place / "report.json").write_bytes(bundle().report)
        (place / "baseline.json").write_bytes(BASELINE)
        (place / f"sbom_{MANIFESTS.run_id}.cdx.json").write_bytes(SBOM)
    return tmp_path


class FolderStores(Stores):
    """Opens a folder, whatever the policy names."""

    def open(self, spec: object) -> Any:  # noqa: ANN401 - a store
        """Return the folder's store."""
        return open_store(f"file://{self._credentials}")


def verified_bytes(folder: Path, made: ModelVersion, now: datetime = NOW) -> str:
    """Return why the bundle is refused for a version; empty where it is not."""
    found = asyncio.run(Bundles(FolderStores(folder)).verify(made, policy().spec, now))
    return found.refusal.message if found.refusal else ""


def test_every_fact_has_a_name_and_a_title() -> None:
    assert list(FACTS) == list(TITLES) == [fact.name for fact in fields(Facts)]


def test_what_was_sealed_agrees_everywhere(folder: Path) -> None:
    assert facts_of_version(version()) == facts_of_manifest(MANIFESTS)
    assert version_contradiction(version(), MANIFESTS) is None
    assert verified_bytes(folder, version()) == ""
    assert isinstance(verify_claim(claim()), Seal)


@pytest.mark.parametrize("fact", FACTS)
def test_no_version_may_name_another_fact_than_was_signed(fact: str, folder: Path) -> None:
    made = other(fact)
    said = f"Expected '{FACTS[fact]}' {getattr(facts_of_manifest(MANIFESTS), fact)}"
    assert (version_contradiction(made, MANIFESTS) or "").startswith(said)
    assert verified_bytes(folder, made, NOW + timedelta(hours=1)).startswith(said)
    asked = VersionInputs(made, NOW, "default", policy(), bundle().evidence.manifest)
    found = verify(asked)
    assert isinstance(found, Refusal)
    assert found.message.startswith(said)


@pytest.mark.parametrize("fact", FACTS)
def test_no_seal_may_be_of_another_fact(fact: str) -> None:
    honest = claim()
    match fact:
        case "namespace":
            metadata = trained().metadata.replace(namespace="thief")
            made = replace(honest, run=trained().replace(metadata=metadata))
        case "model" | "spec_digest":
            spec = run(model="other").spec if fact == "model" else run(trainer={"seed": 9}).spec
            made = replace(honest, run=trained().replace(spec=spec))
        case "dataset_fingerprint":
            made = replace(honest, run=trained(datasetFingerprint=OTHER))
        case _:
            made = replace(honest, outcome=honest.outcome.replace(**{fact: OTHER}))
    found = verify_claim(made)
    assert isinstance(found, Refusal)
    assert found.message.startswith(f"Expected the {TITLES[fact]} ")


@pytest.mark.parametrize("fact", FACTS)
def test_what_nobody_knows_agrees_with_nothing(fact: str) -> None:
    named = replace(facts_of_manifest(MANIFESTS), **{fact: None})
    found = contradiction(named, MANIFESTS)
    assert found is not None
    assert (found.fact, found.named) == (fact, None)


def test_what_neither_side_knows_is_no_agreement() -> None:
    bare = MANIFESTS.replace(
        files=[file for file in MANIFESTS.files if not file.name.startswith("sbom")]
    )
    found = contradiction(facts_of_manifest(bare), bare)
    assert found is not None
    assert (found.fact, found.named, found.signed) == ("sbom_digest", None, None)


@pytest.mark.parametrize("kind", [Manifest, Report, Baseline])
def test_a_sealed_document_in_which_a_member_is_there_twice_is_none(kind: type[FileModel]) -> None:
    """Of two readers one could take the first and one the last: whoever sealed it."""
    whole = {
        Manifest: MANIFESTS.to_bytes(),
        Report: bundle().report,
        Baseline: BASELINE,
    }[kind]
    assert read_document(kind, whole).to_wire() == json.loads(whole)
    first = whole.index(b'"')
    name, _, rest = whole[first:].partition(b":")
    twice = whole[:first] + name + b":null," + name + b":" + rest
    assert json.loads(twice) == json.loads(whole)
    with pytest.raises(ValueError, match="twice"):
        read_document(kind, twice)
    assert read_baseline(twice, sha256_digest(twice)) is None


def test_a_report_of_other_bytes_is_not_read() -> None:
    assert not isinstance(read_report(MANIFESTS, bundle().report), str)
    assert "report.json" in str(read_report(MANIFESTS, bundle().report + b" "))
