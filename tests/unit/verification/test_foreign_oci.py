"""The library of oras reads the image layout of an export, and finds what was changed in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hallmark.verification.oci import ARTIFACT_TYPE, write_layout
from tests.foreign import HERE, built, needs, said

pytestmark = pytest.mark.slow

FILES = {"export.json": b"{}", "models/a/model.onnx": b"onnx" * 1000, "models/copy.onnx": b"b"}


@pytest.fixture(scope="module")
def oras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built from pinned modules."""
    program = tmp_path_factory.mktemp("oras") / "oras"
    built([needs("go"), "build", "-mod=readonly", "-o", str(program), "."], HERE / "oras")
    return program


@pytest.mark.parametrize("name", ["layout", "layout.tar"])
def test_oras_copies_it_and_finds_a_change(oras: Path, tmp_path: Path, name: str) -> None:
    for file, data in FILES.items():
        path = tmp_path / "export" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    digest = write_layout(tmp_path / "export", tmp_path / name)
    lines = [f"{len(data)} {file}" for file, data in sorted(FILES.items())]
    assert said([oras, tmp_path / name]) == (
        0,
        "\n".join([f"{digest} {ARTIFACT_TYPE}", *lines, ""]),
    )

    found = [path for path in [tmp_path / name, *(tmp_path / name).rglob("*")] if path.is_file()]
    (changed,) = [path for path in found if b"onnxonnx" in path.read_bytes()]
    changed.write_bytes(changed.read_bytes().replace(b"onnxonnx", b"onnxonnX", 1))
    assert said([oras, tmp_path / name])[0] == 1
