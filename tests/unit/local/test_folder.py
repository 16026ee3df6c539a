"""A folder that keeps a chain: what a crash leaves, and what somebody took away."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hallmark.api.dependencies import Dependencies
from hallmark.api.training_run import TrainingRun
from hallmark.audit import Record
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.verify import verify_log
from hallmark.cli.files import read_object
from hallmark.errors import ConfigurationError, HallmarkError, IntegrityError
from hallmark.local.begin import begin
from hallmark.local.folder import Folder
from hallmark.local.lost import AUDIT_KEY
from hallmark.local.reviews import own_approver
from hallmark.local.runs import _free_name

RUN = Path(__file__).parents[1] / "cli" / "run.yaml"


def record(decision: str) -> Record:
    return Record(
        decision_id=decision,
        event=AuditEvent.APPROVE,
        kind="ModelVersion",
        namespace="default",
        name="loan-v1",
        uid="u-1",
        outcome=AuditOutcome.ACCEPTED,
        reason="Accepted",
    )


def commit(folder: Folder, *decisions: str) -> None:
    with folder.transaction() as transaction:
        transaction.commit(transaction.registry, [record(decision) for decision in decisions])


def events(folder: Folder) -> list[str]:
    lines = folder.log_file.read_text().splitlines()
    return [str(json.loads(line)["event"]) for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return begin(tmp_path / "chain", read_object(RUN, TrainingRun), None)


def test_keys_are_for_this_user_alone_and_stay(folder: Folder) -> None:
    before = {file.name: file.read_bytes() for file in folder.path.glob("keys/*.pem")}
    folder.make()

    assert len(before) == 3
    assert {file.name: file.read_bytes() for file in folder.path.glob("keys/*.pem")} == before
    assert (folder.path / "keys").stat().st_mode & 0o077 == 0


def test_a_decision_that_was_recorded_before_a_crash_is_completed_once(folder: Folder) -> None:
    commit(folder, "a")
    before = folder.registry_file.read_bytes()
    commit(folder, "b")
    folder.registry_file.write_bytes(before)  # the process ended between log and registry

    commit(folder, "b", "c")
    assert events(folder).count("approve") == 3
    assert verify_log(folder.log_file, folder.public_key(AUDIT_KEY)).ok


def test_what_the_registry_does_not_keep_is_recorded_as_gone_once(folder: Folder) -> None:
    commit(folder, "a")
    commit(folder, "b")
    lines = [json.loads(line) for line in folder.log_file.read_text().splitlines()]
    gone = [(line["uid"], line["reason"]) for line in lines if line["event"] == "delete"]
    assert gone == [("u-1", "LeftOut"), ("", "DeletionsRecorded")]


def test_a_log_that_was_cut_with_its_head_is_found(folder: Folder) -> None:
    commit(folder, "a")
    head = folder.log_file.with_name("secure_mlops.log.head")
    older = folder.log_file.read_bytes(), head.read_bytes()
    commit(folder, "b")
    folder.log_file.write_bytes(older[0])
    head.write_bytes(older[1])

    commit(folder, "c")
    assert set(events(folder)) != {"approve"}


def test_two_commands_at_once_wait_for_each_other(folder: Folder) -> None:
    with folder.lock("lock", 0):
        assert folder.is_locked("lock")
        with (
            pytest.raises(ConfigurationError, match="Another command works in"),
            folder.lock("lock", 0),
        ):
            pass
    assert not folder.is_locked("lock")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"policy": 1}', "\udcff"], ids=repr)
def test_a_registry_that_is_none_is_said(folder: Folder, text: str) -> None:
    folder.registry_file.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(IntegrityError, match="is not a registry as this version writes it"):
        folder.read()


@given(
    st.from_regex(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True),
    st.integers(min_value=1, max_value=12),
)
def test_a_name_that_is_taken_gets_the_next_number(name: str, times: int) -> None:
    taken: set[str] = set()
    for _ in range(times):
        found = _free_name(name, taken)
        assert found not in taken
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", found)
        assert len(found) <= 52
        taken.add(found)
    assert name in taken


@pytest.mark.parametrize("name", ["st\udcff", "st\udcff/inner"])
def test_a_folder_whose_path_is_no_text_is_refused_before_anything_is_made(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigurationError, match="--state") as refused:
        Folder(tmp_path / name).make()
    assert str(refused.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigurationError, match="symbolic links"):
        Folder(tmp_path / "loop").make()


# -- what somebody took away, or put in its place ----------------------------------------------

FILES = (
    "keys/sealing.pem",
    "keys/audit.pem",
    "keys/approver.pem",
    "models/registry.json",
    "logs/secure_mlops.log",
    "logs/secure_mlops.log.head",
    "keys/sealing.pub",
    "keys/.gitignore",
    ".lock",
)
NEEDED = FILES[:4]
"""What is nowhere else, so that nobody makes it anew."""


def _deleted(path: Path, stranger: Path) -> None:
    del stranger
    path.unlink()


def _emptied(path: Path, stranger: Path) -> None:
    del stranger
    path.write_bytes(b"")


def _cut(path: Path, stranger: Path) -> None:
    del stranger
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _strangers(path: Path, stranger: Path) -> None:
    path.write_bytes(stranger.read_bytes())


def _folder(path: Path, stranger: Path) -> None:
    del stranger
    path.unlink()
    path.mkdir()


def _pipe(path: Path, stranger: Path) -> None:
    del stranger
    path.unlink()
    os.mkfifo(path)


def _link_to_nothing(path: Path, stranger: Path) -> None:
    del stranger
    path.unlink()
    path.symlink_to("nothing")


def _unreadable(path: Path, stranger: Path) -> None:
    del stranger
    path.unlink()
    path.symlink_to(path)


HARM = (_deleted, _emptied, _cut, _strangers, _folder, _pipe, _link_to_nothing, _unreadable)


def began(path: Path) -> Folder:
    """Return a folder with a log, in which all three keys were used."""
    folder = begin(path, read_object(RUN, TrainingRun), None)
    with folder.transaction() as transaction:
        trusted = own_approver(folder, "local:somebody")
        policy = transaction.registry.policy
        spec = policy.spec.replace(approvers=[trusted])
        changed = transaction.registry.replace(policy=policy.replace(spec=spec))
        transaction.commit(changed, [record("a")])
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("name", FILES)
def test_whatever_is_done_to_a_file_nothing_is_lost_in_silence(
    name: str, harm: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    """Whoever goes on is refused in a sentence, or what was there is on record."""
    folder, other = began(tmp_path / "chain"), began(tmp_path / "other")
    harm(folder.path / name, other.path / name)
    before = contents(folder.path)

    refused = ""
    try:
        begin(folder.path, read_object(RUN, TrainingRun), None)
        commit(folder, "b")
    except HallmarkError as error:
        refused = str(error)
    # What is the same in each folder is no stranger's.
    same = harm is _strangers and name in {"keys/.gitignore", ".lock"}
    if name in NEEDED and not (name == "models/registry.json" and harm is _strangers):
        assert refused.startswith(("Expected", "The registry", "The key", str(folder.path)))
        assert str(folder.path) in refused
        assert Path(name).name in refused
        assert contents(folder.path) == before, "nothing is changed"
        with pytest.raises(HallmarkError):
            commit(folder, "b")
    elif refused:
        assert str(folder.path) in refused
        assert name not in {"keys/sealing.pub", "keys/.gitignore", ".lock"} or harm in _NO_FILE
    elif not same and name.startswith("logs/"):
        assert "recover" in events(folder)
        assert len(list((folder.path / "logs").glob("*.broken-*"))) == 1, "nothing is thrown away"
    else:
        assert {"a", "b"} <= set(decisions(folder))


_NO_FILE = (_folder, _pipe, _unreadable, _link_to_nothing)


def decisions(folder: Folder) -> list[str]:
    lines = folder.log_file.read_text().splitlines()
    return [str(json.loads(line)["decisionId"]) for line in lines]


def test_a_key_that_nothing_depends_on_yet_is_made_anew(folder: Folder) -> None:
    folder.key_file("approver").unlink()
    folder.make()
    assert folder.key_file("approver").exists()


def test_of_a_start_that_was_killed_the_keys_that_are_missing_are_made(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "chain")
    folder.make()
    folder.key_file("audit").unlink()
    begin(folder.path, read_object(RUN, TrainingRun), None)
    commit(folder, "a")


@pytest.mark.parametrize("times", [1, 2, 5])
def test_each_change_of_what_a_folder_demands_is_on_record(folder: Folder, times: int) -> None:
    """Also one that was made before, and taken back."""
    run, plain = read_object(RUN, TrainingRun), folder.read().policy
    denied = plain.spec.replace(dependencies=Dependencies(denied=["pillow<10.3"]))
    strict, expected = plain.replace(spec=denied), list[str]()
    for _ in range(times):
        for demands in (strict, plain):
            begin(folder.path, run, demands)
            begin(folder.path, run, demands)
            expected.append(folder.read().policy.spec.digest)
    lines = map(json.loads, folder.log_file.read_text().splitlines())
    changed = [line["details"]["newDigest"] for line in lines if line["event"] == "guard"]
    assert changed == expected
    assert len(set(changed)) == 2
