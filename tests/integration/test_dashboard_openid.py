"""Signing in with an OpenID Connect provider: a real flow, and what thieves would try."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from hallmark_dashboard.settings import Settings
from tests.integration import openid_provider
from tests.integration.dashboard_world import (
    Site,
    dashboard_kubeconfig,
    free_port,
    running,
    site,
)
from tests.integration.openid_provider import CLIENT, SECRET, Provider

__all__ = ["site"]

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def provider(site: Site) -> Iterator[Provider]:
    """A provider whose tokens the API server knows: they are one of its own."""
    redirect = f"http://127.0.0.1:{free_port()}/sign-in/oidc/done"
    made = Provider(redirect, site.people["vera"].token)
    with openid_provider.running(made):
        yield made


@pytest.fixture(scope="module")
def url(site: Site, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard that knows the provider."""
    folder: Path = tmp_path_factory.mktemp("openid")
    (folder / "secret").write_text(SECRET + "\n")
    parts = urlsplit(provider.redirect)
    origin = f"{parts.scheme}://{parts.netloc}"
    settings: Settings = replace(
        site.services.settings,
        port=parts.port or 0,
        url=origin,
        oidc_issuer=provider.url,
        oidc_client=CLIENT,
        oidc_secret=folder / "secret",
    )
    with running(settings, dashboard_kubeconfig(site.world, folder)):
        yield origin


def browser() -> httpx.Client:
    return httpx.Client(headers={"Accept": "text/html"}, timeout=30)


def sent_to(client: httpx.Client, url: str) -> str:
    """Begin a sign-in, and return where the provider sends the browser back to."""
    begun = client.get(f"{url}/sign-in/oidc")
    assert begun.status_code == 303, begun.text
    return client.get(begun.headers["location"]).headers["location"]


def test_a_person_signs_in_with_the_provider(site: Site, url: str) -> None:
    with browser() as client:
        assert "Sign in with" in client.get(f"{url}/sign-in").text
        back = client.get(sent_to(client, url))

        assert back.status_code == 200, back.text
        # SameSite=Strict: the browser comes from another site, and goes on by itself.
        assert 'http-equiv="refresh"' in back.text
        assert "SameSite=Strict" in str(back.headers.get_list("set-cookie"))
        overview = client.get(url)
    assert site.people["vera"].name in overview.text


def test_the_attempt_is_kept_from_scripts_and_carries_no_secret(url: str) -> None:
    with browser() as client:
        begun = client.get(f"{url}/sign-in/oidc")

    cookie = begun.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/sign-in/oidc/done"} <= set(cookie.split("; "))
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["state"][0] not in cookie


def test_another_browser_cannot_end_a_sign_in(url: str) -> None:
    with browser() as victim, browser() as thief:
        back = sent_to(thief, url)
        assert victim.get(back).status_code == 400
        sent_to(victim, url)
        assert victim.get(back).status_code == 400


def test_a_stolen_code_is_of_no_use_in_ones_own_sign_in(url: str) -> None:
    with browser() as victim, browser() as thief:
        stolen = parse_qs(urlsplit(sent_to(victim, url)).query)["code"][0]
        own = urlsplit(sent_to(thief, url))
        state = parse_qs(own.query)["state"][0]
        answer = thief.get(f"{url}{own.path}?code={stolen}&state={state}")

    assert answer.status_code == 502
    assert "hallmark=" not in answer.headers.get("set-cookie", "")


def test_a_code_works_once(url: str) -> None:
    with browser() as client:
        back = sent_to(client, url)
        assert client.get(back).status_code == 200
        assert client.get(back).status_code == 400


def test_a_refusal_of_the_provider_is_said_as_text(url: str, provider: Provider) -> None:
    provider.refuses = True
    try:
        with browser() as client:
            answer = client.get(sent_to(client, url))
    finally:
        provider.refuses = False

    assert answer.status_code == 403
    assert "access_denied &lt;b&gt;no&lt;/b&gt;" in answer.text


def test_a_token_that_the_api_server_does_not_know_signs_nobody_in(
    url: str, provider: Provider
) -> None:
    token, provider.token = provider.token, "a.b.c"
    try:
        with browser() as client:
            answer = client.get(sent_to(client, url))
    finally:
        provider.token = token

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert "set-cookie" not in answer.headers


def test_a_provider_that_names_another_issuer_is_not_used(url: str, provider: Provider) -> None:
    provider.issuer = "https://evil.example"
    try:
        with browser() as client:
            answer = client.get(f"{url}/sign-in/oidc")
    finally:
        provider.issuer = provider.url

    assert answer.status_code == 502
    assert "names another issuer" in answer.text


def test_without_a_provider_there_is_no_such_sign_in(site: Site) -> None:
    assert httpx.get(f"{site.url}/sign-in/oidc").status_code == 404
