"""Files from outside: whatever stands in a file's place, nothing waits for it or reads it all."""

from __future__ import annotations

import ast
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hallmark.api.documents import ManifestFile
from hallmark.api.tasks import SealOutcome
from hallmark.api.texts import sha256_digest
from hallmark.audit.files import replace_file
from hallmark.audit.log import AuditLog
from hallmark.audit.tlog.witness import _seen
from hallmark.audit.verify import verify_log
from hallmark.cli.approvals import read_key
from hallmark.cli.files import read_documents, write_text
from hallmark.cli.scan import _of_file
from hallmark.errors import HallmarkError
from hallmark.files import KEY_BYTES, open_regular, open_to_write, read_first, read_line, read_whole
from hallmark.local.folder import Folder
from hallmark.local.starter.files import format_of, read_table
from hallmark.store import open_store
from hallmark.supply_chain.__main__ import main as seal
from hallmark.supply_chain.handing_over import hand_over
from hallmark_dashboard.settings import session_key
from hallmark_predictor.nearby import _keep as keep_file, _read as read_nearby
from hallmark_predictor.receipts import KEY, TOKEN, SecretFiles, Secrets
from hallmark_predictor.settings import _by_trust_file
from tests.unit.supply_chain.uploads import task

ROOT = Path(__file__).parents[2]


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        # A name in it is at most 108 bytes long.
        folder = os.open(path.parent, os.O_RDONLY)
        made.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name(f"{path.name}.pipe"))
    path.symlink_to(f"{path.name}.pipe")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _forbidden(path: Path) -> None:
    path.write_bytes(b"x")
    path.chmod(0)


STANDS_THERE: dict[str, Callable[[Path], None]] = {
    "a named pipe": _pipe,
    "a link to a named pipe": _to_pipe,
    "a socket": _socket,
    "a device without an end": _endless,
    "a link to itself": _loop,
    "a folder": Path.mkdir,
    "a terabyte": _huge,
    "nothing": lambda path: None,
    "what may not be read": _forbidden,
}
HOSTILE = pytest.mark.parametrize("put", STANDS_THERE.values(), ids=STANDS_THERE)


def _open_log(path: Path) -> object:
    return AuditLog.open(path.with_name("log"), path)


def _verify_log(path: Path) -> object:
    return verify_log(path, None, None)


def _key_of_folder(path: Path) -> object:
    folder = Folder(path.parent)
    folder.key_file("sealing").parent.mkdir()
    folder.key_file("sealing").symlink_to(path)
    return folder.key("sealing")


def _registry(path: Path) -> object:
    folder = Folder(path.parent)
    folder.registry_file.parent.mkdir()
    folder.registry_file.symlink_to(path)
    return folder.read()


def _table(path: Path) -> object:
    table = path.with_name("table.csv")
    table.symlink_to(path)
    return read_table(table, format_of(table))


def _object(path: Path) -> object:
    return open_store(f"file://{path.parent}").get(path.name, limit=1000)


def _task(path: Path) -> object:
    said = path.with_name("said")
    code = seal({"HALLMARK_TASK": str(path), "TERMINATION_LOG": str(said)})
    assert code == 1
    raise HallmarkError(said.read_text())


def _sealing(path: Path, store: str, **places: Path) -> object:
    """Start a sealing Job with hostile places; it ends with a sentence, not with a traceback."""
    handed, asked, said = (path.with_name(name) for name in ("handed", "task.json", "said"))
    handed.mkdir()
    asked.write_bytes(task(store_uri=store).to_bytes())
    environment = {name: str(place) for name, place in places.items()}
    environment |= {"HALLMARK_TASK": str(asked), "TERMINATION_LOG": str(said)}
    code = seal({"HALLMARK_HANDED": str(handed), **environment})
    outcome = SealOutcome.model_validate_json(said.read_bytes())
    assert code
    assert not outcome.sealed
    raise HallmarkError(outcome.message)


def _sealing_key(path: Path) -> object:
    return _sealing(path, "memory://", HALLMARK_SEALING_KEY=path)


