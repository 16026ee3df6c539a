"""``python -m hallmark_predictor.contents SBOM``: the packages here are those that a bill lists.

The build of a model's own image runs it: what differs ends the build with a sentence.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hallmark.api.files import REFUSED_EXIT_CODE
from hallmark.files import read_whole
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

MAX_BYTES = 4 << 20
"""A longer bill is refused unread."""
_PURL = re.compile(r"pkg:pypi/([^@?#]+)@([^?#]+)")


def listed(document: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return normalised name and version of each Python package that a CycloneDX bill lists."""
    components = document.get("components")
    purls = (
        component.get("purl")
        for component in (components if isinstance(components, list) else [])
        if isinstance(component, dict)
    )
    found = (_PURL.match(purl) for purl in purls if isinstance(purl, str))
    return {(normalised(match[1]), unquote(match[2])) for match in found if match}


def differences(installed: Iterable[tuple[str, str]], bill: set[tuple[str, str]]) -> Iterator[str]:
    """Yield a sentence on each installed package that the bill does not list so.

    Args:
        installed: name and version of each package in the image.
        bill: what ``listed`` returns.
    """
    for name, version in sorted({(normalised(name), version) for name, version in installed}):
        if (name, version) in bill:
            continue
        others = sorted(known for other, known in bill if other == name)
        said = f"version {' or '.join(others)}" if others else "no such package"
        yield f"Package '{name}': expected {said} as the SBOM lists it, found {version}."


def normalised(name: str) -> str:
    """Return a package's name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: Sequence[str]) -> int:
    """Compare this interpreter's packages with the bill in a file; return the exit code."""
    if len(arguments) != 1:
        return _refuse(["Expected one argument: the file of the bill of materials."])
    try:
        document = parse_object(read_whole(Path(arguments[0]), MAX_BYTES), MAX_BYTES)
    except (OSError, UnreadableJSON) as error:
        return _refuse([f"The bill of materials {arguments[0]} cannot be read: {error}."])
    here = [(found.metadata["Name"] or "", found.version) for found in distributions()]
    found = list(differences(here, listed(document)))
    if found:
        advice = "Take the predictor's image of the release that sealed the model."
        return _refuse([*found, advice])
    return 0


def _refuse(sentences: Sequence[str]) -> int:
    for sentence in sentences:
        sys.stderr.write(f"{sentence}\n")
    return REFUSED_EXIT_CODE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
