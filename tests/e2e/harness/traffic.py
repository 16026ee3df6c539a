"""Requests to a predictor: one at a time, or a steady stream that counts every answer."""

import collections
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

VERSION_HEADER = "hallmark-model-version"
DIGEST_HEADER = "hallmark-manifest-digest"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """One request's fate.

    Attributes:
        at: seconds of the monotonic clock when it was answered, or had failed.
        code: the HTTP status code; 0 if there was no answer.
        version: the model version that answered.
        digest: the manifest digest that answered.
        text: the body, or the error.
    """

    at: float
    code: int
    version: str = ""
    digest: str = ""
    text: str = ""


def ask(client: httpx.Client, url: str, rows: Rows) -> Answer:
    """Predict `rows` and say what came back; a failure is an answer too."""
    try:
        response = client.post(f"{url}/predict", json={"instances": rows})
    except httpx.HTTPError as error:
        return Answer(time.monotonic(), 0, text=f"{type(error).__name__}: {error}")
    headers = response.headers
    return Answer(
        time.monotonic(),
        response.status_code,
        headers.get(VERSION_HEADER, ""),
        headers.get(DIGEST_HEADER, ""),
        response.text,
    )


@dataclass
class Tally:
    """What a stream of requests met."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def failures(self) -> list[Answer]:
        """Every request without a good answer."""
        return [answer for answer in list(self.answers) if answer.code != httpx.codes.OK]

    @property
    def versions(self) -> dict[str, int]:
        """How many answers each version gave."""
        good = (answer for answer in list(self.answers) if answer.code == httpx.codes.OK)
        return dict(collections.Counter(answer.version for answer in good))

    def first(self, version: str, after: float = 0.0) -> Answer | None:
        """Return the first answer of a version after a moment."""
        answers = (answer for answer in list(self.answers) if answer.version == version)
        return next((answer for answer in answers if answer.at > after), None)

    def changes(self) -> list[str]:
        """Return the versions in the order in which they answered, repeats left out."""
        seen: list[str] = []
        for answer in list(self.answers):
            if answer.version and seen[-1:] != [answer.version]:
                seen.append(answer.version)
        return seen

    def summary(self) -> str:
        """Return the counts in one line, with the first failure."""
        failed = self.failures
        first = f"; first failure: {failed[0].code} {failed[0].text[:200]}" if failed else ""
        counts = ", ".join(f"{count} by {name}" for name, count in self.versions.items())
        return f"{len(self.answers)} requests: {counts or 'no answer'}, {len(failed)} failed{first}"


class Traffic:
    """A closed loop in a thread: one request after the other, at most so many a second.

    Args:
        client: sends the requests, over the same connections again; it is closed at the end.
        url: the predictor's address.
        rows: makes the rows of request number i.
        rate: requests a second at most.
    """

    def __init__(
        self, client: httpx.Client, url: str, rows: Callable[[int], Rows], *, rate: float = 20.0
    ) -> None:
        self.tally = Tally()
        self._client, self._url, self._rows, self._pause = client, url, rows, 1.0 / rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            started = time.monotonic()
            self.tally.answers.append(ask(self._client, self._url, self._rows(number)))
            number += 1
            self._stop.wait(max(0.0, self._pause - (time.monotonic() - started)))


def cycle(rows: Iterable[dict[str, Any]], size: int) -> Callable[[int], Rows]:
    """Return a maker of requests that walks through `rows` again and again, `size` at a time."""
    pool = list(rows)

    def make(number: int) -> Rows:
        start = number * size
        return [pool[(start + offset) % len(pool)] for offset in range(size)]

    return make
