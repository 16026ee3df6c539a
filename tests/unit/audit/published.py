"""Logs that are published, and installations that publish and cosign them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.files import head_path, log_files
from hallmark.audit.tlog.note import Note, NoteKey, log_signer, witness_signer
from hallmark.audit.tlog.publish import publish
from hallmark.audit.tlog.witness import cosign
from tests.unit.audit.factories import KEY, decided, open_log

TIME = 1_790_000_000


def no_sync(_: int) -> None:
    """Leave it to the system when data reach the disk."""


@dataclass
class Installation:
    """An installation: its log, what it publishes, and whom it remembers as a witness."""

    root: Path
    name: str = "hallmark.example/a"
    key: ec.EllipticCurvePrivateKey = KEY
    story: str = "decision"
    """Another story makes other records."""
    recorded: int = 0
    others: dict[str, Path] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """The log's current file."""
        return self.root / "logs" / "audit.log"

    @property
    def folder(self) -> Path:
        """What is published."""
        return self.root / "published"

    @property
    def log_key(self) -> NoteKey:
        """What checks its checkpoints."""
        return log_signer(self.key, self.name).key

    @property
    def witness_key(self) -> NoteKey:
        """What checks its cosignatures."""
        return witness_signer(self.key, self.name).key

    def record(self, count: int) -> None:
        """Record so many decisions more."""
        log = open_log(self.log, key=self.key, sync=no_sync)
        for number in range(self.recorded, self.recorded + count):
            log.append(decided(f"{self.story}-{number}"))
        log.close()
        self.recorded += count

    def publish(self) -> Note | str:
        """Publish the log as it is."""
        return publish(self.log, self.folder, self.key, self.name, TIME, no_sync)

    def cosign(self, other: Installation) -> Note | str:
        """Cosign what another one published, as it is there."""
        memory = self.root / "seen" / other.name.replace("/", "_")
        signer = witness_signer(self.key, self.name)
        return cosign(other.folder, other.log_key, signer, memory, TIME, no_sync)

    def forget_log(self) -> None:
        """Begin a log anew, as whoever has the volume and the key can."""
        for path in (*log_files(self.log), head_path(self.log)):
            path.unlink()
        self.recorded = 0
