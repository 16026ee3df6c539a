"""The build context of a version's image: from any bundle with a trust file, or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hallmark.api import files as api
from hallmark.api.artifacts import Manifest
from hallmark.api.drift import Drift
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.texts import sha256_digest
from hallmark.api.trust import Trust
from hallmark.errors import ConfigurationError
from hallmark.local.folder import Folder, now
from hallmark.local.image import Read, context
from hallmark.local.lost import SEALING_KEY
from hallmark.local.reviews import decide_here
from hallmark.policies.model_deployment.trust import trust_here
from hallmark.supply_chain.manifest import FileFact, build_manifest
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import signed_resources
from hallmark.verification.bundle import folder_of
from hallmark.verification.files import FolderFiles
from tests.chains import MODEL, Whole, two_versions
from tests.integration.command_line import run_hallmark


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A chain with an approved version; never changed."""
    return two_versions(tmp_path_factory.mktemp("context") / "chain", "credit")


def bundle_of(whole: Whole) -> Path:
    version = whole.folder.read().version("loan-v1")
    assert version
    return whole.folder.path / folder_of(version)


def sealed_with(whole: Whole, name: str, data: bytes) -> tuple[bytes, Read]:
    """Return a trust file for a bundle in which the sealer sealed another file, and its reader."""
    registry, files = whole.folder.read(), FolderFiles(bundle_of(whole))
    version = registry.version("loan-v1")
    assert version
    former = Manifest.model_validate_json(files.read(api.MANIFEST, 1 << 20) or b"")
    facts = {file.name: FileFact(file.digest, file.size) for file in former.files}
    manifest = build_manifest(
        files={**facts, name: data}, **former.model_dump(exclude={"schema_version", "files"})
    )
    text = manifest.to_bytes()
    digest = sha256_digest(text)
    key = whole.folder.key(SEALING_KEY)
    signature = sign_bundle(key, MODEL, signed_resources(manifest, digest))
    artifact = version.spec.artifact.replace(manifest_digest=digest)
    forged = version.replace(spec=version.spec.replace(artifact=artifact, bundle=signature))
    trust = trust_here(forged, registry.policy.spec, text.decode(), MODEL, Drift(), now())

    def read(asked: str, limit: int) -> bytes | None:
        return data if asked == name else files.read(asked, limit)

    return trust.to_bytes(), read


HOSTILE: list[Callable[[bytes], bytes]] = [
    lambda text: text + b'RUN ["python3", "-c", "evil"]\n',
    lambda text: text.replace(b"USER 65532:65532", b"USER 0:0"),
    lambda text: text.replace(b"FROM ${BASE}@sha256:${BASE_SHA256}", b"FROM evil"),
    lambda text: text.replace(b"LABEL dev", b'LABEL evil="$(id)" dev'),
    lambda text: text.replace(b"# Serves", b"# syntax=evil/frontend\n# Serves"),
    lambda text: b"",
]


@pytest.mark.parametrize("change", HOSTILE)
def test_a_sealed_dockerfile_of_somebody_else_is_not_built(
    whole: Whole, change: Callable[[bytes], bytes]
) -> None:
    own = (bundle_of(whole) / api.DOCKERFILE).read_bytes()
    assert change(own) != own
    document, read = sealed_with(whole, api.DOCKERFILE, change(own))

    with pytest.raises(ConfigurationError, match="Expected the Dockerfile that this release"):
        context(document, read, now())


