"""A second builder: versions are trained again, by the command line, and their bytes compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hallmark.api import files as api
from hallmark.api.dataset import Dataset, SealedBundle
from hallmark.api.texts import canonical_json, sha256_digest
from hallmark.errors import ConfigurationError
from hallmark.local.reproduce import Rows, reproduce
from hallmark.supply_chain.dsse import IN_TOTO, sign_envelope
from hallmark.supply_chain.manifest import FileFact, build_manifest
from hallmark.verification.bundle import folder_of
from hallmark.verification.links import State
from hallmark.verification.reproduced import RULES, Reproduction, compare
from hallmark.verification.sealed import Sealed, sealed_of
from tests.chains import Whole, records, two_versions
from tests.examples import examples
from tests.integration.command_line import run_hallmark
from tests.unit.supply_chain.factories import OTHER_KEY

SPACE, NAME = "credit", "loan-v1"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A chain with two versions; never changed."""
    return two_versions(tmp_path_factory.mktemp("reproduce") / "chain", SPACE)


@pytest.fixture(scope="module")
def exported(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export; never changed."""
    target = tmp_path_factory.mktemp("exported") / "export"
    whole.export(target)
    return target


@pytest.fixture(scope="module")
def sealed(whole: Whole) -> Sealed:
    """Its first version, as a second builder reads it."""
    registry = whole.folder.read()
    version, run = registry.version(NAME), registry.run(NAME)
    assert version
    folder = whole.folder.path / folder_of(version)

    def read(name: str, limit: int) -> bytes | None:
        file = folder / name
        data = file.read_bytes() if file.exists() else None
        return None if data is None or len(data) > limit else data

    return sealed_of(version, run, read)


def slots(sealed: Sealed) -> dict[str, bytes]:
    """Return the files of a version by their slots."""
    found = {slot: sealed.file(slot) for slot in RULES}
    return {slot: data for slot, data in found.items() if data is not None}


def forged(sealed: Sealed, changed: Mapping[str, bytes]) -> Sealed:
    """Return a version whose sealer signed other bytes than training made."""
    run_id = sealed.manifest.run_id
    names = {api.final_name(slot, run_id): data for slot, data in changed.items()}
    facts = {file.name: FileFact(file.digest, file.size) for file in sealed.manifest.files}
    manifest = build_manifest(
        files={**facts, **names},
        **sealed.manifest.model_dump(exclude={"schema_version", "files"}),
    )
    spec = sealed.version.spec
    artifact = spec.artifact.replace(manifest_digest=sha256_digest(manifest.to_bytes()))
    return replace(
        sealed,
        manifest=manifest,
        version=sealed.version.replace(spec=spec.replace(artifact=artifact)),
        read=lambda name, limit: names.get(name) or sealed.read(name, limit),
    )


def states(found: Reproduction) -> dict[str, State]:
    return {link.name.partition("_")[0]: link.state for link in found.links}


@pytest.mark.parametrize("asked", [NAME, "loan/loan-v1", "loan/1"])
def test_a_version_is_made_again_byte_by_byte_from_an_export_alone(
    exported: Path, asked: str
) -> None:
    done = run_hallmark("reproduce", asked, "--export", str(exported), "--strict", "-o", "json")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["verdict"], found["libraries"]) == ("holds", [])
    assert len(found["artifacts"]) == len(RULES) + 2
    assert set(found["here"]) >= {"python", "machine", "kernels", "simd"}


def test_a_tree_says_it_for_people(whole: Whole) -> None:
    done = run_hallmark("reproduce", "loan-v2", "--state", str(whole.folder.path))

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("✓") == 12
    assert "credit/loan-v2 was reproduced: 12 of 12 have the sealed bytes." in done.stdout


@given(data=st.data())
@examples(100)
def test_one_other_byte_anywhere_is_one_cross_and_the_manifests(
    sealed: Sealed, data: st.DataObject
) -> None:
    """Whatever a sealer signed in place of what training makes."""
    made = slots(sealed)
    slot = data.draw(st.sampled_from(sorted(made.keys() - {api.MANIFEST})))
    place = data.draw(st.integers(0, len(made[slot]) - 1))
    other = bytearray(made[slot])
    other[place] ^= data.draw(st.integers(1, 255))

    found = compare(forged(sealed, {slot: bytes(other)}), made, sealed.report.packages)

    broken = [link for link in found.links if link.state is State.BROKEN]
    expected = [api.final_name(slot, sealed.manifest.run_id), api.MANIFEST]
    assert [link.name for link in broken] == expected
    assert all(": first " in link.said for link in broken), broken
    opened = {name for name, state in states(found).items() if state is State.OPEN}
    assert opened == {api.BUNDLE, "provenance"}


def test_the_first_path_that_differs_is_named(sealed: Sealed) -> None:
    report = json.loads(slots(sealed)[api.REPORT])
    report["metrics"][0]["value"] = "0.999999"
    better = forged(sealed, {api.REPORT: canonical_json(report)})

    said = {link.name: link.said for link in compare(better, slots(sealed), {}).links}

    assert 'first at $.metrics[0].value, "0.999999" then, "0.' in said[api.REPORT]
    assert "first at $.files[" in said[api.MANIFEST]


def test_a_file_more_or_less_is_a_cross(sealed: Sealed) -> None:
    made, packages = slots(sealed), sealed.report.packages
    more = compare(forged(sealed, {"extra.bin": b"1"}), made, packages)
    fewer = {slot: data for slot, data in made.items() if slot != api.GOLDEN}
    less = compare(sealed, fewer, packages)

    assert states(more)["extra.bin"] is State.BROKEN
    assert states(less)[api.GOLDEN] is State.BROKEN


def _statement(**changes: object) -> bytes:
    """Return a signed statement whose own parts are replaced."""
    whole = {"subject": [{"name": api.MANIFEST, "digest": {"sha256": "0" * 64}}], **changes}
    return canonical_json(sign_envelope(OTHER_KEY, IN_TOTO, canonical_json(whole)))


@pytest.mark.parametrize(
    ("provenance", "state"),
    [
        (None, State.OPEN),
        (b"{}", State.BROKEN),
        (b"no JSON", State.BROKEN),
        (_statement(), State.BROKEN),
        (_statement(subject=None), State.BROKEN),
        (_statement(subject=[7]), State.BROKEN),
        (_statement(subject=[{"name": [], "digest": {"sha256": []}}]), State.BROKEN),
        (_statement(subject=[]), State.BROKEN),
    ],
)
def test_a_provenance_of_other_files_is_a_cross(
    sealed: Sealed, provenance: bytes | None, state: State
) -> None:
    def read(name: str, limit: int) -> bytes | None:
        return provenance if name.startswith("provenance/") else sealed.read(name, limit)

    found = compare(replace(sealed, read=read), slots(sealed), sealed.report.packages)

    assert states(found)["provenance"] is state


def another_package(folder: Path) -> dict[str, str]:
    """Install a package in a folder, and return the environment of a Python that finds it."""
    info = folder / "zebra-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zebra\nVersion: 1.5\n")
    path = os.pathsep.join([str(folder), str(ROOT), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path}


def test_other_libraries_are_named_and_excuse_their_list_alone(
    exported: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "hallmark.cli", "reproduce", NAME, "--export", str(exported)]
    done = subprocess.run(
        [*command, "--strict", "-o", "json"],
        env=another_package(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)
    assert found["libraries"] == [{"name": "zebra", "then": "", "now": "1.5"}]
    opened = {
        one["name"].partition("_")[0] for one in found["artifacts"] if one["said"][:4] == "the "
    }
    assert opened == {"report.json", "report.html", "sbom", "Dockerfile", "manifest.json"}
    same = {
        one["name"].partition("_")[0] for one in found["artifacts"] if one["verdict"] == "holds"
    }
    assert same == {
        "model",
        "model.onnx",
        "schema.json",
        "baseline.json",
        "golden.json",
    }


@pytest.mark.parametrize(
    ("slot", "former", "present"),
    [
        (api.DOCKERFILE, b"USER 65532:65532", b"RUN evil; a==b"),
        (api.DOCKERFILE, b'dev.hallmark.dataset="sha', b'dev.hallmark.dataset="SHA'),
        (api.REPORT_PAGE, b"</body>", b"<p>It is better.</p></body>"),
        (api.REPORT, b'"seed":', b'"sown":'),
        (api.SLOT_SBOM, b'"machine-learning-model"', b'"library"'),
        (api.MODEL_ONNX, b"hallmark", b"Hallmark"),
    ],
)
def test_other_libraries_excuse_nothing_else(
    sealed: Sealed, slot: str, former: bytes, present: bytes
) -> None:
    made = slots(sealed)
    assert former in made[slot]
    other = forged(sealed, {slot: made[slot].replace(former, present)})

    found = compare(other, made, {**sealed.report.packages, "zebra": "1.5"})

    assert states(found)[slot.partition(".")[0] if slot == api.SLOT_SBOM else slot] is State.BROKEN


def test_another_system_is_named_and_excuses_the_bill_alone(sealed: Sealed) -> None:
    made = slots(sealed)
    bill = json.loads(made[api.SLOT_SBOM])
    openssl = {"name": "openssl", "version": "3", "purl": "pkg:deb/debian/openssl@3"}
    bill["components"].append({"type": "library", **openssl})
    python = {"name": "hallmark:python", "value": "CPython 3.99"}
    bill["metadata"]["component"]["properties"] = [python]
    other = forged(sealed, {api.SLOT_SBOM: canonical_json(bill)})

    found = compare(other, made, sealed.report.packages)

    named = {library.name: library.then for library in found.libraries}
    assert named == {"deb/openssl": "3", "hallmark:python": "CPython 3.99"}
    assert State.BROKEN not in states(found).values()
    opened = {name for name, state in states(found).items() if state is State.OPEN}
    assert opened == {"sbom", "manifest.json", api.BUNDLE, "provenance"}


def test_other_rows_are_refused_by_their_fingerprint(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(records(seed=1))
    done = run_hallmark(
        "reproduce", NAME, "--export", str(exported), "--data", str(tmp_path / "rows.csv")
    )

    assert done.returncode == 1
    assert "These are not the rows of loan-v1: expected the fingerprint sha256:" in done.stderr


def test_a_file_of_the_same_rows_serves_as_well(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(records())
    done = run_hallmark(
        "reproduce", NAME, "--export", str(exported), "--data", str(tmp_path / "rows.csv")
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nothing",), "Expected a version 'nothing', found none; sealed are: loan-v1, loan-v2."),
        (("other/loan-v1",), "Expected a version 'other/loan-v1', found none"),
        ((NAME, "-n", "elsewhere"), "found none; sealed are: none."),
        ((NAME, "--data", "/nowhere"), "expected a file or folder /nowhere, found none"),
        ((NAME, "--state", "/nowhere"), "Expected --export or --state, found both"),
    ],
)
def test_what_cannot_be_asked_is_said(
    exported: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = run_hallmark("reproduce", *arguments, "--export", str(exported))

    assert done.returncode == 1
    assert sentence in done.stderr


def test_what_cannot_be_made_again_is_said(sealed: Sealed) -> None:
    version, run, read = sealed.version, sealed.run, sealed.read
    source = SealedBundle(uri="s3://there/models/x", manifest_digest=f"sha256:{'0' * 64}")
    adopted = run.replace(spec=run.spec.replace(dataset=None, sealed=source))
    reseeded = run.replace(spec=run.spec.replace(trainer=run.spec.trainer.replace(seed=9)))
    for there, files, sentence in (
        (None, read, "its TrainingRun 'loan-v1' is gone"),
        (adopted, read, "was adopted from s3://there/models/x, not trained here"),
        (reseeded, read, "another run has taken that name"),
        (run, lambda *_: None, "Manifest: expected digest"),
        (run, lambda name, size: read(name, size) if name == api.MANIFEST else None, "report.json"),
    ):
        with pytest.raises(ConfigurationError, match=sentence):
            sealed_of(version, there, files)


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ({"configMap": {"name": "rows", "key": "a.csv"}}, "'a.csv' of the ConfigMap 'rows'"),
        ({"volumeClaim": {"claimName": "lake", "path": "a.csv"}}, "the volume of the claim 'lake'"),
        ({"uri": "https://data.example/a.csv"}, "at the address that its TrainingRun names"),
    ],
)
def test_where_the_rows_were_is_said(sealed: Sealed, source: dict[str, object], where: str) -> None:
    dataset = Dataset.model_validate(source)
    run = sealed.run.replace(spec=sealed.run.spec.replace(dataset=dataset))

    with pytest.raises(ConfigurationError, match=f"{where}.*--data"):
        reproduce(replace(sealed, run=run), Rows(), lambda *_: None)
