"""Forms: sign in and out, decide, act. Each carries the token of its session."""

from __future__ import annotations

import base64
import binascii
import json
from http import HTTPStatus
from urllib.parse import quote, urlencode

import yaml
from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from hallmark.api.model_deployment import ActionName
from hallmark.api.model_policy import ModelPolicySpec
from hallmark_dashboard import writes
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.api.schemas import AnyActionRequest, ApproveRequest, Made
from hallmark_dashboard.gather import gather_what_if
from hallmark_dashboard.pages.policies import policy_page
from hallmark_dashboard.pages.render import DONE
from hallmark_dashboard.pages.resume import LARGEST_FORM, destination, forget, sign_in_page
from hallmark_dashboard.pages.routes import deployment_page, review_page
from hallmark_dashboard.problems import Problem
from hallmark_dashboard.security.bodies import field_problem, form_of, media_type, read_body
from hallmark_dashboard.security.forgery import FIELD, is_own_site, require_own_page
from hallmark_dashboard.security.limits import address_key
from hallmark_dashboard.security.sessions import LONGEST_SECONDS, cookie_name, set_cookie
from hallmark_dashboard.services import Services, services_of
from hallmark_dashboard.signed_in import Person, take

router = APIRouter(include_in_schema=False)

FORM = "application/x-www-form-urlencoded"
DEEPEST = 50
"""Collections within collections in a policy's YAML; its spec has less than ten."""


async def fields_of(request: Request, *allowed: str) -> dict[str, str]:
    """Return a form's fields.

    Raises:
        Problem: It is no form, or has a field that it must not have.
    """
    if media_type(request) != FORM:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Expected a form ({FORM}).")
    fields = form_of(await read_body(request, LARGEST_FORM))
    if unknown := sorted(fields.keys() - {FIELD, *allowed}):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"Expected no field {unknown[0][:64]!r}.")
    return fields


@router.get("/sign-in")
async def how_to_sign_in(request: Request) -> Response:
    """Show how to sign in."""
    return sign_in_page(request)


@router.get("/sign-in/done")
async def signed_in(request: Request) -> Response:
    """Lead a person who has signed in to where he was going."""
    return _redirect(destination(request))


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Keep a token, once the API server has said whose it is."""
    services = services_of(request)
    take(services, services.limits.sign_in, address_key(_host(request)), "sign_in")
    if not is_own_site(request.headers):
        raise Problem(HTTPStatus.FORBIDDEN, "Sign in from the dashboard's own page.")
    fields = await fields_of(request, "token")
    try:
        header = await session_of(services, fields.get("token", "").strip())
    except Problem as problem:
        return sign_in_page(request, problem)
    return _redirect(destination(request), {"set-cookie": header})


async def session_of(services: Services, token: str) -> str:
    """Return the header that keeps a token in a browser, once the API server knows it.

    Raises:
        Problem: The API server does not know the token, or it is too long for a cookie.
    """
    await services.callers.caller(token)
    now = services.now().timestamp()
    session, cookie = services.sessions.begin(token, seconds_left(token, now))
    if cookie is None:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "The token is too long for a cookie; ask for one with fewer groups, or use the API.",
        )
    secure = services.settings.secure
    return set_cookie(cookie_name(secure=secure), cookie, int(session.ends - now), secure=secure)


def seconds_left(token: str, now: float) -> float:
    """Return how long a token says that it lives; the API server checks that, not this."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"]) - now
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return LONGEST_SECONDS


@router.post("/sign-out")
async def sign_out(request: Request, caller: Person) -> Response:
    """Forget the token."""
    await _own_fields(request, caller)
    secure = services_of(request).settings.secure
    header = set_cookie(cookie_name(secure=secure), "", 0, secure=secure)
    return forget(services_of(request), _redirect("/sign-in", {"set-cookie": header}))


_DECISION_FIELDS = (
    "manifestDigest",
    "shownDigest",
    "decision",
    "reason",
    "targets",
    "notAfter",
)


@router.post("/reviews/{namespace}/{name}")
async def decide(request: Request, caller: Person, namespace: str, name: str) -> Response:
    """Record a decision on a version."""
    fields = await _own_fields(request, caller, *_DECISION_FIELDS)
    try:
        made = await writes.decide(services_of(request), caller, _decision(fields, namespace, name))
    except Problem as problem:
        return await review_page(request, caller, namespace, name, fields, problem)
    return _done(request, f"/reviews/{quote(namespace)}/{quote(name)}", made)


