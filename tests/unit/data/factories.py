"""Small schemas, frames and tables for the tests of the data side."""

from __future__ import annotations

from typing import Any

import polars as pl

from hallmark.api.pii import PII
from hallmark.api.schema import Schema
from hallmark.data.conversion import convert
from hallmark.data.table import Table, declared_columns


def schema(
    *features: dict[str, Any], target: str = "label", positive: str = "yes", **others: object
) -> Schema:
    """Return a schema; without features there is one number ``x``."""
    return Schema.model_validate(
        {
            "features": list(features) or [{"name": "x", "type": "Number"}],
            "target": {"name": target, "positive": positive},
            **others,
        }
    )


def category(name: str, *categories: str, **others: object) -> dict[str, Any]:
    return {"name": name, "type": "Category", "categories": list(categories), **others}


def table(declared: Schema, **columns: list[Any]) -> Table:
    """Return the columns, typed as declared; they must convert."""
    found = convert(pl.DataFrame(columns), declared_columns(declared))
    assert found.table is not None
    assert not found.findings
    return found.table


def pii(default: str = "Refuse", *rules: dict[str, Any], **others: object) -> PII:
    return PII.model_validate({"defaultAction": default, "rules": list(rules), **others})
