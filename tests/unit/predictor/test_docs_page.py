"""The page at /docs: the model's real features, nothing from elsewhere, nothing that is run."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import httpx
import pytest
from hypothesis import given

from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature
from hallmark_predictor import docs_page
from hallmark_predictor.encoding import columns_of, rows_of_instances
from hallmark_predictor.example import example_row, example_tensors
from hallmark_predictor.openapi import document
from hallmark_predictor.problems import BadRequest
from hallmark_predictor.tensors import rows_of_tensors
from tests.examples import examples
from tests.unit.predictor import factories
from tests.unit.predictor.test_app import client_of, loading, serving
from tests.unit.predictor.test_quick import features

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "pre", "code", "a"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
HOSTILE = ["</style><script>alert(1)</script>", "<img src=//x onerror=y>", "&amp;", "'\"", "]]>"]


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        self.attributes |= set(attrs)

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += data


async def shown(of: httpx.AsyncClient) -> tuple[Page, httpx.Response]:
    found = await of.get("/docs")
    assert found.status_code == 200
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    return Page(found.text), found


async def test_it_shows_the_models_features_and_every_endpoint() -> None:
    async with client_of(serving()) as client:
        page, _ = await shown(client)
        described = (await client.get("/openapi.json")).json()
    for text in (
        *("credit, version 7", "credit-1", "incomenumberfrom 0may be null"),
        *("ageintegerfrom 18 to 120", "ownerbooleanany", "purposestringhome, car, other"),
        *described["paths"],
    ):
        assert text in page.text, text


async def test_it_loads_nothing_and_runs_nothing() -> None:
    async with client_of(serving()) as client:
        page, found = await shown(client)
        linked = [value for name, value in page.attributes if name in ("href", "src", "action")]
        assert linked == ["openapi.json"]
        assert (await client.get("/" + linked[0])).status_code == 200
    assert page.tags <= TAGS
    (style,) = re.findall("<style>(.*?)</style>", found.text, re.DOTALL)
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    policy = found.headers["content-security-policy"].split("; ")
    assert policy[:2] == ["default-src 'none'", f"style-src 'sha256-{allowed}'"]
    assert "unsafe" not in " ".join(policy)


async def test_while_no_model_serves_it_says_why() -> None:
    what = loading()
    what.waiting_for = "The store answered <503>."
    async with client_of(what) as client:
        page, _ = await shown(client)
    assert "No model serves yet" in page.text
    assert what.waiting_for in page.text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_names_that_authors_wrote_stay_text(hostile: str) -> None:
    plane = serving().plane
    assert plane is not None
    written = document((), plane)
    properties = written["components"]["schemas"]["Row"]["properties"]
    properties[hostile] = {"type": "string", "enum": [hostile, None]}
    written["components"]["schemas"]["Prediction"]["examples"] = [{"instances": [hostile]}]
    page = Page(docs_page.page(written, plane, hostile))
    assert page.tags <= TAGS
    assert {name for name, _ in page.attributes} <= {"lang", "charset", "name", "content", "href"}
    assert page.text.count(hostile) >= 2


@examples(200)
@given(features())
def test_the_example_is_a_request_that_any_schema_takes(declared: list[ServedFeature]) -> None:
    schema = factories.SCHEMA_DOCUMENT.model_copy(update={"features": declared})
    columns = columns_of(schema)
    for found in (
        rows_of_instances([example_row(schema)], columns),
        rows_of_tensors(example_tensors(schema), columns),
    ):
        assert not isinstance(found, BadRequest), found


@pytest.mark.parametrize(
    ("kind", "minimum", "maximum", "value"),
    [
        ("Number", 0, 1, 0.5),
        ("Number", 1e-9, 3e-9, 2e-9),
        ("Number", 1e-9, None, 1e-9),
        ("Number", -3e38, 3e38, 0),
        ("Integer", None, -0.5, -1),
        ("Integer", 0.5, None, 1),
        ("Integer", 0.6, 1.6, 1),
        ("Integer", None, None, 0),
    ],
)
def test_an_examples_number_lies_within_its_range(
    kind: str, minimum: float | None, maximum: float | None, value: float
) -> None:
    feature = ServedFeature(
        name="a", type=FeatureType(kind), nullable=False, minimum=minimum, maximum=maximum
    )
    schema = factories.SCHEMA_DOCUMENT.model_copy(update={"features": [feature]})
    assert example_row(schema) == {"a": value}
