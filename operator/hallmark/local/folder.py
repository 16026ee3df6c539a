"""A folder that holds a chain: where everything is, its keys, its lock and its record.

``models/`` has the registry, the sealed bundles and the estimators, ``sbom/`` the SBOMs, ``logs/``
the audit log, ``osv/`` a snapshot of OSV where somebody put one; ``keys/`` is for this user alone.
A change is a transaction under a lock: what was decided is recorded and synced first, then the
registry is replaced whole, so that a process that is killed leaves the state before or after.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark import store
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.texts import clip
from hallmark.audit import AuditLog, Record
from hallmark.audit.files import head_path, replace_file, sync_folder
from hallmark.audit.head import Head
from hallmark.audit.memory import LogMemory
from hallmark.errors import ConfigurationError
from hallmark.files import KEY_BYTES, open_to_write, read_whole
from hallmark.keys import key_id, load_private_key, private_pem, public_pem
from hallmark.local.lost import AUDIT_KEY, PURPOSES, lost_key, lost_registry, trusted_ids
from hallmark.local.registry import MAX_BYTES, Registry, read_registry
from hallmark.new_files import write_new
from hallmark.policies.deletions import DeletionReason, deletion_record, deletions_are_recorded
from hallmark.supply_chain.osv_feed import Feed

_PATIENCE = 60.0
"""Seconds to wait for another command's transaction."""


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Folder:
    """Where a chain is kept."""

    path: Path
    clock: Callable[[], datetime] = now

    @property
    def registry_file(self) -> Path:
        """The state."""
        return self.path / "models" / "registry.json"

    @property
    def log_file(self) -> Path:
        """The audit log."""
        return self.path / "logs" / "secure_mlops.log"

    @cached_property
    def feed(self) -> Feed:
        """The snapshot of OSV, by which known vulnerabilities are found."""
        return Feed(self.path / "osv")

    @property
    def exists(self) -> bool:
        """Whether a chain was begun here."""
        return os.path.lexists(self.registry_file)

    def key_file(self, purpose: str) -> Path:
        """Return where a private key is."""
        return self.path / "keys" / f"{purpose}.pem"

    def make(self) -> None:
        """Make the folders and the keys that are missing.

        Raises:
            ConfigurationError: the folder cannot be used.
        """
        path = str(self.path.absolute())
        if any("\ud800" <= letter <= "\udfff" for letter in path):
            raise ConfigurationError(
                f"Expected a folder whose path is UTF-8, as it stands in the registry, found "
                f"{clip(path)!r}; name another one with --state."
            )
        try:
            self._require_whole()
            for name in ("models", "sbom", "logs", "serving"):
                (self.path / name).mkdir(parents=True, exist_ok=True)
            keys = self.path / "keys"
            keys.mkdir(mode=0o700, exist_ok=True)
            replace_file(keys / ".gitignore", b"*\n", os.fsync)
            for purpose in PURPOSES:
                _make_key(self.key_file(purpose))
                # For whoever verifies: 'hallmark audit verify --public-key', or a cluster's policy.
                public = self.key_file(purpose).with_suffix(".pub")
                replace_file(public, self.public_key(purpose).encode(), os.fsync)
        except OSError as error:
            raise ConfigurationError(
                f"The folder {self.path} cannot be used ({error.strerror}); name another one with "
                "--state."
            ) from error

    def _require_whole(self) -> None:
        """Refuse to go on with a chain that has lost what cannot be made anew.

        Raises:
            ConfigurationError: its registry or a key of it is gone, or is another one.
            IntegrityError: the registry cannot be read.
        """
        if self.exists:
            self._require_keys(self.read().policy)
            return
        models = self.path / "models"
        left = [path for path in (self.log_file, head_path(self.log_file)) if os.path.lexists(path)]
        left += sorted(models.glob("[!.]*")) if models.is_dir() else []
        left = [path for path in left if not path.name.startswith(self.registry_file.name)]
        if left:
            raise ConfigurationError(lost_registry(str(self.registry_file), str(left[0])))

    def _require_keys(self, policy: ModelPolicy) -> None:
        for purpose in PURPOSES:
            file = self.key_file(purpose)
            if not trusted_ids(policy.spec, purpose):
                continue  # Nothing was done with it yet.
            found = key_id(self.key(purpose)) if os.path.lexists(file) else None
            said = lost_key(purpose, str(file), policy.spec, found)
            if said is not None:
                raise ConfigurationError(said)

    def key(self, purpose: str) -> ec.EllipticCurvePrivateKey:
        """Return a private key.

        Raises:
            ConfigurationError: it cannot be read.
        """
        file = self.key_file(purpose)
        try:
            return load_private_key(read_whole(file, KEY_BYTES))
        except OSError as error:
            raise ConfigurationError(
                f"The key {file} cannot be read ({error.strerror}). Restore it; what it signed "
                "does not verify without it."
            ) from error
        except ConfigurationError as error:
            raise ConfigurationError(f"{file}: {error}") from error

    def public_key(self, purpose: str) -> str:
        """Return a key's public half in PEM."""
        return public_pem(self.key(purpose).public_key())

    def store(self) -> store.Store:
        """Return the folder as the artifact store that Jobs and operator know."""
        return store.open_store(f"file://{self.path.resolve()}")

    def read(self) -> Registry:
        """Return the state as it is now.

        Raises:
            ConfigurationError: there is none.
            IntegrityError: it cannot be read.
        """
        try:
            data = read_whole(self.registry_file, MAX_BYTES)
        except FileNotFoundError:
            raise ConfigurationError(
                f"Expected a chain in {self.path}, found no {self.registry_file.name}. Begin one "
                "with 'hallmark local run.yaml', or name its folder with --state."
            ) from None
        except OSError as error:
            raise ConfigurationError(
                f"The registry {self.registry_file} cannot be read ({error.strerror}). Restore it "
                "from a backup, or name another folder with --state."
            ) from error
        return read_registry(data, str(self.registry_file))

    @contextmanager
    def transaction(self, policy: ModelPolicy | None = None) -> Iterator[Transaction]:
        """Hold the lock, and give the state to change.

        Args:
            policy: what a chain that is begun here demands.

        Raises:
            ConfigurationError: there is no state and no policy, or another command holds the lock.
        """
        with self.lock("lock", _PATIENCE):
            if policy is not None and not self.exists:
                registry = Registry(policy=policy)
            else:
                registry = self.read()
                self._require_keys(registry.policy)
            yield Transaction(self, registry)

    @contextmanager
    def lock(self, name: str, patience: float) -> Iterator[None]:
        """Hold a lock of this folder, which ends with the process.

        Raises:
            ConfigurationError: somebody else held it all the time.
        """
        file = self.path / f".{name}"
        try:
            descriptor = open_to_write(file, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise ConfigurationError(
                f"The lock {file} cannot be taken ({error.strerror}); move away what is there."
            ) from error
        try:
            end = time.monotonic() + patience
            while not _locked(descriptor):
                if time.monotonic() >= end:
                    raise ConfigurationError(
                        f"Another command works in {self.path} ({name}); wait until it has ended."
                    )
                time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)

    def is_locked(self, name: str) -> bool:
        """Tell whether a process holds a lock of this folder."""
        try:
            with self.lock(name, 0):
                return False
        except ConfigurationError:
            return True