def _credentials(path: Path) -> object:
    folder = path.with_name("credentials")
    folder.mkdir()
    for name in ("access-key-id", "secret-access-key"):
        (folder / name).symlink_to(path)
    return _sealing(path, "s3://models", HALLMARK_STORE_CREDENTIALS=folder)


def _handed_over(path: Path) -> object:
    secrets, handed = path.with_name("secrets"), path.with_name("handed")
    (secrets / "key").mkdir(parents=True)
    handed.mkdir()
    (secrets / "key" / "private.pem").symlink_to(path)
    return hand_over(secrets, handed)


def _secrets(path: Path) -> Secrets:
    for name in (TOKEN, KEY):
        path.with_name(name).symlink_to(path)
    found = SecretFiles(path.parent, "bank", "churn").current()
    assert found == Secrets(None, None)
    return found


READERS: dict[str, Callable[[Path], object]] = {
    "a key of the command line": read_key,
    "a manifest": read_documents,
    "a bill of materials": _of_file,
    "a folder's key": _key_of_folder,
    "a folder's registry": _registry,
    "a table": _table,
    "an object of a folder's store": _object,
    "the audit key": _open_log,
    "a log": _verify_log,
    "a witness's memory": _seen,
    "a sealing Job's task": _task,
    "a sealing Job's key": _sealing_key,
    "a sealing Job's credentials": _credentials,
    "a Secret that is handed over": _handed_over,
    "the key of the dashboard's sessions": session_key,
    "a predictor's trust": _by_trust_file,
    "a predictor's secrets": _secrets,
    "a predictor's kept file": lambda path: read_nearby(path, 100),
}


