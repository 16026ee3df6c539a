"""``python -m hallmark.supply_chain``: the sealing Job's process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from hallmark.api import names
from hallmark.api.files import REFUSED_EXIT_CODE
from hallmark.api.tasks import SealOutcome, SealTask
from hallmark.api.texts import clip
from hallmark.errors import ConfigurationError, HallmarkError
from hallmark.files import DOCUMENT_BYTES, KEY_BYTES, read_whole
from hallmark.keys import open_signer
from hallmark.store import open_store
from hallmark.supply_chain.handing_over import HANDED, close_to_children, remove
from hallmark.supply_chain.osv_feed import Feed
from hallmark.supply_chain.sealing import seal

_FAILED_EXIT_CODE = 1


def main(environment: Mapping[str, str]) -> int:
    """Seal what the task names, write the outcome, and return the exit code.

    Args:
        environment: May name other places than the contract's: ``HALLMARK_TASK``,
            ``HALLMARK_HANDED`` (its files are removed once they are read), ``TERMINATION_LOG``;
            ``HALLMARK_SEALING_KEY`` and ``HALLMARK_STORE_CREDENTIALS``, which stay where they are;
            ``HALLMARK_OSV``, the folder with a snapshot of OSV.
    """
    try:
        outcome = _run(environment)
        code = 0 if outcome.sealed else REFUSED_EXIT_CODE
    except HallmarkError as error:
        outcome = SealOutcome(sealed=False, message=clip(str(error), 1000))
        code = _FAILED_EXIT_CODE
    Path(environment.get("TERMINATION_LOG", "/dev/termination-log")).write_bytes(outcome.to_bytes())
    sys.stderr.write(f"{outcome.message or f'sealed {outcome.uri}'}\n")
    return code


def _run(environment: Mapping[str, str]) -> SealOutcome:
    task_file = Path(environment.get("HALLMARK_TASK", "/etc/hallmark/task.json"))
    handed = Path(environment.get("HALLMARK_HANDED", str(HANDED)))
    key_file = Path(environment.get("HALLMARK_SEALING_KEY", str(handed / "key/private.pem")))
    credentials = Path(environment.get("HALLMARK_STORE_CREDENTIALS", str(handed / "store")))
    try:
        task = SealTask.model_validate_json(read_whole(task_file, DOCUMENT_BYTES))
    except (OSError, ValidationError) as error:
        raise ConfigurationError(
            f"The task in {task_file} cannot be read ({type(error).__name__})."
        ) from error
    store = open_store(
        task.store_uri,
        endpoint=task.store_endpoint,
        region=task.store_region,
        credentials=credentials if credentials.is_dir() else None,
    )
    key = _read(key_file)
    remove(handed)
    now, feed = datetime.now(UTC), Feed(Path(environment.get("HALLMARK_OSV", names.OSV_FOLDER)))
    return seal(task, store, lambda: open_signer(key), now, lambda asked: feed.about(asked, now))


def _read(path: Path) -> bytes:
    try:
        return read_whole(path, KEY_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"The sealing key {path} cannot be read ({type(error).__name__})."
        ) from error


if __name__ == "__main__":
    close_to_children()
    sys.exit(main(os.environ))
