"""Keys that stay in a PKCS#11 token: how one is named, and a real token (SoftHSM) that signs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, strategies as st

from hallmark.api.trust import TrustedKey
from hallmark.audit.log import AuditLog
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.keys import (
    Signer,
    is_signature,
    key_id,
    open_signer,
    public_pem,
    sign,
)
from hallmark.supply_chain.signing import VerifiedSignature, sign_bundle, verify_bundle
from hallmark.token_uri import MOST, KeyPlace, names_token, read_uri
from tests.unit.supply_chain.factories import NOW

MODULE = "module-path=/lib/token.so"

WRONG = {
    "no URI": ("-----BEGIN PRIVATE KEY-----", "begins 'pkcs11:'"),
    "nothing but the scheme": ("pkcs11:", "token and module-path and object or id"),
    "no key": (f"pkcs11:token=a?{MODULE}", "the attributes object or id"),
    "no token": (f"pkcs11:object=a?{MODULE}", "the attributes token"),
    "no module": ("pkcs11:token=a;object=b", "the attributes module-path"),
    "a PIN that all can read": (
        f"pkcs11:token=a;object=b?{MODULE}&pin-value=1234",
        "found 'pin-value'",
    ),
    "an attribute twice": (f"pkcs11:token=a;token=b;object=c?{MODULE}", "found 'token'"),
    "an attribute without a value": (f"pkcs11:token;object=c?{MODULE}", "found 'token'"),
    "an attribute that nobody knows": (f"pkcs11:token=a;slot=c?{MODULE}", "found 'slot'"),
    "too long": (f"pkcs11:token={'a' * MOST};object=b?{MODULE}", "at most"),
    "two lines": (f"pkcs11:token=a;object=b?{MODULE}\nx", "expected a URI"),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_uri_that_names_no_key_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_uri(text)
    assert words in str(refused.value)
    assert "1234" not in str(refused.value)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


@given(NAMES, NAMES, st.binary(min_size=1, max_size=8))
def test_names_are_read_as_they_are(token: str, label: str, identity: bytes) -> None:
    text = (
        f"pkcs11:token={quote(token, safe='')};object={quote(label, safe='')}"
        f";id={quote(identity, safe='')}?{MODULE}&pin-source=file:/etc/pin"
    )
    assert read_uri(text) == KeyPlace(
        Path("/lib/token.so"), token, label, identity, Path("/etc/pin")
    )


@pytest.mark.parametrize("text", ["pkcs11:token=a", "pkcs11:"])
def test_a_uri_is_told_from_a_key_as_text_and_as_bytes(text: str) -> None:
    assert names_token(text)
    assert names_token(text.encode())
    assert not names_token(f" {text}")
    assert not names_token("-----BEGIN PRIVATE KEY-----")


def test_a_token_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pkcs11")
    uri = f"pkcs11:token=a;object=b?module-path={tmp_path}/none.so"
    with pytest.raises(ConfigurationError, match=r"token 'a' by .*none\.so"):
        open_signer(uri.encode())


# -- a real token -----------------------------------------------------------------------------

LIBRARY = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "5678"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the folder of a SoftHSM token 'hallmark' with a key 'sealing' and its PIN's file."""
    if not LIBRARY.exists():
        apt = shutil.which("apt-get")
        assert apt, "These tests need SoftHSM: install the package softhsm2."
        subprocess.run([apt, "install", "--yes", "--quiet", "softhsm2"], check=True)
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "pin").write_text(f"{PIN}\n")
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder}/tokens\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(settings)
    made = ["softhsm2-util", "--init-token", "--free", "--label", "hallmark"]
    subprocess.run([*made, "--so-pin", "1234", "--pin", PIN], check=True, capture_output=True)
    _make_keys()
    yield folder
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def _make_keys() -> None:
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    found = pkcs11.lib(str(LIBRARY)).get_token(token_label="hallmark")
    with found.open(user_pin=PIN, rw=True) as session:
        for label, curve in (("sealing", "secp256r1"), ("wide", "secp384r1")):
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC,
                {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)},
                local=True,
            )
            parameters.generate_keypair(store=True, label=label, id=label.encode())


def uri(folder: Path, key: str = "object=sealing", pin: str = "pin") -> bytes:
    place = f"module-path={LIBRARY}&pin-source=file:{folder}/{pin}"
    return f"pkcs11:token=hallmark;{key}?{place}".encode()


@pytest.mark.slow
def test_a_tokens_key_signs_as_any_other(token: Path) -> None:
    signer = open_signer(uri(token))
    assert is_signature(signer.public_key(), sign(signer, b"data"), b"data")
    assert not is_signature(signer.public_key(), sign(signer, b"data"), b"other")
    by_id = open_signer(uri(token, "id=sealing"))
    assert key_id(by_id) == key_id(signer)
    resources = {"manifest.json": "sha256:" + "0" * 64}
    bundle = sign_bundle(signer, "credit", resources)
    trusted = TrustedKey(key_id=key_id(signer), public_key=public_pem(signer.public_key()))
    found = verify_bundle(bundle, [trusted], resources, NOW)
    assert isinstance(found, VerifiedSignature)


@pytest.mark.slow
def test_the_audit_log_is_signed_by_a_token(token: Path, tmp_path: Path) -> None:
    place = tmp_path / "audit.key"
    place.write_bytes(uri(token))
    log = AuditLog.open(tmp_path / "log", place)
    assert key_id(log.key) == key_id(open_signer(uri(token)))


REFUSED = {
    "another key": ({"key": "object=none"}, "NoSuchKey"),
    "a key on another curve": ({"key": "object=wide"}, "P-256"),
    "no PIN file": ({"pin": "none"}, "cannot be read"),
    "a wrong PIN": ({"pin": "wrong"}, "PinIncorrect"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_token_refuses_is_a_sentence(
    token: Path, changes: dict[str, str], words: str
) -> None:
    (token / "wrong").write_text("0000")
    # In a process of its own: those of one process share a login.
    ask = f"from hallmark.keys import open_signer; open_signer({uri(token, **changes)!r})"
    found = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    assert "ConfigurationError: The key in a PKCS#11 token cannot be used" in found.stderr
    assert words in found.stderr


@pytest.mark.slow
def test_a_token_that_was_taken_out_signs_when_it_is_back(token: Path) -> None:
    signer = open_signer(uri(token))
    before = sign(signer, b"data")
    _close_sessions(signer)
    assert is_signature(signer.public_key(), sign(signer, b"data"), b"data")
    assert before
    _close_sessions(signer)
    (token / "pin").rename(token / "away")
    try:
        with pytest.raises(ArtifactError, match="PIN's file"):
            sign(signer, b"data")
    finally:
        (token / "away").rename(token / "pin")


def _close_sessions(signer: Signer) -> None:
    signer._private.session.close()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_another_hash_is_not_asked_of_a_token(token: Path) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        open_signer(uri(token)).sign(b"data", ec.ECDSA(hashes.SHA512()))
