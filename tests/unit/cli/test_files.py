"""Manifests as people write them: what is wrong in them is said, never passed over."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from hallmark.api.training_run import TrainingRun
from hallmark.cli.files import read_object, write_text
from hallmark.cli.trust import trusted_of
from hallmark.errors import ConfigurationError

RUN = Path(__file__).with_name("run.yaml").read_text()


def read(folder: Path, text: str) -> TrainingRun:
    file = folder / "run.yaml"
    file.write_text(text)
    return read_object(file, TrainingRun)


def test_a_run_is_read_and_has_a_namespace(tmp_path: Path) -> None:
    run = read(tmp_path, RUN)

    assert (run.metadata.namespace, run.metadata.name) == ("default", "loan-v1")


def test_it_is_found_among_other_objects(tmp_path: Path) -> None:
    others = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n"

    assert read(tmp_path, others + RUN + "---\n").spec.model == "loan"


WRONG = {
    "a field that nobody knows": (
        RUN.replace("  model: loan", "  model: loan\n  gate: []"),
        "Expected known fields, found 'spec.gate'; did you mean 'gates'?",
    ),
    "one deep inside a list": (
        RUN.replace("type: Number", "type: Number, minimun: '0'"),
        r"found 'spec.schema.features\[0\].minimun'; did you mean 'minimum'\?",
    ),
    "a value of another type": (
        RUN.replace("type: Number", "type: Text"),
        r"spec.schema.features.0.type: Input should be 'Number'",
    ),
    "a field that is missing": (RUN.replace("  requestedBy: alice\n", ""), "spec.requestedBy"),
    "another kind": (RUN.replace("TrainingRun", "Pod"), "Expected one TrainingRun in .*found none"),
    "two of them": (f"{RUN}---\n{RUN}", "Expected one TrainingRun in .*, found 2"),
    "no YAML": ("spec: [", "is no YAML: .* in line 1, column 8"),
    "a list": ("- 1\n", "found none"),
    "nothing": ("", "found none"),
    "text for the spec": ("kind: TrainingRun\nspec: run it\n", "run.yaml: metadata"),
    "a bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nkind: TrainingRun\n", "run.yaml: "),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        read(tmp_path, text)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read \\(No such file"):
        read_object(tmp_path / "nothing.yaml", TrainingRun)
    with pytest.raises(ConfigurationError, match="cannot be read \\(Is a directory"):
        read_object(tmp_path, TrainingRun)


@pytest.mark.parametrize("trust", ["{}", "audit={}"])
def test_a_file_without_an_end_is_not_read_to_it(trust: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a regular file, found a device"):
        trusted_of([trust.format("/dev/zero")])


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="is no YAML"):
        read_object(tmp_path / "run.yaml", TrainingRun)


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file takes more than a hundred bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("there", [None, "mine", "a link"])
def test_a_full_disk_loses_nothing_and_leaves_nothing(tmp_path: Path, there: str | None) -> None:
    file, kept = tmp_path / "run.yaml", tmp_path / "kept.yaml"
    if there is not None:
        (kept if there == "a link" else file).write_text("mine")
    if there == "a link":
        file.symlink_to(kept)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(OSError, match="File too large"):
        write_text(file, "x" * 1000, overwrite=there is not None)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert all(path.read_text() == "mine" for path in tmp_path.iterdir())


def test_what_is_there_is_overwritten_if_asked_alone(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    write_text(file, "first")
    with pytest.raises(FileExistsError):
        write_text(file, "second")
    assert file.read_text() == "first"
    write_text(file, "second", overwrite=True)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["second"]
    write_text(Path("/dev/null"), "x", overwrite=True)
    assert not Path("/dev/null").is_file()


def test_a_link_that_leads_to_itself_is_overwritten_if_asked_alone(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.symlink_to(file)
    with pytest.raises(FileExistsError):
        write_text(file, "x")
    write_text(file, "x", overwrite=True)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["x"]
