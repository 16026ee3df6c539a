"""Entries and snapshots of OSV, as osv.dev publishes them."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H"
LOW = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"

Entry = dict[str, Any]


def events(*said: tuple[str, str]) -> list[Entry]:
    return [{"type": "ECOSYSTEM", "events": [{kind: version} for kind, version in said]}]


BEFORE_2 = events(("introduced", "0"), ("fixed", "2.0"))


def affected(package: str = "pillow", ecosystem: str = "PyPI", **said: Any) -> Entry:  # noqa: ANN401
    return {"package": {"ecosystem": ecosystem, "name": package}, "ranges": BEFORE_2} | said


def entry(id_: str = "GHSA-1", *parts: Entry, **said: Any) -> Entry:  # noqa: ANN401
    whole = {"id": id_, "modified": "2026-11-27T10:00:00.123456789Z", "affected": list(parts)}
    return whole | ({} if parts else {"affected": [affected()]}) | said


def snapshot(folder: Path, *entries: Entry, zipped: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{found['id']}.json": json.dumps(found) for found in entries}
    if zipped:
        with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name), text)
    else:
        for name, text in files.items():
            (folder / name).write_text(text)
    return folder
