"""What others installed in the cluster switches nothing off, or is told."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from hallmark.cluster.client import ApiCluster
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, Kind, Obj
from tests.integration.operator_process import Installation, deployed, installation, message, store
from tests.integration.operator_stage import NAME, Stage, stage
from tests.integration.operator_world import CRD, api, connected, kubeconfig, namespace, until

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]

API_SERVICE = Kind("apiregistration.k8s.io/v1", "APIService", "apiservices", namespaced=False)
WEBHOOK = Kind(
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)
PEERINGS = (
    Kind("kopf.dev/v1", "ClusterKopfPeering", "clusterkopfpeerings", namespaced=False),
    Kind("kopf.dev/v1", "KopfPeering", "kopfpeerings"),
)


def definition(kind: Kind, short: str, **names: Any) -> Obj:  # noqa: ANN401
    """Return a CRD that takes anything."""
    group, _, version = kind.api_version.partition("/")
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": CRD.api_version,
        "kind": CRD.kind,
        "metadata": {"name": f"{kind.plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "kind": kind.kind,
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [short],
                **names,
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": anything},
                }
            ],
        },
    }


ALIKE = Kind("models.example.com/v1alpha1", "Deployment", "modeldeployments")
DEFINITIONS = (
    definition(PEERINGS[0], "ckpeer"),
    definition(PEERINGS[1], "kpeer"),
    definition(ALIKE, "mdep", categories=["hallmark", "all"]),
)
BROKEN = {
    "apiVersion": API_SERVICE.api_version,
    "kind": API_SERVICE.kind,
    "metadata": {"name": "v1.broken.example.com"},
    "spec": {
        "group": "broken.example.com",
        "version": "v1",
        "groupPriorityMinimum": 20000,
        "versionPriority": 100,
        "service": {"name": "nobody", "namespace": "default"},
        "insecureSkipTLSVerify": True,
    },
}


async def _install(kubeconfig: str) -> None:
    async with connected(kubeconfig) as client:
        for wanted in DEFINITIONS:
            await client._transport.call(
                "PATCH",
                CRD.path(None, wanted["metadata"]["name"]),
                {"fieldManager": "tests", "force": "true"},
                wanted,
                "application/apply-patch+yaml",
            )
        await client._transport.call("POST", API_SERVICE.path(None), None, BROKEN)
        for kind in PEERINGS:
            space = "default" if kind.namespaced else None
            metadata = {"name": "default", **({"namespace": space} if space else {})}
            body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}

            async def made(kind: Kind = kind, space: str | None = space, body: Obj = body) -> bool:
                try:
                    await client._transport.call("POST", kind.path(space), None, body)
                except ApiError:  # Not served yet.
                    return False
                return True

            await until(made)


async def _remove(kubeconfig: str) -> None:
    async with connected(kubeconfig) as client:
        await client._transport.call("DELETE", API_SERVICE.path(None, BROKEN["metadata"]["name"]))
        for wanted in DEFINITIONS:
            await client._transport.call("DELETE", CRD.path(None, wanted["metadata"]["name"]))


@pytest.fixture(scope="module")
def crowded(kubeconfig: str, deployed: Installation) -> Iterator[Installation]:
    """The operator started anew in a cluster that others have used."""
    asyncio.run(_install(kubeconfig))
    deployed.end(signal.SIGKILL)
    deployed.start()
    deployed.wait_until_healthy()
    yield deployed
    asyncio.run(_remove(kubeconfig))


async def test_foreign_kinds_and_a_broken_api_stop_nothing(
    crowded: Installation, stage: Stage
) -> None:
    del crowded
    await stage.approved("v1", 1)
    await stage.deploy()
    await stage.wait_for("Ready=True")


async def test_a_webhook_that_fails_is_told_and_no_pod_starts_without_its_rules(
    crowded: Installation, stage: Stage, api: ApiCluster
) -> None:
    del crowded
    hook = {
        "apiVersion": WEBHOOK.api_version,
        "kind": WEBHOOK.kind,
        "metadata": {"name": "nobody.example.com"},
        "webhooks": [
            {
                "name": "nobody.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": 1,
                "failurePolicy": "Fail",
                "clientConfig": {"url": "https://127.0.0.1:1/no"},
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": stage.namespace}
                },
                "rules": [
                    {
                        "apiGroups": ["networking.k8s.io"],
                        "apiVersions": ["*"],
                        "operations": ["*"],
                        "resources": ["networkpolicies"],
                    }
                ],
            }
        ],
    }
    await api._transport.call("POST", WEBHOOK.path(None), None, hook)
    try:
        await asyncio.sleep(2)  # The API server learns of webhooks by a watch of its own.
        await stage.approved("v1", 1)
        await stage.deploy()
        found = await stage.installation.wait_for(
            MODEL_DEPLOYMENT, stage.namespace, NAME, "Reconciling=True/ApiError"
        )
        assert "nobody.example.com" in message(found, "Reconciling")
    finally:
        await api._transport.call("DELETE", WEBHOOK.path(None, "nobody.example.com"))
    await stage.wait_for("Ready=True", seconds=90)
