"""What judging a drift report is made from: the cache alone, without a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.bundles.bundles import Bundles
from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.gather.model_deployment import trusts_of
from hallmark.cluster.gather.pods import pods_of
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, MODEL_VERSION
from hallmark.drift.decision import DriftVerdict, Memory
from hallmark.drift.reports import Report
from hallmark.policies.model_deployment.drift import judge_drift


def judge_reports(
    cache: ObjectCache,
    bundles: Bundles,
    clock: Callable[[], datetime],
    namespace: str,
    name: str,
    reports: Mapping[str, Report],
    memory: Memory | None,
) -> DriftVerdict | None:
    """Judge a ModelDeployment's reports, or return None where something is not in memory yet."""
    deployment = cache.read(ModelDeployment, MODEL_DEPLOYMENT, namespace, name)
    if not isinstance(deployment, ModelDeployment):
        return None
    active = deployment.status.active_model_version
    version = cache.read(ModelVersion, MODEL_VERSION, namespace, active) if active else None
    if not isinstance(version, ModelVersion):
        return None
    return judge_drift(
        deployment,
        trusts_of(cache, deployment),
        pods_of(cache, deployment),
        reports,
        bundles.known_baseline(version),
        memory,
        clock(),
    )
