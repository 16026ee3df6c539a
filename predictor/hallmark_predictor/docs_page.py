"""The page at ``/docs``: what is served and how to ask it, out of the OpenAPI document.

It has no script and loads nothing, and the browser is told so. Everything in it that somebody else
wrote (names of columns, categories and classes) is escaped.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from html import escape
from typing import Any

from hallmark.api.bounds import FLOAT32_MAX
from hallmark_predictor.data_plane import DataPlane

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 32px auto; max-width: 60rem; padding: 0 16px }
h1 { font-size: 28px; line-height: 1.2 } h2 { font-size: 20px; margin-top: 32px }
code, pre { font-family: ui-monospace, monospace; font-size: 13px }
pre { border: 1px solid #8884; overflow-x: auto; padding: 8px }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #8884; padding: 4px 8px 4px 0; text-align: left;
  vertical-align: top }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
SHOWN_CATEGORIES = 50
"""Of a feature; the OpenAPI document has all."""

Document = Mapping[str, Any]


def page(document: Document, plane: DataPlane | None, waiting_for: str) -> str:
    """Return the page as HTML.

    Args:
        document: The OpenAPI document.
        plane: Of the model that serves; None while none does.
        waiting_for: A sentence, while there is no model.
    """
    if plane is None:
        title, body = "No model serves yet", f"<p>{escape(waiting_for)}</p>"
    else:
        title = f"{plane.name}, version {plane.version}"
        body = _served(plane) + _asked(document) + _features(document)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>{body}{_routes(document)}</body></html>\n"
    )


def _served(plane: DataPlane) -> str:
    trust, schema = plane.model.trust, plane.model.schema
    classes = ", ".join(_code(name) for name in schema.classes)
    return (
        f"<p>{_code(trust.model_version)}, manifest {_code(trust.manifest_digest)}. Signature, "
        "approval and every byte were checked when it was loaded.</p>"
        f"<p>It answers with {_code(schema.target)}, one of {classes}, and the probability of "
        "each.</p>"
    )


def _asked(document: Document) -> str:
    schemas = document["components"]["schemas"]
    prediction, inference = (schemas[name]["examples"][0] for name in ("Prediction", "Inference"))
    return (
        "<h2>Ask it</h2><p>Rows of named features, to <code>POST /predict</code>:</p>"
        f"<pre>{_pretty(prediction)}</pre>"
        "<p>Tensors, to the Open Inference Protocol's <code>/infer</code>:</p>"
        f"<pre>{_pretty(inference)}</pre>"
    )


def _features(document: Document) -> str:
    properties = document["components"]["schemas"]["Row"]["properties"]
    rows = ((_code(name), *_described(of)) for name, of in properties.items())
    return "<h2>Features</h2>" + _table(("name", "type", "values", "null"), rows)


def _described(of: Document) -> tuple[str, str, str]:
    types = [of["type"]] if isinstance(of["type"], str) else of["type"]
    null = "may be null" if "null" in types else ""
    return escape(types[0]), _values(of), null


def _values(of: Document) -> str:
    names = [name for name in of.get("enum", ()) if name is not None]
    if names:
        more = len(names) - SHOWN_CATEGORIES
        shown = ", ".join(_code(name) for name in names[:SHOWN_CATEGORIES])
        return f"{shown} and {more} more" if more > 0 else shown
    ends = [
        f"{word} {of[end]:.15g}"
        for word, end in (("from", "minimum"), ("to", "maximum"))
        if abs(of.get(end, FLOAT32_MAX)) < FLOAT32_MAX
    ]
    return " ".join(ends) or "any"


def _routes(document: Document) -> str:
    rows = (
        (escape(verb.upper()), _code(path), escape(operation["summary"]))
        for path, operations in document["paths"].items()
        for verb, operation in operations.items()
    )
    return (
        "<h2>Endpoints</h2>"
        + _table(("method", "path", "what for"), rows)
        + '<p>All of this for programs: <a href="openapi.json">openapi.json</a>.</p>'
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _pretty(value: object) -> str:
    return escape(json.dumps(value, indent=1, ensure_ascii=False))
