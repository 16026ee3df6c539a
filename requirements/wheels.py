"""Keep in an image which wheels it was built from: ``wheels.json`` beside its packages.

``python3 wheels.py REPORT`` reads pip's report of an installation, which names the digest of each
archive that pip has checked against the lock, adds them to what is there and removes the report.
A bill of materials takes the digests from there (``hallmark.supply_chain.installed``).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any


def wheels(report: dict[str, Any]) -> dict[str, str]:
    """Return the SHA-256, in hex digits, of each archive by ``name==version`` (PEP 503's names).

    https://pip.pypa.io/en/stable/reference/installation-report/
    """
    found = {}
    for item in report["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        archive = item["download_info"].get("archive_info", {})
        if digest := archive.get("hashes", {}).get("sha256"):
            found[f"{name}=={item['metadata']['version']}"] = digest
    return found


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.prefix) / "wheels.json"
    before = json.loads(target.read_text()) if target.exists() else {}
    now = wheels(json.loads(source.read_text()))
    target.write_text(json.dumps({**before, **now}, sort_keys=True, indent=1) + "\n")
    source.unlink()
