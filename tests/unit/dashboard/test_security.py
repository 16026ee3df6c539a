"""Cookies, forms, limits, bodies: what stands before everything else."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given, strategies as st

from hallmark_dashboard.pages.forms import seconds_left
from hallmark_dashboard.problems import Problem, shown
from hallmark_dashboard.security.bodies import form_of
from hallmark_dashboard.security.forgery import require_own_page
from hallmark_dashboard.security.headers import CONTENT_SECURITY_POLICY
from hallmark_dashboard.security.limits import Buckets, Rate, address_key
from hallmark_dashboard.security.sessions import LONGEST_SECONDS, Sessions, set_cookie

KEY = b"k" * 32


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_session_is_what_was_put_in_and_ends() -> None:
    clock = Clock()
    sessions = Sessions(KEY, clock)
    made, cookie = sessions.begin("secret-token", 60)
    assert cookie is not None
    assert "secret-token" not in cookie
    opened = sessions.open(cookie)
    assert opened == made

    clock.now += 60
    assert sessions.open(cookie) is None


@pytest.mark.parametrize("seconds", [10**9, float("inf")])
def test_no_session_is_longer_than_the_longest(seconds: float) -> None:
    made, _ = Sessions(KEY, Clock()).begin("t", seconds)

    assert made.ends == 1000.0 + LONGEST_SECONDS


def test_a_session_of_another_key_or_a_changed_one_opens_nothing() -> None:
    clock = Clock()
    _, cookie = Sessions(KEY, clock).begin("t")
    assert cookie is not None

    assert Sessions(None, clock).open(cookie) is None
    for place in range(0, len(cookie), 7):
        changed = cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :]
        assert Sessions(KEY, clock).open(changed) is None


@given(st.text(max_size=200))
def test_no_text_that_was_not_sealed_opens(text: str) -> None:
    assert Sessions(KEY, Clock()).open(text) is None


@pytest.mark.parametrize("sealed_for", ["session", "done", "hallmark-resume"])
@pytest.mark.parametrize("opened_for", ["session", "done", "hallmark-resume"])
def test_what_is_sealed_for_one_purpose_opens_for_no_other(
    sealed_for: str, opened_for: str
) -> None:
    sessions = Sessions(KEY, Clock())
    content = {"token": "t", "csrf": "c", "ends": 1e9}
    sealed = sessions.seal(content, sealed_for)

    assert (sessions.unseal(sealed, opened_for) is not None) == (sealed_for == opened_for)
    assert (sessions.open(sealed) is not None) == (sealed_for == "session")


def test_a_token_too_long_for_a_browser_makes_no_cookie() -> None:
    assert Sessions(KEY, Clock()).begin(secrets.token_hex(4000))[1] is None


def test_the_same_session_looks_different_each_time() -> None:
    sessions = Sessions(KEY, Clock())

    assert sessions.begin("t")[1] != sessions.begin("t")[1]


@pytest.mark.parametrize(
    ("secure", "expected"),
    [
        (True, "n=v; Path=/; HttpOnly; SameSite=Strict; Max-Age=5; Secure"),
        (False, "n=v; Path=/; HttpOnly; SameSite=Strict; Max-Age=5"),
    ],
)
def test_a_cookie_is_kept_from_scripts_and_other_sites(*, secure: bool, expected: str) -> None:
    assert set_cookie("n", "v", 5, secure=secure) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("a.eyJleHAiOiAxMDYwfQ.c", 60.0),
        ("a.eyJleHAiOiAiMTA2MCJ9.c", 60.0),
        ("opaque", LONGEST_SECONDS),
        ("a.%%%.c", LONGEST_SECONDS),
        ("a.e30.c", LONGEST_SECONDS),
        ("a.W10.c", LONGEST_SECONDS),
    ],
)
def test_a_cookie_lives_no_longer_than_its_token_says(token: str, expected: float) -> None:
    assert seconds_left(token, 1000.0) == expected


OWN = {"host": "localhost:8000"}


@pytest.mark.parametrize(
    ("headers", "given", "allowed"),
    [
        pytest.param(OWN, "right", True, id="without a word of the browser"),
        pytest.param(
            {**OWN, "origin": "http://localhost:8000", "sec-fetch-site": "same-origin"},
            "right",
            True,
            id="from our page",
        ),
        pytest.param(OWN, "wrong", False, id="with another token"),
        pytest.param(OWN, "", False, id="without a token"),
        pytest.param(OWN, "réght", False, id="with letters beyond ASCII"),
        pytest.param({**OWN, "origin": "null"}, "right", False, id="from a sandbox"),
        pytest.param(
            {**OWN, "origin": "http://localhost:8001"}, "right", False, id="from another port"
        ),
        pytest.param({**OWN, "sec-fetch-site": "none"}, "right", False, id="typed by hand"),
    ],
)
def test_a_form_must_come_from_our_page(
    headers: dict[str, str], given: str, *, allowed: bool
) -> None:
    if allowed:
        require_own_page(headers, "right", given)
        return
    with pytest.raises(Problem, match="nothing was done"):
        require_own_page(headers, "right", given)


def test_a_bearer_token_has_no_form() -> None:
    with pytest.raises(Problem):
        require_own_page(OWN, "", "")


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    buckets = Buckets(Rate(2, 3), clock)

    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 1]
    assert buckets.take("b") == 0
    clock.now += 0.5
    assert [buckets.take("a") for _ in range(2)] == [0, 1]
    clock.now += 1000
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 1]


def test_strangers_take_no_memory_without_end() -> None:
    buckets = Buckets(Rate(1, 1), Clock(), most=100)
    for number in range(5000):
        buckets.take(str(number))

    assert len(buckets) == 100


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_address_stands_for_what_one_person_has(host: str, expected: str) -> None:
    assert address_key(host) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", {}),
        (b"a=1&b=", {"a": "1", "b": ""}),
        (b"a=%3Cscript%3E+x", {"a": "<script> x"}),
    ],
)
def test_a_form_is_its_fields(data: bytes, expected: dict[str, str]) -> None:
    assert form_of(data) == expected


@pytest.mark.parametrize(
    "data", [b"a", b"a=1&a=2", b"\xff=1", b"a=%ff", b"&".join([b"a=1"] * 100), b"a=1&&b=2"]
)
def test_what_is_no_form_is_refused(data: bytes) -> None:
    with pytest.raises(Problem) as refused:
        form_of(data)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "None"),
        (True, "True"),
        (3, "3"),
        ("x" * 100, "'" + "x" * 60 + "..."),
        ([1, 2], "a list of 2"),
        ({"name": "Jane Doe"}, "an object of 1 fields"),
    ],
)
def test_a_found_value_is_shown_in_short(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_the_policy_of_pages_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    for part in CONTENT_SECURITY_POLICY.split("; "):
        assert part.split(" ", 1)[1] in {"'none'", "'self'"}