def _decision(fields: dict[str, str], namespace: str, name: str) -> ApproveRequest:
    is_approval = fields.get("decision") == "Approved"
    targets = fields.get("targets", "").replace(",", " ").split() if is_approval else []
    end = fields.get("notAfter", "").strip() if is_approval else ""
    wanted = {
        "namespace": namespace,
        "modelVersion": name,
        "decision": fields.get("decision"),
        "reason": fields.get("reason", ""),
        "manifestDigest": fields.get("manifestDigest"),
        "shownDigest": fields.get("shownDigest") or None,
        "targets": targets,
        "notAfter": end or None,
    }
    try:
        return ApproveRequest.model_validate(wanted)
    except ValidationError as error:
        raise field_problem(error) from error


@router.post("/deployments/{namespace}/{name}")
async def act(request: Request, caller: Person, namespace: str, name: str) -> Response:
    """Ask the operator for an action."""
    fields = await _own_fields(request, caller, "action", "target", "reason", "until")
    try:
        asked = _action(fields, namespace, name)
        made = await writes.act(services_of(request), caller, ActionName(asked.action), asked)
    except Problem as problem:
        return await deployment_page(request, caller, namespace, name, fields, problem)
    return _done(request, f"/deployments/{quote(namespace)}/{quote(name)}", made)


def _action(fields: dict[str, str], namespace: str, name: str) -> AnyActionRequest:
    wanted = {
        "namespace": namespace,
        "deployment": name,
        "action": fields.get("action"),
        # The annotation holds one line; a browser's text area may send several.
        "reason": " ".join(fields.get("reason", "").split()),
        "target": fields.get("target", "").strip() or None,
        "until": fields.get("until", "").strip() or None,
    }
    try:
        return AnyActionRequest.model_validate(wanted)
    except ValidationError as error:
        raise field_problem(error) from error


@router.post("/policies/{name}/what-if")
async def what_if(request: Request, caller: Person, name: str) -> Response:
    """Show what another spec of a policy would stop; nothing is applied."""
    fields = await _own_fields(request, caller, "spec")
    text = fields.get("spec", "")
    try:
        found = await gather_what_if(services_of(request), caller, name, policy_spec(text))
    except Problem as problem:
        return await policy_page(request, caller, name, text, problem=problem)
    return await policy_page(request, caller, name, text, found)


def policy_spec(text: str) -> ModelPolicySpec:
    """Return the policy's spec in a text of YAML.

    Raises:
        Problem: It is none; every wrong field is named.
    """
    try:
        _check_nesting(text)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "Expected a policy's spec as YAML."
        ) from error
    if isinstance(content, dict) and content.keys() == {"spec"}:
        content = content["spec"]
    try:
        return ModelPolicySpec.model_validate(content, extra="forbid")
    except ValidationError as error:
        raise field_problem(error) from error


def _check_nesting(text: str) -> None:
    """Raise a ``Problem`` where YAML refers to itself, or nests deeper than any policy.

    The time to read it grows with the square of its depth.
    """
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Expected YAML without aliases.")
        if depth > DEEPEST:
            sentence = f"Expected a policy's spec as YAML, nested at most {DEEPEST} deep."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)


async def _own_fields(request: Request, caller: Caller, *allowed: str) -> dict[str, str]:
    """Return the fields of a form from one of our own pages.

    Raises:
        Problem: It is none.
    """
    fields = await fields_of(request, *allowed)
    require_own_page(request.headers, caller.csrf, fields.pop(FIELD, ""))
    return fields


def _done(request: Request, path: str, made: Made) -> Response:
    told = services_of(request).sessions.seal(
        {"said": made.sentence, "command": made.command}, DONE
    )
    return _redirect(f"{path}?{urlencode({'did': told})}")


def _redirect(path: str, headers: dict[str, str] | None = None) -> Response:
    return RedirectResponse(path, HTTPStatus.SEE_OTHER, headers)


def _host(request: Request) -> str:
    return request.client.host if request.client else ""
