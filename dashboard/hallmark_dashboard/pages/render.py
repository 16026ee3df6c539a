"""From views to HTML: every text is escaped, every page has the same frame."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from hallmark.reporting.meanings import meaning
from hallmark.reporting.parts import count, number, visible
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.problems import Problem
from hallmark_dashboard.services import services_of
from hallmark_dashboard.views import words

TEMPLATES = Environment(
    loader=ChoiceLoader(
        [
            PackageLoader("hallmark_dashboard"),
            PrefixLoader({"report": PackageLoader("hallmark.reporting")}),
        ]
    ),
    autoescape=True,
    finalize=visible,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(
    count=count,
    number=number,
    short=words.short,
    plural=words.plural,
    account=words.account,
    meaning=lambda reason: words.meanings()[reason],
    metric_meaning=meaning,
    parts=words.parts,
    segment=lambda text: quote(str(text), safe=""),
)
TEMPLATES.tests["reason"] = lambda word: word in words.meanings()


DONE = "done"
"""What a page is told of an action that was just done is sealed for this purpose."""


@dataclass(frozen=True)
class Frame:
    """What stands around every page.

    Attributes:
        title: Of the page.
        here: The entry of the navigation that the page belongs to.
        caller: Who looks; None where nobody is signed in.
        live: What is followed: ``namespace=...``; None where nothing is.
    """

    title: str
    here: str = ""
    caller: Caller | None = None
    live: str | None = None


def page(
    request: Request,
    template: str,
    frame: Frame,
    status: int = 200,
    problem: Problem | None = None,
    note: str = "",
    **values: object,
) -> HTMLResponse:
    """Return a page.

    Args:
        request: what is answered.
        template: the template's name.
        frame: what stands around it.
        status: of the answer, where there is no problem.
        problem: what could not be done.
        note: what stands above the page for this once.
        values: what the template shows.
    """
    services = services_of(request)
    now = services.now()
    text = TEMPLATES.get_template(template).render(
        frame=frame,
        problem=problem,
        note=note,
        did=_did(request) if frame.caller else None,
        stale=services.watch.is_stale,
        age=words.lasting(timedelta(seconds=services.watch.age)),
        watch_problem=services.watch.problem,
        now=now,
        ago=lambda moment: words.ago(moment, now),
        asset=asset,
        serial=getattr(request.state, "serial", services.watch.serial),
        **values,
    )
    return HTMLResponse(text, problem.status if problem else status)


def _did(request: Request) -> Mapping[str, str] | None:
    """Return what an action just did; it is sealed, so that no link can claim it."""
    text = request.query_params.get("did", "")
    return services_of(request).sessions.unseal(text, DONE) if text else None


@cache
def asset(name: str) -> str:
    """Return the URL of a static file; it changes with its bytes, so that browsers may keep it."""
    data = (files("hallmark_dashboard") / "static" / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(data).hexdigest()[:12]}"


def error_page(request: Request, problem: Problem, caller: Caller | None) -> HTMLResponse:
    """Return the page of a problem."""
    return page(request, "problem.html", Frame(problem.title, caller=caller), problem=problem)
