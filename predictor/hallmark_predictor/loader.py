"""Loads a model: verifies, finds or downloads, verifies the bytes, opens them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from hallmark.api.documents import DownloadURLs, Manifest, UnreadableDocument, read
from hallmark.api.files import SERVED_FILES
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.files import DOCUMENT_BYTES, read_first, read_whole
from hallmark_predictor.model import Model, open_model
from hallmark_predictor.nearby import found_nearby, keep
from hallmark_predictor.prover import Prover
from hallmark_predictor.settings import Settings
from hallmark_predictor.verification import (
    Place,
    Refused,
    verify_approvals,
    verify_files,
    verify_seal,
    verify_trust,
)

TIMEOUT = 10.0
"""Seconds that the store may stay silent in a request."""
PAUSE = 0.5
"""Seconds before the first further try; doubled for each, up to ``MAX_PAUSE``."""
MAX_PAUSE = 8.0


def load(
    settings: Settings,
    now: datetime,
    progress: Callable[[str], None] = lambda _: None,
    prover: Prover | None = None,
) -> Model | Refused:
    """Return the model once everything about it was verified.

    Args:
        settings: What the predictor was told.
        now: The moment at which the signer's key must be valid.
        progress: Told in a sentence what is waited for.
        prover: Proves the seal and the form; None: this process does.

    Raises:
        ConfigurationError: the trust file cannot be read.
        ArtifactError: the store could not be reached in time.
    """
    return load_trusted(
        _read(settings.trust_file),
        settings.trust_sha256,
        Place(settings.namespace, settings.deployment),
        now,
        lambda manifest: _gather(settings, manifest, progress),
        prover,
    )


def load_trusted(
    document: bytes,
    sha256: str,
    place: Place,
    now: datetime,
    fetch: Callable[[Manifest], Mapping[str, bytes]],
    prover: Prover | None = None,
) -> Model | Refused:
    """Return the model that a trust document names, once everything about it was verified.

    Args:
        document: The bytes of ``trust.json``.
        sha256: What they must hash to (hex).
        place: Where this predictor runs.
        now: The moment at which the signer's key must be valid.
        fetch: Returns the served files of a manifest whose seal and approvals hold.
        prover: Proves the seal and the form; None: this process does.
    """
    trust = verify_trust(document, sha256, place)
    if isinstance(trust, Refused):
        return trust
    manifest = prover.seal(trust, now) if prover else verify_seal(trust, now)
    if isinstance(manifest, Refused):
        return manifest
    refused = verify_approvals(trust, manifest)
    if refused:
        return refused
    files = fetch(manifest)
    answers = prover.answers if prover else None
    return verify_files(manifest, files) or open_model(trust, manifest, files, answers=answers)


def _read(path: Path) -> bytes:
    try:
        return read_whole(path, DOCUMENT_BYTES)
    except OSError as error:
        raise ConfigurationError(f"The file {path} cannot be read: {error.strerror}.") from error


def _gather(
    settings: Settings, manifest: Manifest, progress: Callable[[str], None]
) -> dict[str, bytes]:
    """Return the served files; the store is asked for those alone that are not nearby."""
    nearby = found_nearby((settings.bundle, settings.kept), manifest)
    if nearby.keys() >= set(SERVED_FILES):
        return nearby
    if settings.api_server is None and not settings.urls_file.exists():
        own = _as_they_are(settings.bundle, manifest)
        if own:
            return own
    gc.enable()  # This may take long, and each scrape of the metrics leaves cycles behind.
    files = _download(settings, manifest, nearby, progress)
    keep(settings.kept, manifest, files)
    return files


def _as_they_are(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Return the files of a bundle that nothing else can replace; whoever verifies them refuses."""
    files: dict[str, bytes] = {}
    for name in SERVED_FILES:
        entry = manifest.file(name)
        try:
            files[name] = read_first(folder / name, entry.size + 1 if entry else 0)
        except OSError:
            continue
    return files


def _download(
    settings: Settings,
    manifest: Manifest,
    nearby: Mapping[str, bytes],
    progress: Callable[[str], None],
) -> dict[str, bytes]:
    """Return the served files, trying for as long as the settings allow.

    The URLs are read anew for each try: the operator replaces them before they end.
    """
    deadline = time.monotonic() + settings.load_seconds
    files = dict(nearby)
    pause = PAUSE
    while True:
        try:
            urls = _read_urls(settings.urls_file)
            for name in SERVED_FILES:
                entry = manifest.file(name)
                if name not in files and entry is not None:
                    files[name] = _fetch(name, urls.urls.get(name, ""), entry.size)
            return files
        except (ArtifactError, ConfigurationError) as error:
            if time.monotonic() + pause > deadline:
                raise
            progress(str(error))
        time.sleep(pause)
        pause = min(2 * pause, MAX_PAUSE)


def _read_urls(path: Path) -> DownloadURLs:
    try:
        return read(DownloadURLs, _read(path))
    except UnreadableDocument as error:
        raise ConfigurationError(f"The file {path} is not a list of download URLs.") from error


def _fetch(name: str, url: str, size: int) -> bytes:
    """Return at most ``size + 1`` bytes: one too many is enough to see that it is another file.

    Raises:
        ArtifactError: no answer, or not the file. The message never has the URL: it is a key.
    """
    # A small bundle travels beside the trust file: most predictors never ask the store.
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    if not url.startswith(("http://", "https://")):
        raise ArtifactError(f"There is no download URL for '{name}'; the operator must write one.")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 - checked above
            data: bytes = answer.read(size + 1)
            promised = int(answer.headers.get("Content-Length") or 0)
    except urllib.error.HTTPError as error:
        error.close()
        raise ArtifactError(f"The store answered {error.code} for '{name}'.") from error
    except (OSError, HTTPException, ValueError) as error:
        raise ArtifactError(
            f"The store could not be reached for '{name}' ({type(error).__name__})."
        ) from error
    if len(data) < size <= promised:
        raise ArtifactError(f"The download of '{name}' broke off.")
    return data
