"""A sealed bundle verifies as a whole or not at all, with nothing but the predictor's packages."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hallmark.api.texts import sha256_digest
from hallmark.refusal import Refusal
from hallmark.supply_chain.verify import SealedManifest, verify_sealed
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.factories import KEY, NOW, OTHER_KEY, trusted

GOOD = factories.sealed(factories.manifest())
OTHER = factories.sealed(factories.manifest({"model.onnx": b"other"}))


def test_a_sealed_bundle_verifies() -> None:
    found = verify_sealed(*GOOD, [trusted()], NOW)
    assert found == SealedManifest(factories.manifest(), trusted().key_id)


@pytest.mark.parametrize(
    ("sealed", "sentence"),
    [
        pytest.param(
            (OTHER[0], GOOD[1], GOOD[2]), f"expected digest {GOOD[1]}", id="another manifest"
        ),
        pytest.param((*OTHER[:2], GOOD[2]), "exactly the manifest's files", id="another signature"),
        pytest.param(
            factories.sealed(factories.manifest(), OTHER_KEY), "not among", id="a stranger's"
        ),
        pytest.param(
            factories.sealed(factories.manifest(), KEY, "other"),
            "names the model 'other', its manifest 'credit'",
            id="another model's name",
        ),
        pytest.param(("\ud800", *GOOD[1:]), "expected digest", id="text that is no UTF-8"),
        pytest.param(("x", sha256_digest(b"x"), ""), "not JSON", id="no manifest at all"),
    ],
)
def test_it_is_refused(sealed: tuple[str, str, str], sentence: str) -> None:
    found = verify_sealed(*sealed, [trusted()], NOW)
    assert isinstance(found, Refusal)
    assert sentence in found.message


def test_the_verifying_half_needs_no_package_that_a_predictor_lacks() -> None:
    # Package metadata says what else is there; what is imported says what is needed.
    code = (
        "import sys, hallmark.supply_chain.verify\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = set(run.stdout.split())
    assert not loaded & {"obstore", "cyclonedx", "onnxruntime", "numpy", "kopf", "kubernetes"}
