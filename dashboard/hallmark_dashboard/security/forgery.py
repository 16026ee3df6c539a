"""Whether a request that a cookie signs in comes from the dashboard's own pages."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from hallmark_dashboard.problems import Problem

FIELD = "csrf"
HEADER = "x-hallmark-csrf"


def require_own_page(headers: Mapping[str, str], expected: str, given: str) -> None:
    """Refuse what another site's page sent.

    Args:
        headers: The request's, by lower-case name.
        expected: The session's token.
        given: What the form or header carries.

    Raises:
        Problem: The request did not come from one of the dashboard's pages.
    """
    if not (is_own_site(headers) and expected and _equal(expected, given)):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "This did not come from one of the dashboard's own pages, or the page is of an earlier "
            "sign-in; nothing was done. Load the page again.",
        )


def is_own_site(headers: Mapping[str, str]) -> bool:
    """Tell whether the browser, if it says anything, says that the page was this host's own.

    The host is the one that the browser asked, whatever the dashboard is called: through a
    port-forward it has another name. A cookie is kept for one name alone.
    """
    site = headers.get("sec-fetch-site", "same-origin")
    origin = headers.get("origin")
    return site == "same-origin" and (
        origin is None or urlsplit(origin).netloc == headers.get("host", "")
    )


def _equal(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())
