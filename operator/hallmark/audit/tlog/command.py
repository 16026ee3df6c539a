"""What ``hallmark audit publish``, ``cosign``, ``prove``, ``check`` and ``names`` do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.command import mounted_key
from hallmark.audit.files import replace_file
from hallmark.audit.tlog.note import Note, log_signer, read_key, witness_signer
from hallmark.audit.tlog.publish import publish
from hallmark.audit.tlog.witness import check_proof, cosign, prove
from hallmark.errors import ConfigurationError
from hallmark.files import KEY_BYTES, read_first, read_whole
from hallmark.keys import load_private_key

Say = Callable[[str], object]
_RECORD_BYTES = 64 * 1024


def publish_log(log: Path, folder: Path, key: Path | None, name: str, say: Say) -> bool:
    """Bring the published form of a log up to date, say how far, and tell whether that could be.

    Raises:
        ConfigurationError: the key or the name cannot be used.
        OSError: a file cannot be read or written.
    """
    return _told(publish(log, folder, _private(key), name, int(time.time()), os.fsync), say)


def cosign_log(folder: Path, log: str, key: Path | None, name: str, memory: Path, say: Say) -> bool:
    """Cosign a published log as a witness, and tell whether it continues what was seen before.

    Raises:
        ConfigurationError: a key or the name cannot be used.
        OSError: a file cannot be read or written.
    """
    signer, now = witness_signer(_private(key), name), int(time.time())
    return _told(cosign(folder, read_key(log), signer, memory, now, os.fsync), say)


def prove_record(folder: Path, log: str, seq: int, to: Path, say: Say) -> bool:
    """Write a record and the proof that it is in a published log, and tell whether it is.

    Raises:
        ConfigurationError: the key is none.
        OSError: a file cannot be written.
    """
    found = prove(folder, read_key(log), seq)
    if isinstance(found, str):
        say(found)
        return False
    record, proof = found
    to.mkdir(parents=True, exist_ok=True)
    replace_file(to / f"{seq}.json", record, os.fsync)
    replace_file(to / f"{seq}.tlog-proof", proof.encode(), os.fsync)
    say(f"{to / str(seq)}.json, {to / str(seq)}.tlog-proof")
    return True


def check_record(
    record: Path, proof: Path, log: str, witnesses: Sequence[str], minimum: int, say: Say
) -> bool:
    """Check that a record is in a log that enough witnesses saw, and tell whether it is.

    Raises:
        ConfigurationError: a key is none.
        OSError: a file cannot be read.
    """
    keys = [read_key(text) for text in witnesses]
    data = [_bytes(path) for path in (record, proof)]
    found = check_proof(data[0], data[1], read_key(log), keys, minimum)
    if isinstance(found, str):
        say(found)
        return False
    seq, names = found
    say(f"Record {seq} of {read_key(log).name}, cosigned by {', '.join(names) or 'nobody known'}.")
    return True


def tell_names(key: Path | None, name: str, say: Say) -> bool:
    """Say the public keys that others need, of a log and of a witness of that name.

    Raises:
        ConfigurationError: the key or the name cannot be used.
        OSError: the key cannot be read.
    """
    private = _private(key)
    say(f"log      {log_signer(private, name).key.to_text()}")
    say(f"witness  {witness_signer(private, name).key.to_text()}")
    return True


def _told(found: Note | str, say: Say) -> bool:
    if isinstance(found, str):
        say(found)
        return False
    say(f"{found.checkpoint.origin}: {found.checkpoint.size} records")
    return True


def _private(key: Path | None) -> ec.EllipticCurvePrivateKey:
    path = key or mounted_key()
    try:
        return load_private_key(read_whole(path, KEY_BYTES))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"Expected the audit key {path}, found none; give --key."
        ) from error


def _bytes(path: Path) -> bytes:
    return read_first(path, 2 * _RECORD_BYTES + 1)