@HOSTILE
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_nobody_waits_or_dies_whatever_stands_in_a_files_place(
    reader: Callable[[Path], object], put: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "asked"
    put(path)
    try:
        reader(path)
    except (HallmarkError, OSError) as error:
        said = str(error)
        assert "Traceback" not in said
        assert len(said) < 1200


@HOSTILE
def test_what_is_not_a_short_regular_file_is_an_error_with_its_kind(
    put: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "asked"
    put(path)
    if put is _forbidden and os.geteuid() == 0:
        assert read_whole(path, 10) == b"x"
        return
    with pytest.raises(OSError, match=r".") as whole:
        read_whole(path, 1000)
    assert whole.value.strerror
    assert whole.value.filename in {str(path), path}


def test_a_file_is_read_up_to_its_bound_and_not_beyond(tmp_path: Path) -> None:
    path = tmp_path / "asked"
    path.write_bytes(b"12345")
    assert (read_first(path, 3), read_whole(path, 5)) == (b"123", b"12345")
    with pytest.raises(OSError, match="longer than 4 bytes"):
        read_whole(path, 4)
    path.write_bytes(b" \xe4\n")
    with pytest.raises(OSError, match="UTF-8"):
        read_line(path)
    path.write_bytes(b" secret\n")
    assert read_line(path) == "secret"
    path.write_bytes(b"x" * KEY_BYTES + b" ")
    with pytest.raises(OSError, match="longer"):
        read_line(path)
    with pytest.raises(FileNotFoundError):
        open_regular(Path("a\0b"))


@pytest.mark.parametrize("put", [_pipe, _to_pipe, _socket, _endless, _loop, Path.mkdir])
def test_nothing_is_written_to_what_is_no_regular_file(
    put: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "asked"
    put(path)
    for flags in (os.O_WRONLY | os.O_APPEND | os.O_CREAT, os.O_RDWR | os.O_CREAT):
        with pytest.raises(OSError, match=r"."):
            open_to_write(path, flags)


@HOSTILE
@pytest.mark.parametrize("end", ["", ".partial"])
def test_a_file_is_replaced_whole_whatever_stands_there_or_in_its_half(
    put: Callable[[Path], None], end: str, tmp_path: Path
) -> None:
    path = tmp_path / "asked"
    put(path.with_name(f"asked{end}"))
    if put is Path.mkdir:
        with pytest.raises(OSError, match=r"."):
            replace_file(path, b"new", os.fsync)
        return
    replace_file(path, b"new", os.fsync)
    assert path.read_bytes() == b"new"
    assert not path.is_symlink()


@HOSTILE
def test_a_pods_volume_takes_a_download_or_not_and_nobody_waits(
    put: Callable[[Path], None], tmp_path: Path
) -> None:
    data = b"{}"
    entry = ManifestFile(name="schema.json", digest=sha256_digest(data), size=len(data))
    put(tmp_path / ".schema.json.part")
    keep_file(tmp_path, entry, data)
    assert read_nearby(tmp_path / "schema.json", 100) == (None if put is Path.mkdir else data)


def test_no_pipe_is_written_to_that_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device"):
        write_text(path, "run", overwrite=True)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_text(path, "run", overwrite=True)
    assert os.read(reader, 10) == b"run"
    os.close(reader)


# -- no other way -----------------------------------------------------------------------------

ELSEWHERE = {
    "operator/hallmark/files.py": "the one way",
    "operator/hallmark/cli/files.py": "to write: O_NONBLOCK",
    "operator/hallmark/data/files.py": "follows no link: opens by O_NONBLOCK, fstat, bound",
    "operator/hallmark/verification/files.py": "follows no link: opens by O_NONBLOCK, fstat, bound",
    "operator/hallmark/audit/tlog/publish.py": "follows no link: O_NONBLOCK, fstat, bound",
    "operator/hallmark/audit/files.py": "a folder, to sync its names",
    "operator/hallmark/new_files.py": "a folder, to hold its lock",
    "operator/hallmark/pkcs11.py": "a session of a token",
    "operator/hallmark/supply_chain/serving.py": "a file of the package",
    "operator/hallmark/supply_chain/cyclonedx_schema.py": "a file of another package",
    "dashboard/hallmark_dashboard/pages/render.py": "a file of the package",
}
"""Where files are opened in another way, and why it waits for nothing."""
_READ = {"read_bytes", "read_text"}
_OPENERS = {"os", "io", "gzip", "bz2", "lzma", "codecs", "np", "numpy", "mmap", "shelve"}


def _reads(tree: ast.AST) -> Iterator[ast.Call]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        match call.func:
            case ast.Name(id="open"):
                yield call
            case ast.Attribute(attr=name) if name in _READ:
                yield call
            case ast.Attribute(attr="open", value=ast.Name(id=owner)) if owner in _OPENERS:
                if not _of_memory(call):
                    yield call
            case ast.Attribute(attr="open") if _is_read_mode(call):
                yield call


def _of_memory(call: ast.Call) -> bool:
    return isinstance(call.args[0], ast.Call) and ast.unparse(call.args[0].func) == "io.BytesIO"


def _is_read_mode(call: ast.Call) -> bool:
    """Tell whether a call is ``Path.open`` to read: with no argument, or a mode that reads."""
    given = [*call.args, *(word.value for word in call.keywords)]
    modes = [one.value for one in given if isinstance(one, ast.Constant)]
    plain = [mode for mode in modes if isinstance(mode, str) and set(mode) <= set("rwxab+t")]
    return not given or any("r" in mode or "+" in mode for mode in plain)


@pytest.mark.parametrize("root", ["operator", "predictor", "dashboard"])
def test_every_file_is_opened_by_the_one_way(root: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)[:80]}"
        for path in sorted((ROOT / root).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in ELSEWHERE
        for call in _reads(ast.parse(path.read_text()))
    }
    assert not found, "read it by hallmark.files, which waits for nothing and has a bound"


@pytest.mark.parametrize(
    "source",
    [
        "open(path)",
        "path.open()",
        'path.open("rb")',
        'path.open(mode="r")',
        'path.open("r+b")',
        "path.read_text()",
        "(a / b).read_bytes()",
        "os.open(path, flags)",
        "gzip.open(path)",
        "io.open(path)",
    ],
)
def test_each_way_of_reading_a_file_is_found(source: str) -> None:
    assert list(_reads(ast.parse(source)))


@pytest.mark.parametrize(
    "source", ['path.open("wb")', "stores.open(store)", "gzip.open(io.BytesIO(data))"]
)
def test_what_reads_no_file_is_not_found(source: str) -> None:
    assert not list(_reads(ast.parse(source)))
