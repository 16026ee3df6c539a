"""Images come out of buildah's storage byte for byte, without the layers that a node has."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.cluster.errors import ClusterError
from tests.cluster.storage import Storage

REFERENCE = "localhost/thing:1"
CONFIG = b"{}"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def encoded(key: str) -> str:
    return "=" + base64.b64encode(key.encode()).decode()


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def split(tar: bytes, files: dict[str, bytes]) -> bytes:
    """Return what tar-split keeps: the bytes between the files, and the files' names."""
    rows, position = [], 0
    for name, content in files.items():
        start = tar.index(content, position)
        payload = base64.b64encode(tar[position:start]).decode()
        rows.append({"type": 2, "payload": payload})
        rows.append({"type": 1, "name": name, "size": len(content)})
        position = start + len(content)
    rows.append({"type": 2, "payload": base64.b64encode(tar[position:]).decode()})
    return gzip.compress("\n".join(map(json.dumps, rows)).encode())


def write_layer(root: Path, identity: str, files: dict[str, bytes]) -> dict[str, object]:
    tar = tar_of(files)
    for name, content in files.items():
        file = root / "overlay" / identity / "diff" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (root / "overlay-layers").mkdir(exist_ok=True)
    (root / "overlay-layers" / f"{identity}.tar-split.gz").write_bytes(split(tar, files))
    return {"id": identity, "diff-digest": digest(tar), "diff-size": len(tar)}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    base = write_layer(tmp_path, "base", {"bin/python": b"machine code" * 500})
    code = write_layer(tmp_path, "code", {"one.py": b"print(1)", "two.py": b"print(2)"})
    layers = [base, code | {"parent": "base"}]
    (tmp_path / "overlay-layers" / "layers.json").write_text(json.dumps(layers))
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"digest": digest(CONFIG)},
        "layers": [{"digest": layer["diff-digest"]} for layer in layers],
    }
    image = tmp_path / "overlay-images" / "id"
    image.mkdir(parents=True)
    (image / "manifest").write_text(json.dumps(manifest))
    (image / encoded(digest(CONFIG))).write_bytes(CONFIG)
    images = [{"id": "other"}, {"id": "id", "names": [REFERENCE], "layer": "code"}]
    (tmp_path / "overlay-images" / "images.json").write_text(json.dumps(images))
    return Storage(tmp_path)


def blobs(archive: Path) -> list[bytes]:
    with tarfile.open(archive) as opened:
        names = [name for name in opened.getnames() if name.startswith("blobs/")]
        files = [opened.extractfile(name) or pytest.fail(name) for name in names]
        contents = [file.read() for file in files]
    assert [name.rpartition("/")[2] for name in names] == [
        hashlib.sha256(content).hexdigest() for content in contents
    ]
    return contents


def base_digest(storage: Storage) -> str:
    layers = json.loads((storage.root / "overlay-layers" / "layers.json").read_text())
    return str(layers[0]["diff-digest"])


def test_a_node_that_has_nothing_gets_every_blob(storage: Storage, tmp_path: Path) -> None:
    storage.pack(REFERENCE, [], tmp_path / "image.tar")
    assert len(blobs(tmp_path / "image.tar")) == 4


def test_a_node_that_has_the_base_gets_the_code_alone(storage: Storage, tmp_path: Path) -> None:
    storage.pack(REFERENCE, [base_digest(storage)], tmp_path / "image.tar")
    found = blobs(tmp_path / "image.tar")
    assert len(found) == 3
    assert found[-1] == tar_of({"one.py": b"print(1)", "two.py": b"print(2)"})


def test_the_index_names_the_image_for_containerd(storage: Storage, tmp_path: Path) -> None:
    storage.pack(REFERENCE, [], tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        index = json.load(archive.extractfile("index.json") or pytest.fail("no index"))
    annotations = index["manifests"][0]["annotations"]
    assert annotations["io.containerd.image.name"] == REFERENCE


def test_a_file_that_was_changed_in_the_storage_is_noticed(
    storage: Storage, tmp_path: Path
) -> None:
    (storage.root / "overlay" / "code" / "diff" / "one.py").write_bytes(b"print(3)")
    with pytest.raises(ClusterError, match="has changed"):
        storage.pack(REFERENCE, [], tmp_path / "image.tar")


def test_an_image_that_was_not_built_is_named(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no image localhost/other:1"):
        storage.pack("localhost/other:1", [], tmp_path / "image.tar")