class Transaction:
    """One change of the state: recorded, then written."""

    def __init__(self, folder: Folder, registry: Registry) -> None:
        """Begin with the state as it is."""
        self.folder = folder
        self.registry = registry

    def commit(self, registry: Registry, records: Sequence[Record] = ()) -> None:
        """Record the decisions, synced, then replace the state; nothing where nothing changed.

        Raises:
            HallmarkError: the audit log cannot be written; then nothing takes effect.
        """
        if records:
            registry = registry.replace(audit=self._recorded(records, registry))
        if registry != self.registry or not self.folder.exists:
            replace_file(self.folder.registry_file, registry.to_text(), os.fsync)
            sync_folder(self.folder.registry_file.parent, os.fsync)
        self.registry = registry

    def _recorded(self, records: Sequence[Record], registry: Registry) -> Head | None:
        """Record decisions, and what the registry no longer keeps; return how far the log is."""
        folder = self.folder
        log = AuditLog(folder.log_file, folder.key(AUDIT_KEY), clock=folder.clock)
        try:
            log.verify_rest(self.registry.audit)
            for record in records:
                log.append(record)
            for record in _deletions(log.memory, registry):
                log.append(record)
            return log.head()
        finally:
            log.close()


def _deletions(memory: LogMemory, registry: Registry) -> Iterator[Record]:
    """Yield what is to be recorded of objects that a registry no longer keeps."""
    kept = (registry.runs, registry.versions, registry.approvals, registry.deployments)
    uids = {found.metadata.uid for objects in kept for found in objects}
    for known in memory.known():
        if known.uid not in uids:
            yield deletion_record(known, DeletionReason.LEFT_OUT)
    yield deletions_are_recorded()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _make_key(file: Path) -> None:
    """Make a key that only this user can read, whole or not at all; one that is there stays."""
    if file.exists():
        return
    with suppress(FileExistsError):  # Another command was faster.
        write_new(file, private_pem(ec.generate_private_key(ec.SECP256R1())), 0o600)
