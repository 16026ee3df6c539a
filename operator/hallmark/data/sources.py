"""Where a dataset's bytes come from: the only input and output of this package.

Every way ends in an open file or in a finding. No finding repeats a URL's query or user, for they
may hold a token. What comes over the network goes to a temporary file, not to the memory.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hallmark.api.dataset import Dataset
from hallmark.api.findings import Finding
from hallmark.data.addresses import is_allowed_url
from hallmark.data.buckets import REFUSALS, object_url
from hallmark.data.downloads import Network, Transfer, download
from hallmark.data.files import open_below, open_key, source_finding
from hallmark.data.object_names import ambiguity, is_object, object_name

_MAX_NAME = 256


@dataclass(frozen=True)
class SourceRules:
    """The policy's rules for sources, and the limits.

    Attributes:
        allowed: URL prefixes; without one no URL is allowed.
        allow_private: Whether addresses outside the public Internet are.
        endpoint: Of ``s3://`` datasets, where it is not Amazon's.
        max_bytes: What is read at most.
        deadline: Seconds for the whole of a download.
    """

    allowed: Sequence[str] = ()
    allow_private: bool = False
    endpoint: str | None = None
    max_bytes: int = 4 << 30
    deadline: float = 3600.0


@dataclass(frozen=True)
class Mounts:
    """The folders of the Job's volumes."""

    config_map: Path = Path("/data/configmap")
    volume: Path = Path("/data/volume")
    credentials: Path = Path("/var/run/hallmark/credentials")


def source_name(dataset: Dataset) -> str:
    """Return what findings call the dataset's file: a URL without what may hold a token."""
    if dataset.uri is not None:
        bare = "".join(sign if sign.isprintable() else "?" for sign in _without_token(dataset.uri))
        return bare if len(bare) <= _MAX_NAME else f"...{bare[3 - _MAX_NAME :]}"
    if dataset.volume_claim is not None:
        return f"'{dataset.volume_claim.path[2 - _MAX_NAME :]}'"
    if dataset.config_map is not None:
        return f"'{dataset.config_map.key[2 - _MAX_NAME :]}'"
    return "the records"


def _without_token(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    host, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    # A key may hold these signs, and then the rest of it is left out.
    cut = "..." if is_object(uri) and re.search("[?#]", rest) else ""
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{cut}"


def fetch(
    dataset: Dataset, rules: SourceRules, mounts: Mounts, network: Network | None = None
) -> BinaryIO | Finding:
    """Return the dataset's file, open for reading, or why there is none.

    Args:
        dataset: Exactly one source.
        rules: What is allowed.
        mounts: Where files are.
        network: For URLs; by default the system's resolver and certificates.
    """
    source = _fetch(dataset, rules, mounts, network)
    if isinstance(source, Finding):
        return source.model_copy(update={"file": source_name(dataset)})
    return source


def _fetch(
    dataset: Dataset, rules: SourceRules, mounts: Mounts, network: Network | None
) -> BinaryIO | Finding:
    if dataset.records is not None:
        return io.BytesIO(dataset.records.encode())
    if dataset.config_map is not None:
        return open_key(mounts.config_map, dataset.config_map.key, rules.max_bytes)
    if dataset.volume_claim is not None:
        return open_below(mounts.volume, dataset.volume_claim.path, rules.max_bytes)
    if dataset.uri is None:
        return source_finding("a dataset's source", "none")
    unclear = _unclear_name(dataset.uri)
    if unclear is not None:
        return unclear
    if not is_allowed_url(dataset.uri, rules.allowed):
        return source_finding(
            f"a URL below one of the {len(rules.allowed)} prefixes that the policy allows",
            "another one",
        )
    return _download(dataset.uri, rules, mounts.credentials, network or Network())


def _unclear_name(uri: str) -> Finding | None:
    """Return why a name may not mean the same to everybody on the way, if it may not."""
    if is_object(uri):
        name = object_name(uri)
        if name is None:
            return source_finding("a bucket's name of letters, digits, '.', '_' and '-'", "another")
        found = ambiguity(name)
        if found is not None:
            return source_finding("an object's name that every store reads as it stands", found)
        return None
    if "#" in uri:
        return source_finding("a URL without a fragment ('#' in a path is written %23)", "one")
    if any(ord(character) <= 32 or ord(character) == 127 for character in uri):
        return source_finding("a URL without spaces (one in a path is written %20)", "one")
    return None


def _download(
    uri: str, rules: SourceRules, credentials: Path, network: Network
) -> BinaryIO | Finding:
    name = object_name(uri)
    if name is None:
        transfer = Transfer(
            max_bytes=rules.max_bytes,
            deadline=rules.deadline,
            allow_private=rules.allow_private,
            may_follow=lambda target: is_allowed_url(target, rules.allowed),
        )
        return download(uri, transfer, network)
    transfer = Transfer(
        max_bytes=rules.max_bytes,
        deadline=rules.deadline,
        allow_private=rules.allow_private,
        refusals=REFUSALS,
    )
    try:
        url = object_url(name, rules.endpoint, credentials, rules.deadline)
    except (ValueError, OSError):
        return source_finding(
            "credentials in the form that the store uses", "some that cannot be read"
        )
    return download(url, transfer, network)
