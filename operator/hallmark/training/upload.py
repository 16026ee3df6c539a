"""Artifacts and progress to presigned URLs, by HTTP PUT.

No message repeats a URL: its query is a credential.
"""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

from hallmark.api.files import PROGRESS
from hallmark.api.training_run import Progress
from hallmark.errors import ArtifactError

_TIMEOUT = 60.0
_ATTEMPTS = 5
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


def put(
    urls: Mapping[str, str],
    slot: str,
    data: bytes,
    attempts: int = _ATTEMPTS,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Upload the bytes to a slot; transient failures are tried again with growing pauses.

    Args:
        urls: The presigned URLs by slot.
        slot: Where to.
        data: The bytes.
        attempts: How many in all.
        pause: Waits for so many seconds.

    Raises:
        ArtifactError: there is no URL for the slot, or the store refuses or does not answer.
    """
    url = urls.get(slot)
    if url is None:
        raise ArtifactError(f"There is no upload URL for '{slot}'; give one in urls.json.")
    for attempt in range(1, attempts + 1):
        failure = _put_once(url, data)
        if failure is None:
            return
        reason, transient = failure
        if not transient or attempt == attempts:
            raise ArtifactError(
                f"The store did not take '{slot}' ({len(data)} bytes, attempt {attempt}): "
                f"{reason}. Check the store and how long its upload URLs are valid."
            )
        pause(0.2 * 2**attempt)


def _put_once(url: str, data: bytes) -> tuple[str, bool] | None:
    """Return None if it went well, else what happened and whether to try again."""
    request = urllib.request.Request(url, data=data, method="PUT")  # noqa: S310 - the operator's
    request.add_header("Content-Type", "application/octet-stream")
    request.add_header("x-ms-blob-type", "BlockBlob")  # Azure asks for it, others ignore it
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT):  # noqa: S310 - the operator's URL
            return None
    except urllib.error.HTTPError as error:
        with error:
            return f"HTTP status {error.code}", error.code in _TRANSIENT
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return type(reason).__name__, True


class ProgressReporter:
    """A thread that uploads the newest progress, at most once in a period.

    While a step is long it is uploaded again with the seconds since it began, so that whoever
    waits sees that the Job lives. A failed upload is not repeated: the next one says more, and
    the outcome does not depend on it.

    Args:
        urls: The presigned URLs by slot; without one for progress nothing is uploaded.
        period: Seconds between two uploads at least.
        long: Seconds after which a step is long.
    """

    def __init__(self, urls: Mapping[str, str], *, period: float = 2.0, long: float = 10.0) -> None:
        self._urls = urls
        self._period, self._long = period, long
        self._newest: Progress | None = None
        self._changed = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> ProgressReporter:
        if PROGRESS in self._urls:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def report(self, progress: Progress) -> None:
        """Hand over the newest progress; returns at once."""
        self._newest = progress
        self._changed.set()

    def _run(self) -> None:
        shown, since = None, time.monotonic()
        while not self._done.is_set():
            self._changed.wait(self._long)
            self._changed.clear()
            newest, self._newest = self._newest, None
            if newest is not None:
                shown, since = newest, time.monotonic()
            elif shown is not None:
                newest = _still(shown, time.monotonic() - since)
            if newest is not None:
                self._upload(newest)
            self._done.wait(self._period)

    def _upload(self, progress: Progress) -> None:
        document = progress.model_dump_json(by_alias=True).encode()
        try:
            put(self._urls, PROGRESS, document, attempts=1)
        except ArtifactError:
            return


def _still(progress: Progress, seconds: float) -> Progress:
    """Return the same progress, saying for how long it has been so."""
    message = f"{progress.message} Still at it after {seconds:.0f} s."
    return progress.model_copy(update={"message": message[:256]})
