"""The demo's model: its bill of materials, and the sealing of what training uploads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from hallmark.api.artifacts import Manifest
from hallmark.api.dependencies import Dependencies
from hallmark.api.files import MANIFEST, REPORT, SLOT_SBOM
from hallmark.api.model_card import ModelCard
from hallmark.api.names import run_prefix
from hallmark.api.report import Report
from hallmark.api.tasks import SealTask
from hallmark.api.texts import sha256_digest
from hallmark.local.folder import now
from hallmark.store import open_store
from hallmark.supply_chain.installed import installed_libraries
from hallmark.supply_chain.sbom_making import build_sbom, parts_here
from hallmark.supply_chain.sealing import seal
from hallmark.training.outcome import Artifacts
from tests.bench.figures import Figure, figure
from tests.data.hmda import hmda_csv, hmda_spec
from tests.unit.supply_chain.factories import KEY
from tests.unit.training import factories

ROUNDS = 5


def demo_model(path: Path) -> Iterator[Figure]:
    """Yield how long SBOM and sealing take together, in a folder as the store."""
    made = factories.run(hmda_spec(with_protected=False), hmda_csv())
    assert isinstance(made, Artifacts)
    times = []
    for number in range(ROUNDS):
        start = time.perf_counter()
        _bill_of_materials(made)
        _seal(made, path / f"sealed-{number}")
        times.append(time.perf_counter() - start)
    yield figure("SBOM and sealing of the demo's model", times, "s", at_most=2)


def _bill_of_materials(made: Artifacts) -> None:
    """Read the packages and render the SBOM once more; it is the one that was uploaded."""
    installed_libraries.cache_clear()
    parts_here.cache_clear()
    report = Report.model_validate_json(made.files[REPORT])
    manifest = Manifest.model_validate_json(made.files[MANIFEST])
    sealed = {file.name: file.digest for file in manifest.files}
    built = build_sbom(
        model=manifest.model,
        run_id=manifest.run_id,
        parts=parts_here(),
        fingerprint=manifest.dataset_fingerprint,
        report=report,
        card=ModelCard(),
        files={name: digest for name, digest in sealed.items() if _is_described(name)},
    )
    assert built == made.files[SLOT_SBOM]


def _is_described(name: str) -> bool:
    """Whether a file was there when the SBOM was made."""
    return name != "Dockerfile" and not name.startswith("sbom_")


def _seal(made: Artifacts, path: Path) -> None:
    path.mkdir()
    store = open_store(f"file://{path.resolve()}")
    for slot, content in made.files.items():
        store.put(run_prefix("uid") + slot, content)
    data = made.files[MANIFEST]
    manifest = Manifest.model_validate_json(data)
    task = SealTask(
        namespace=manifest.namespace,
        model=manifest.model,
        run_name="run-1",
        run_uid="uid",
        manifest_digest=sha256_digest(data),
        spec_digest=manifest.spec_digest,
        dataset_fingerprint=manifest.dataset_fingerprint,
        dependencies=Dependencies(denied=["torch"]),
        store_uri=store.uri,
        store_region="us-east-1",
    )
    outcome = seal(task, store, lambda: KEY, now())
    assert outcome.sealed, outcome.message
