"""The components of a CycloneDX document, whoever wrote it. Pure, and without a library."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

_NO_PACKAGES = ("data", "file")


def every_component(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the components of a CycloneDX document, those inside others too, level by level.

    Those inside what it describes count, what it describes does not.
    """
    metadata = document.get("metadata")
    root = metadata.get("component") if isinstance(metadata, dict) else None
    waiting = deque([document.get("components")])
    if isinstance(root, dict):
        waiting.append(root.get("components"))
    while waiting:
        found = waiting.popleft()
        for part in found if isinstance(found, list) else ():
            if isinstance(part, dict):
                waiting.append(part.get("components"))
                yield part


def is_package(type_: object, purl: object) -> bool:
    """Tell whether a component is a package of the model's: so that none hides, almost all are.

    Data and files without a package URL and the packages of the image's system, which dpkg
    installed, are none.
    """
    return (type_ not in _NO_PACKAGES or bool(purl)) and not is_of_system(purl)


def is_of_system(purl: object) -> bool:
    """Tell whether a package URL is one of Debian's form."""
    return isinstance(purl, str) and purl.startswith("pkg:deb/")


def stated_licences(part: Mapping[str, Any]) -> Iterator[str]:
    """Yield each licence of a CycloneDX component: an expression, an id or a name."""
    found = part.get("licenses")
    for choice in found if isinstance(found, list) else ():
        stated = choice.get("license") if isinstance(choice, dict) else None
        named = stated if isinstance(stated, dict) else {}
        expression = choice.get("expression") if isinstance(choice, dict) else None
        yield str(expression or named.get("id") or named.get("name") or "")


def property_values(part: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the values that a component's properties of a name have."""
    found = part.get("properties")
    return tuple(
        str(stated.get("value", ""))
        for stated in (found if isinstance(found, list) else ())
        if isinstance(stated, dict) and stated.get("name") == name
    )
