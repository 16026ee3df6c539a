"""CycloneDX's own schema, compiled: how a document breaks it.

The library's validator compares each item of a list with each other; this one takes a list of a
thousand in milliseconds. The schemas are the files that the library ships.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jsonschema_rs

_BASE = "http://cyclonedx.org/schema/"
_REFERRED = ("spdx", "jsf-0.82", "cryptography-defs")


def schema_problem(document: Mapping[str, Any], version: str) -> str | None:
    """Return where a document breaks the schema, without its values; None if nowhere.

    Args:
        document: any JSON object.
        version: CycloneDX's, from 1.4 on: their schemas allow no field that they do not name.
    """
    try:
        error = next(_validator(version).iter_errors(document), None)
    except ValueError:
        return "it is nested too deeply"
    if error is None:
        return None
    rule = next((part for part in reversed(error.schema_path) if isinstance(part, str)), "")
    path = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path
    )
    return f"${path} breaks the rule '{rule}'"


@functools.cache
def _validator(version: str) -> jsonschema_rs.Draft7Validator:
    referred = [(f"{_BASE}{name}", _schema(name)) for name in map(_file, _REFERRED)]
    registry = jsonschema_rs.Registry(referred, draft=jsonschema_rs.Draft7)
    schema = _schema(_file(f"bom-{version}"))
    return jsonschema_rs.Draft7Validator(schema, registry=registry, validate_formats=True)


def _file(name: str) -> str:
    return f"{name}.SNAPSHOT.schema.json"


def _schema(file: str) -> Any:  # noqa: ANN401 - whatever a JSON Schema is
    return json.loads((files("cyclonedx.schema") / "_res" / file).read_bytes())
