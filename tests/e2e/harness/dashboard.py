"""The dashboard as people use it: a browser that signed in, or a program with a token."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.e2e.harness.world import World

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
HTML = {"Accept": "text/html"}


class Dashboard:
    """The dashboard of an installation.

    Args:
        world: the installation.
        url: where it answers.
        namespace: where the people have their accounts.
    """

    def __init__(self, world: World, url: str, namespace: str) -> None:
        self.world, self.url, self.namespace = world, url, namespace
        self._tokens: dict[str, str] = {}

    def name(self, person: str) -> str:
        """Return a person's name, as the API server knows it."""
        return f"system:serviceaccount:{self.namespace}:{person}"

    def token(self, person: str) -> str:
        """Return a person's token, made with the command that the sign-in page tells."""
        if person not in self._tokens:
            made = self.world.cluster.kubectl("create", "token", person, "-n", self.namespace)
            self._tokens[person] = made.stdout.strip()
        return self._tokens[person]

    def call(
        self, person: str, method: str, path: str, body: object = None, **query: str
    ) -> httpx.Response:
        """Send a request as a person's program."""
        headers = {"Authorization": f"Bearer {self.token(person)}"}
        return httpx.request(
            method, self.url + path, json=body, params=query, headers=headers, timeout=30
        )

    @contextmanager
    def browser(self, person: str) -> Iterator[httpx.Client]:
        """Yield a browser in which a person has signed in."""
        with httpx.Client(base_url=self.url, headers=HTML, timeout=30) as client:
            sign_in(client, self.token(person))
            yield client

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


def sign_in(client: httpx.Client, token: str) -> None:
    """Sign a browser in.

    Raises:
        AssertionError: with the page, if the dashboard does not take the token.
    """
    answer = client.post("/sign-in", data={"token": token})
    assert answer.status_code == httpx.codes.SEE_OTHER, answer.text


def submit(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Fill in a page's form, with what the page hides in it, and follow where it leads."""
    page = client.get(path)
    assert page.status_code == httpx.codes.OK, page.text
    hidden = dict(HIDDEN.findall(page.text))
    return client.post(path, data={**hidden, **fields}, follow_redirects=True)
