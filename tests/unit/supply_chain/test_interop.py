"""Signatures are exchanged with the model-signing package, the reference implementation."""

from __future__ import annotations

from pathlib import Path

import model_signing.signing
import model_signing.verifying
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hallmark.api.files import BUNDLE, MANIFEST
from hallmark.keys import public_pem
from hallmark.supply_chain.signing import VerifiedSignature, verify_bundle
from hallmark.supply_chain.verify import signed_resources
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.factories import FILES, KEY, MODEL, NOW, trusted

TEXT, DIGEST, SIGNED = factories.sealed(factories.manifest())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed folder as it stands in the store: named like the model, provenance beside it."""
    folder = tmp_path / MODEL
    (folder / "provenance").mkdir(parents=True)
    (folder / "provenance" / "uid.json").write_text("{}")
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST).write_text(TEXT)
    (folder / BUNDLE).write_text(SIGNED)
    (tmp_path / "public.pem").write_text(public_pem(KEY.public_key()))
    return folder


def reference_verify(folder: Path) -> None:
    config = model_signing.verifying.Config().use_elliptic_key_verifier(
        public_key=folder.parent / "public.pem"
    )
    config.verify(folder, folder / BUNDLE)


def test_the_reference_verifies_what_we_signed(folder: Path) -> None:
    reference_verify(folder)


def test_the_reference_finds_a_flipped_byte_in_what_we_signed(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"onnX")
    with pytest.raises(ValueError, match=r"Hash mismatch for 'model\.onnx'"):
        reference_verify(folder)


def test_the_reference_refuses_our_signature_under_another_key(folder: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    (folder.parent / "public.pem").write_text(public_pem(other))
    with pytest.raises(ValueError, match="Key mismatch"):
        reference_verify(folder)


def test_we_verify_what_the_reference_signed(folder: Path) -> None:
    key = folder.parent / "private.pem"
    key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    signature = folder.parent / "theirs.json"
    hashing = model_signing.hashing.Config().set_ignored_paths(
        paths=[folder / BUNDLE, folder / "provenance"]
    )
    model_signing.signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(
        hashing
    ).sign(folder, signature)
    resources = signed_resources(factories.manifest(), DIGEST)
    found = verify_bundle(signature.read_text(), [trusted()], resources, NOW)
    assert found == VerifiedSignature(trusted().key_id, MODEL)
