"""Who a bearer token belongs to: the API server's own word, believed for some seconds."""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import TOKEN_REVIEW, Obj
from hallmark_dashboard.problems import Problem, from_api_error

BELIEVED_SECONDS = 10.0
"""How long an answer counts: a token that was withdrawn works so long at most."""
MOST_KNOWN = 4096
LONGEST_TOKEN = 16384
_TOKEN = re.compile(rf"[A-Za-z0-9._~+/=-]{{1,{LONGEST_TOKEN}}}")
"""What RFC 6750 lets a bearer token hold."""

Create = Callable[[Obj], Awaitable[Obj]]


@dataclass(frozen=True)
class Caller:
    """Somebody whom the API server knows.

    Attributes:
        name: The user's name, as admission compares it.
        groups: The groups.
        token: What the API server is asked with; never shown or logged.
        key: The token's SHA-256, which stands for it in memory.
        csrf: What a form must carry where a cookie signed in; empty for a bearer token.
    """

    name: str
    groups: tuple[str, ...]
    token: str = field(repr=False)
    key: str = field(repr=False)
    csrf: str = field(default="", repr=False)


@dataclass(frozen=True)
class _Known:
    until: float
    name: str | None
    groups: tuple[str, ...] = ()


class Callers:
    """Asks the API server whose a token is.

    Args:
        create: creates a TokenReview with the dashboard's own rights.
        clock: seconds that never go back.
    """

    def __init__(self, create: Create, clock: Callable[[], float] = time.monotonic) -> None:
        self._create = create
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def caller(self, token: str, csrf: str = "") -> Caller:
        """Return whose token it is.

        Raises:
            Problem: The API server does not know it, or cannot be asked.
        """
        if not _TOKEN.fullmatch(token):
            raise _unknown()
        key = hashlib.sha256(token.encode()).hexdigest()
        known = self._known.get(key)
        if known is None or self._clock() >= known.until:
            known = await self._ask(token)
            self._remember(key, known)
        if known.name is None:
            raise _unknown()
        return Caller(known.name, known.groups, token, key, csrf)

    async def _ask(self, token: str) -> _Known:
        review = {
            "apiVersion": TOKEN_REVIEW.api_version,
            "kind": TOKEN_REVIEW.kind,
            "metadata": {},
            "spec": {"token": token},
        }
        try:
            answer = await self._create(review)
        except ApiError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:  # the dashboard's own credentials
                raise Problem(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "The API server does not accept the dashboard's own credentials; nobody can "
                    "be asked for now.",
                ) from error
            raise from_api_error(error) from error
        status = answer.get("status") or {}
        user = status.get("user") or {}
        name = user.get("username") if status.get("authenticated") is True else None
        until = self._clock() + BELIEVED_SECONDS
        return _Known(until, name or None, tuple(user.get("groups") or ()))

    def _remember(self, key: str, known: _Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)


def _unknown() -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "The API server does not know this token; it ended, or is another cluster's. Make a new "
        "one: kubectl create token NAME -n NAMESPACE",
    )
