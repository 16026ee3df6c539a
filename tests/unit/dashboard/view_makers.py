"""Details and sentences that tests of several views look at."""

from __future__ import annotations

from typing import Any

from hallmark_dashboard.views.version import VersionDetail, VersionInputs, version_detail
from tests.unit.dashboard.objects import (
    NOW,
    policy,
    version,
)


def artifact(digest: str) -> dict[str, Any]:
    return {"uri": "s3://hallmark/x/", "manifestDigest": digest, "size": 1}


def detail(**changes: Any) -> VersionDetail:  # noqa: ANN401
    whole: dict[str, Any] = {
        "version": version(),
        "run": None,
        "deployments": [],
        "policy": policy().spec,
        "policy_name": "default",
        "said": {},
        "now": NOW,
        **changes,
    }
    return version_detail(VersionInputs(**whole))
