"""What reviewers say of vulnerabilities in a version: VEX beside its bundle, and who signed it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hallmark.api.findings import Finding
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark.supply_chain.vex import FOLDER, MAX_BYTES, MOST, Heard, Sealed, is_named, read_vex
from hallmark.verification.files import Files
from hallmark.verification.held import MAX_DOCUMENT, Held
from hallmark.verification.links import Link, holds, open_


def vex_by_folder(files: Files) -> dict[str, list[str]]:
    """Return the paths of what may be VEX, in order, by the folder of the bundle it is beside."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in sorted(files.names()):
        folder, beside, file = name.rpartition(f"/{FOLDER}/")
        if beside and is_named(f"{FOLDER}/{file}"):
            found[f"{folder}/"].append(name)
    return found


def vex_links(held: Held) -> Iterator[Link]:
    """Yield a link for each VEX beside a bundle; none breaks the chain, of which it is no part."""
    manifest = held.bundle.manifest
    if isinstance(manifest, Finding):
        return
    try:
        bill = parse_object(held.sealed_bill(manifest), MAX_DOCUMENT)
    except UnreadableJSON:
        return  # The link of the SBOM is broken.
    sealed = Sealed(manifest, held.version.spec.artifact.manifest_digest, bill)
    for name in held.vex[:MOST]:
        data = held.files.read(name, MAX_BYTES)
        if not held.trusted.approvers:
            yield open_("VEX", "Give the keys of approvers to check who says it.")
        elif data is None:
            yield open_(
                "VEX", f"Expected at most {MAX_BYTES} bytes, found more; it does not count."
            )
        else:
            heard = read_vex(data, sealed, held.trusted.approvers, held.now)
            if isinstance(heard, Heard):
                yield holds("VEX", heard.sentence())
            else:
                yield open_("VEX", f"It counts for nothing: {heard}")
