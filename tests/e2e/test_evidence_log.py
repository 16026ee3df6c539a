"""The log as the operator publishes it, read from the store by packages that are not ours."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from tests.e2e.harness import objects
from tests.e2e.harness.evidence import Desk, desk
from tests.e2e.harness.installation import wait_for_rollout
from tests.e2e.harness.world import OPERATOR, SYSTEM, World
from tests.foreign import HERE, built, needs, said

pytestmark = pytest.mark.slow

LOG_NAME = "hallmark.example/e2e"
POLICY = "e2e-published"


@dataclass(frozen=True)
class Published:
    """What lies in the store, and who checks it.

    Attributes:
        world: the installation.
        store: the bucket, from this machine.
        key: the log's name and public key, as `names` says it.
        verifier: the program of `tests/foreign/tlog`.
        folder: where copies go.
    """

    world: World
    store: S3Store
    key: str
    verifier: Path
    folder: Path

    @property
    def prefix(self) -> str:
        """Where in the bucket the log is."""
        return f"published/{self.key.split('+')[0]}/"

    def size(self) -> int:
        """Return how many records the checkpoint counts; 0 if there is none."""
        try:
            text = bytes(obstore.get(self.store, f"{self.prefix}checkpoint").bytes())
        except FileNotFoundError:
            return 0
        return int(text.splitlines()[1])

    def grow(self, label: str) -> None:
        """Let the operator record something, and wait until it is published."""
        before = self.size()
        # A changed ModelPolicy is a record.
        policy = self.world.api.get("ModelPolicy", None, "default")["spec"]
        changed = objects.resource("ModelPolicy", None, POLICY, policy, labels={"grown": label})
        changed["spec"]["approvals"] = {**policy["approvals"], "minimum": 1 + len(label) % 3}
        self.world.api.apply(changed)
        self.world.until(lambda: self.size() > before, "the log to be published further")

    def copy(self, name: str) -> Path:
        """Copy what is published out of the store."""
        target = self.folder / name
        for batch in obstore.list(self.store, self.prefix):
            for entry in batch:
                file = target / entry["path"].removeprefix(self.prefix)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(bytes(obstore.get(self.store, entry["path"]).bytes()))
        return target

    def replace(self, by: Path) -> None:
        """Put a copy into the place of what is published, as a thief of the store would."""
        paths = [one["path"] for batch in obstore.list(self.store, self.prefix) for one in batch]
        obstore.delete(self.store, paths)
        for file in (path for path in by.rglob("*") if path.is_file()):
            path = self.prefix + file.relative_to(by).as_posix()
            obstore.put(self.store, path, file.read_bytes())

    def check(self, copied: Path, seen: Path | None = None) -> tuple[int, str]:
        """Let packages of the Go project and transparency.dev check a copy."""
        old = seen / "checkpoint" if seen else "-"
        return said([self.verifier, copied, self.key, "-", old, "-", "-"])


@pytest.fixture
def auditor(world: World, tmp_path: Path) -> Iterator[Desk]:
    """A way to the store."""
    with desk(world, tmp_path) as made:
        yield made


@pytest.fixture
def published(world: World, auditor: Desk, tmp_path: Path) -> Iterator[Published]:
    """The operator, told the log's name with the command of docs/audit.md."""
    verifier = tmp_path / "tlog"
    built([needs("go"), "build", "-mod=readonly", "-o", str(verifier), "."], HERE / "tlog")
    environment = ("-n", SYSTEM, "set", "env", f"deploy/{OPERATOR}")
    named = f"HALLMARK_AUDIT_PUBLISH={LOG_NAME}"
    world.cluster.kubectl(*environment, named, "HALLMARK_AUDIT_PUBLISH_SECONDS=2")
    try:
        wait_for_rollout(world, OPERATOR)
        yield Published(world, _bucket(auditor), _log_key(world), verifier, tmp_path)
    finally:
        unset = ("HALLMARK_AUDIT_PUBLISH-", "HALLMARK_AUDIT_PUBLISH_SECONDS-")
        world.cluster.kubectl(*environment, *unset)
        world.api.delete("ModelPolicy", None, POLICY)
        wait_for_rollout(world, OPERATOR)


def _bucket(auditor: Desk) -> S3Store:
    credentials = auditor.folder / "credentials"
    endpoint = next(option for option in auditor.store if "endpoint" in option)
    return S3Store(
        "hallmark",
        endpoint=endpoint.partition("=")[2],
        region="us-east-1",
        access_key_id=(credentials / "access-key-id").read_text(),
        secret_access_key=(credentials / "secret-access-key").read_text(),
        client_options={"allow_http": True},
        virtual_hosted_style_request=False,
    )


def _log_key(world: World) -> str:
    """Return the key of the published log, as the operator's own log and `names` say it."""

    def told() -> list[str]:
        [pod] = world.operator_pods()
        lines = world.api.log(SYSTEM, pod["metadata"]["name"]).splitlines()
        return [line for line in lines if "The audit log is published." in line]

    found = world.until(told, "the operator to say under which key it publishes")
    key = str(json.loads(found[-1])["key"])
    names = world.run_in_operator("-m", "hallmark.audit", "names", "--name", key.split("+")[0])
    assert key in names.stdout, names.stdout + names.stderr
    return key


def test_what_lies_in_the_store_verifies_and_a_truncation_is_found(published: Published) -> None:
    published.world.until(lambda: published.size() > 0, "the log to be published", 120)
    first = published.copy("first")
    assert published.check(first)[0] == 0, published.check(first)
    published.grow("a")
    second = published.copy("second")
    assert published.check(second, seen=first)[0] == 0, published.check(second, seen=first)

    published.replace(by=first)
    cut = published.copy("cut")
    assert published.check(cut)[0] == 0, "alone it is a log like any other"
    code, text = published.check(cut, seen=second)
    assert (code, "cut off" in text) == (1, True), text

    shutil.rmtree(cut)
    published.grow("bb")
    third = published.copy("third")
    code, text = published.check(third, seen=second)
    assert code == 0, f"the operator publishes on, from the log itself: {text}"