def test_a_bundle_and_a_trust_file_are_enough(whole: Whole, tmp_path: Path) -> None:
    assert (
        run_hallmark(
            "image", "loan/1", str(tmp_path / "one"), "--state", str(whole.folder.path)
        ).returncode
        == 0
    )
    trust = tmp_path / "one" / "trust.json"

    done = run_hallmark(
        "image", "loan-v1", str(tmp_path / "two"),
        "--bundle", str(bundle_of(whole)), "--trust-file", str(trust),
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert first == second
    assert "--build-arg MANIFEST_SHA256=" in done.stdout


@pytest.mark.parametrize("decision", [None, ReviewDecision.DENIED, ReviewDecision.REVOKED])
def test_what_an_export_says_was_rejected_is_not_made_an_image(
    whole: Whole, tmp_path: Path, decision: ReviewDecision | None
) -> None:
    folder = Folder(Path(shutil.copytree(whole.folder.path, tmp_path / "chain")))
    assert (
        run_hallmark("image", "loan/1", str(tmp_path / "own"), f"--state={folder.path}").returncode
        == 0
    )
    if decision is not None:
        decide_here(folder, "loan-v1", decision, "A leak was found.")
    Whole(folder).export(tmp_path / "export")
    bundle = tmp_path / "export" / bundle_of(whole).relative_to(whole.folder.path)
    done = run_hallmark(
        "image", "loan-v1", str(tmp_path / "new"),
        f"--bundle={bundle}", f"--trust-file={tmp_path / 'own' / 'trust.json'}",
    )  # fmt: skip

    assert done.returncode == (0 if decision is None else 1), done.stderr
    said = f"loan-v1 would not serve: {decision} by local:"
    assert (said in " ".join(done.stderr.split())) is (decision is not None)
    assert (tmp_path / "new").exists() is (decision is None)


@pytest.mark.parametrize("name", ["loan-v2", "loan/2", "other/1", "1"])
def test_a_trust_file_of_another_version_is_not_taken(
    whole: Whole, tmp_path: Path, name: str
) -> None:
    (tmp_path / "trust.json").write_bytes(sealed_with(whole, api.GOLDEN, golden(whole))[0])
    done = run_hallmark(
        "image", name, str(tmp_path / "new"),
        "--bundle", str(bundle_of(whole)), "--trust-file", str(tmp_path / "trust.json"),
    )  # fmt: skip

    assert done.returncode == 1
    assert f"Expected the trust file of '{name}', found that of loan/loan-v1" in done.stderr
    assert not (tmp_path / "new").exists()


def golden(whole: Whole) -> bytes:
    return (bundle_of(whole) / api.GOLDEN).read_bytes()


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (b"{}", "Expected a trust file"),
        (b"\xff", "Expected a trust file"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_trust_file_is_said(
    whole: Whole, tmp_path: Path, document: bytes | None, sentence: str
) -> None:
    trust = tmp_path / "trust.json"
    if document is not None:
        trust.write_bytes(document)
    done = run_hallmark(
        "image", "loan-v1", str(tmp_path / "new"),
        "--bundle", str(bundle_of(whole)), "--trust-file", str(trust),
    )  # fmt: skip

    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", [*api.SERVED_FILES, "sbom"])
def test_a_file_that_is_gone_or_changed_is_said(whole: Whole, name: str) -> None:
    document, read = sealed_with(whole, api.GOLDEN, b"{}")
    other = json.loads(document)["manifest"]
    assert Trust.model_validate_json(document).manifest == other

    for found in (None, b"x"):

        def changed(asked: str, limit: int, found: bytes | None = found) -> bytes | None:
            return found if asked.startswith(name) else read(asked, limit)

        with pytest.raises(ConfigurationError, match=name):
            context(document, changed, now())


@pytest.mark.parametrize(
    ("decision", "sentence"),
    [
        (ReviewDecision.REVOKED, "loan-v1 would not serve: a reviewer revoked it"),
        (None, "loan-v1 would not serve: it is not PolicyPassed today. Dependencies: "),
    ],
)
def test_what_fell_after_its_approval_is_not_made_an_image(
    whole: Whole, tmp_path: Path, decision: ReviewDecision | None, sentence: str
) -> None:
    folder = Folder(Path(shutil.copytree(whole.folder.path, tmp_path / "chain")))
    if decision is not None:
        decide_here(folder, "loan-v1", decision, "A leak was found.")
    else:
        with folder.transaction() as transaction:
            policy = transaction.registry.policy
            rules = policy.spec.dependencies.replace(denied=["numpy"])
            stricter = policy.replace(spec=policy.spec.replace(dependencies=rules))
            transaction.commit(transaction.registry.replace(policy=stricter), ())
    done = run_hallmark("image", "loan/1", str(tmp_path / "new"), "--state", str(folder.path))

    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (tmp_path / "new").exists()
