"""An export as an OCI image layout: what is written, and what nobody may slip in."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.errors import HallmarkError, IntegrityError
from hallmark.verification.oci import as_folder, write_layout

FILES = {
    "export.json": b"{}",
    "models/registry.json": b'{"a": 1}',
    "models/team.loan/ab/model.onnx": bytes(range(256)) * 9000,
    "models/model_1.joblib": b"same",
    "models/team.loan/ab/model_1.joblib": b"same",
    "logs/secure_mlops.log": b"",
}
SHAPES = pytest.mark.parametrize("name", ["layout", "layout.tar"])


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A folder with the files of an export."""
    folder = tmp_path / "export"
    for name, data in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@SHAPES
def test_what_was_written_comes_back(export: Path, tmp_path: Path, name: str) -> None:
    digest = write_layout(export, tmp_path / name)
    with as_folder(tmp_path / name) as folder:
        assert contents(folder) == FILES
    assert not folder.exists()
    assert write_layout(export, tmp_path / f"again-{name}") == digest
    if name.endswith(".tar"):
        assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()


def test_it_is_laid_out_as_the_specification_says(export: Path, tmp_path: Path) -> None:
    digest = write_layout(export, tmp_path / "layout")
    found = contents(tmp_path / "layout")
    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(found["index.json"])["manifests"]
    assert entry["digest"] == digest
    for name, data in found.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"
    manifest = json.loads(found[f"blobs/{digest.replace(':', '/')}"])
    assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    titles = {
        layer["annotations"]["org.opencontainers.image.title"]: layer["size"]
        for layer in manifest["layers"]
    }
    assert titles == {name: len(data) for name, data in FILES.items()}


def test_a_folder_that_is_no_layout_is_taken_as_it_is(export: Path) -> None:
    with as_folder(export) as folder:
        assert folder == export


# --- hostile layouts -----------------------------------------------------------------------------


def remade(layout: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the image's manifest, with digests that fit."""
    index = json.loads((layout / "index.json").read_bytes())
    old = layout / "blobs" / index["manifests"][0]["digest"].replace(":", "/")
    manifest = json.loads(old.read_bytes())
    change(manifest)
    data = json.dumps(manifest).encode()
    hexadecimal = hashlib.sha256(data).hexdigest()
    (old.parent / hexadecimal).write_bytes(data)
    index["manifests"][0] |= {"digest": f"sha256:{hexadecimal}", "size": len(data)}
    (layout / "index.json").write_text(json.dumps(index))


def titled(title: object) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["layers"][-1]["annotations"] = {"org.opencontainers.image.title": title}

    return change


def layer(**changes: object) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["layers"][0].update(changes)


HOSTILE: dict[str, Callable[[dict[str, Any]], None]] = {
    "a path upwards": titled("../out"),
    "a path upwards within": titled("a/../../out"),
    "an absolute path": titled("/tmp/out"),  # noqa: S108 - it must not be written
    "a path of dots": titled("."),
    "no path": titled(""),
    "a path with a null": titled("a\0b"),
    "a path with a line end": titled("a\nb"),
    "a path that is no text": titled(["a"]),
    "a path twice": titled("export.json"),
    "a path below a file": titled("export.json/a"),
    "a path that is a folder": titled("models/team.loan"),
    "no title": lambda manifest: manifest["layers"][0].pop("annotations"),
    "another digest": layer(digest=f"sha256:{'0' * 64}"),
    "a digest upwards": layer(digest="sha256:../../index.json"),
    "another algorithm": layer(digest="md5:" + "0" * 32),
    "another size": layer(size=1),
    "a size that is a truth": layer(size=True),
    "no size": layer(size=None),
    "another type": lambda manifest: manifest.update(artifactType="application/x"),
    "no list of layers": lambda manifest: manifest.update(layers={"a": 1}),
    "no layers": lambda manifest: manifest.update(layers=[]),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_it_is_refused(
    export: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    write_layout(export, tmp_path / "layout")
    remade(tmp_path / "layout", change)
    before = contents(tmp_path)
    with (
        pytest.raises(IntegrityError, match=r"Expected|Two layers"),
        as_folder(tmp_path / "layout"),
    ):
        pass
    assert contents(tmp_path) == before


def test_a_blob_that_many_layers_name_takes_the_room_of_one(export: Path, tmp_path: Path) -> None:
    write_layout(export, tmp_path / "layout")

    def many(manifest: dict[str, Any]) -> None:
        (big,) = [one for one in manifest["layers"] if one["size"] > 10**6]
        manifest["layers"] += [
            {**big, "annotations": {"org.opencontainers.image.title": f"many/{number}"}}
            for number in range(500)
        ]

    remade(tmp_path / "layout", many)
    with as_folder(tmp_path / "layout") as folder:
        assert len({path.stat().st_ino for path in (folder / "many").iterdir()}) == 1


def test_links_in_a_layout_lead_nowhere(export: Path, tmp_path: Path) -> None:
    write_layout(export, tmp_path / "layout")
    (tmp_path / "index.json").write_bytes((tmp_path / "layout" / "index.json").read_bytes())
    (tmp_path / "layout" / "index.json").unlink()
    (tmp_path / "layout" / "index.json").symlink_to(tmp_path / "index.json")
    with pytest.raises(IntegrityError, match=r"index\.json"), as_folder(tmp_path / "layout"):
        pass


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"twice"])
def test_what_is_no_plain_file_of_an_archive_is_not_there(
    export: Path, tmp_path: Path, kind: bytes
) -> None:
    write_layout(export, tmp_path / "layout.tar")
    with tarfile.open(tmp_path / "layout.tar", "a") as archive:
        member = tarfile.TarInfo("index.json")
        if kind != b"twice":
            member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member, io.BytesIO())
    with pytest.raises(IntegrityError, match=r"index\.json"), as_folder(tmp_path / "layout.tar"):
        pass


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return a member's header with any size, negative ones too."""
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, 0
    made = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    made[124:136] = size.to_bytes(12, "big", signed=True) if size < 0 else b"%011o\0" % size
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    return bytes(made)


@pytest.mark.parametrize("back", range(-4 * 512, 0, 512))
def test_a_member_that_leads_back_has_an_end(tmp_path: Path, back: int) -> None:
    data = b"".join([header("a", 0), header("b", 0), header("c", back), bytes(1024)])
    (tmp_path / "back.tar").write_bytes(data)
    with (
        pytest.raises(IntegrityError, match="Expected an export"),
        as_folder(tmp_path / "back.tar"),
    ):
        pass


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_long_row_of_headers_is_no_archive(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "row.tar").write_bytes(header("a", 0, kind) * 5000 + bytes(1024))
    with pytest.raises(IntegrityError), as_folder(tmp_path / "row.tar"):
        pass


@given(st.binary(max_size=2000), st.integers(0, 5000))
def test_any_bytes_may_be_an_archive(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, place: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "export").mkdir()
    (folder / "export" / "export.json").write_bytes(b"{}")
    write_layout(folder / "export", folder / "whole.tar")
    whole = (folder / "whole.tar").read_bytes()
    changed = (data, whole[:place] + data[:3] + whole[place + 3 :], whole[: 2 * place])
    for number, text in enumerate(changed):
        path = folder / f"{number}.tar"
        path.write_bytes(text)
        with suppress(HallmarkError), as_folder(path) as found:
            assert contents(found) == {"export.json": b"{}"}
