import base64
import hashlib
import stat
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from typer.testing import CliRunner

from hallmark.api.model_policy import ModelPolicy
from hallmark.cli.app import app
from hallmark.cli.keys import new_key_secret, trusted_key
from hallmark.errors import ConfigurationError


def init(folder: Path, *more: str) -> ModelPolicy:
    done = CliRunner().invoke(
        app, ["keys", "init", "--output", str(folder), *more], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return ModelPolicy.model_validate(yaml.safe_load(done.stdout))


def test_a_key_secret_holds_a_pair_and_its_id() -> None:
    data = {
        key: base64.b64decode(value)
        for key, value in new_key_secret("hallmark-sealing-key", "hallmark-system")["data"].items()
    }
    private = load_pem_private_key(data["private.pem"], None)

    assert private.public_key() == load_pem_public_key(data["public.pem"])
    assert data["key-id"].decode() == hashlib.sha256(data["public.pem"]).hexdigest()


def test_a_folder_gets_three_secrets_that_only_the_user_reads(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    init(folder)

    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert made == {
        "hallmark-audit-key.yaml": 0o600,
        "hallmark-sealing-key.yaml": 0o600,
        "hallmark-store.yaml": 0o600,
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_policy_trusts_the_keys_that_were_made(tmp_path: Path) -> None:
    policy = init(tmp_path)

    for keys, name in (
        (policy.spec.signers, "hallmark-sealing-key"),
        (policy.spec.auditors, "hallmark-audit-key"),
    ):
        secret = yaml.safe_load((tmp_path / f"{name}.yaml").read_text())
        assert keys == [trusted_key(name, secret["data"])]


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    first = init(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert init(tmp_path) == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_options_fill_the_policy(tmp_path: Path) -> None:
    policy = init(
        tmp_path,
        "--policy=strict",
        "--approvals=2",
        "--store-uri=gs://models",
        "--store-endpoint=",
        "--trainer-image=example/trainer@sha256:1",
    )

    assert policy.metadata.name == "strict"
    assert policy.spec.approvals.minimum == 2
    assert policy.spec.store.uri == "gs://models"
    assert policy.spec.store.endpoint is None
    assert policy.spec.images.trainer == "example/trainer@sha256:1"


def test_a_private_key_is_never_printed(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["keys", "init", "--output", str(tmp_path)])

    assert "PRIVATE" not in done.output


REFUSALS = {
    "with two places": (["--apply", "--output=x"], "found both"),
    "with a store that is no URL": (["--output=x", "--store-uri=here"], "uri: "),
    "with no approvals": (["--output=x", "--approvals=0"], "minimum: "),
}


@pytest.mark.parametrize(("options", "found"), REFUSALS.values(), ids=REFUSALS.keys())
def test_keys_are_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], found: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["keys", "init", *options])

    assert isinstance(done.exception, ConfigurationError)
    assert found in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_secret_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "hallmark-sealing-key.yaml").write_text("nothing")

    done = CliRunner().invoke(app, ["keys", "init", "--output", str(tmp_path)])

    assert "Expected the manifest of a Secret" in str(done.exception)
