"""What a namespace holds around a ModelDeployment, and how a test looks at it."""

# ruff: noqa: D102 - names say what the world does
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hallmark.api import names
from hallmark.api.columns import FeatureType
from hallmark.api.findings import Finding
from hallmark.api.model_deployment import ModelDeploymentStatus
from hallmark.api.model_version import ModelVersion
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    NETWORK_POLICY,
    POD,
    SECRET,
    SERVICE,
    Kind,
    Obj,
)
from hallmark.resources.carried import bundle_name, carried_files
from hallmark.supply_chain.carried import carried_manifest
from tests.unit.controllers.folder_stores import Ledger
from tests.unit.controllers.memory_cluster import Key, MemoryCluster
from tests.unit.policies.model_deployment import rollouts

SPACE, NAME, MODEL = "bank", "credit", "credit"
WINDOW = 100
BASELINE = Baseline(
    rows=1000,
    features=[
        BaselineFeature(
            name="income", type=FeatureType.NUMBER, edges=[1.0, 2.0], counts=[400, 300, 300, 0]
        )
    ],
)
LABEL = names.LABEL_MANIFEST
CALM, SHIFTED = [40, 30, 30, 0], [0, 0, 100, 0]


class Seen:
    """A namespace with a ModelDeployment, its children and its bundles."""

    def __init__(self, folder: Path, cluster: MemoryCluster) -> None:
        self.folder = folder
        self.cluster = cluster
        self.ledger = Ledger()
        self.now = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
        self.numbers: dict[str, int] = {}
        """Version number by manifest label."""
        self.corrupt: set[int] = set()
        self.refusing: set[int] = set()
        self.away = False
        """Nobody reaches the store."""

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def spec(self) -> Obj:
        return dict(self.cluster.objects[self._key()]["spec"])

    @property
    def status(self) -> ModelDeploymentStatus:
        return ModelDeploymentStatus.model_validate(
            self.cluster.objects[self._key()].get("status", {})
        )

    @property
    def state(self) -> str:
        rollout = self.status.rollout
        return rollout.state.value if rollout else "Idle"

    @property
    def serving(self) -> int:
        """The number of the version that the Service selects (beside a candidate), 0 for none."""
        services = self._services()
        if not services:
            return 0
        active = names.manifest_label(self.status.active_digest or "")
        return self.numbers[services[0]["spec"]["selector"].get(names.LABEL_MANIFEST, active)]

    @property
    def shared(self) -> dict[int, int]:
        """How many ready Pods of each version the Service leads to."""
        [service] = self._services()
        found: dict[int, int] = {}
        for pod in self._of(POD):
            labels, [ready] = pod["metadata"]["labels"], pod["status"]["conditions"]
            if service["spec"]["selector"].items() <= labels.items() and ready["status"] == "True":
                number = self.numbers[labels[names.LABEL_MANIFEST]]
                found[number] = found.get(number, 0) + 1
        return found

    @property
    def copied(self) -> Obj | None:
        """What predictors are told to copy, where the candidate can be reached for it, else None.

        All that has to do with it is there, or nothing.
        """
        [told] = [
            each for each in self._of(CONFIG_MAP) if each["metadata"]["name"] == "credit-active"
        ]
        mirror = told["data"].get("mirror")
        aside = names.mirror_name(NAME)
        services = [each for each in self._of(SERVICE) if each["metadata"]["name"] == aside]
        [rules] = [each["spec"] for each in self._of(NETWORK_POLICY)]
        ports = [port["port"] for rule in rules["egress"] for port in rule["ports"]]
        assert len(services) == ports.count(names.MIRROR_PORT) == (mirror is not None)
        if mirror is None:
            return None
        found: Obj = json.loads(mirror)
        assert services[0]["spec"]["selector"][names.LABEL_MANIFEST] == names.manifest_label(
            found["candidate"]
        )
        return found

    @property
    def running(self) -> dict[int, int]:
        """Pods asked for, by version."""
        return {
            self.numbers[obj["metadata"]["labels"][names.LABEL_MANIFEST]]: obj["spec"]["replicas"]
            for obj in self._of(APPS_DEPLOYMENT)
        }

    @property
    def templates(self) -> list[Obj]:
        """The Pod templates; another one restarts Pods."""
        return [obj["spec"]["template"] for obj in self._of(APPS_DEPLOYMENT)]

    @property
    def children(self) -> list[str]:
        """What was made for the ModelDeployment, Pods apart."""
        return sorted(
            f"{obj['kind']}/{obj['metadata']['name']}"
            for obj in self.cluster.objects.values()
            if names.LABEL_DEPLOYMENT in (obj["metadata"].get("labels") or {})
            and obj["kind"] != "Pod"
        )

    @property
    def secrets(self) -> list[str]:
        """The names of the Secrets with download URLs."""
        return [obj["metadata"]["name"] for obj in self._of(SECRET)]

    @property
    def bundles(self) -> dict[int, Obj]:
        """The ConfigMaps of served files by the number of their version."""
        return {
            self.numbers[obj["metadata"]["labels"][LABEL]]: obj
            for obj in self._of(CONFIG_MAP)
            if "-bundle-" in obj["metadata"]["name"]
        }

    def condition(self, type_: str) -> str:
        found = self.status.condition(type_)
        return f"{found.status.value}/{found.reason}" if found else ""

    def message(self, type_: str) -> str:
        found = self.status.condition(type_)
        return found.message if found else ""

    def recorded(self, event: str) -> list[str]:
        return [r.outcome for r in self.ledger.records.values() if r.event == event]

    def digest(self, number: int) -> str:
        obj = self.cluster.objects[self._key(MODEL_VERSION, rollouts.version_name(number))]
        return str(obj["spec"]["artifact"]["manifestDigest"])

    def version(self, number: int) -> ModelVersion:
        key = self._key(MODEL_VERSION, rollouts.version_name(number))
        return ModelVersion.model_validate(self.cluster.objects[key])

    def pods_of(self, number: int) -> list[Obj]:
        label = names.manifest_label(self.digest(number))
        return [pod for pod in self._of(POD) if pod["metadata"]["labels"].get(LABEL) == label]

    def answers(self) -> int:
        """How many ready Pods the Service selects."""
        services = self._services()
        if not services:
            return 0
        selector = services[0]["spec"]["selector"]
        return sum(
            selector.items() <= pod["metadata"]["labels"].items()
            and pod["status"]["conditions"][0]["status"] == "True"
            for pod in self._of(POD)
        )

    def carries(self, number: int) -> bool:
        """Whether the version's served files travel in the cluster, as they were sealed."""
        label = names.manifest_label(self.digest(number))
        for obj in self._of(CONFIG_MAP):
            if obj["metadata"]["name"] == bundle_name(NAME, label):
                files = carried_files(obj)
                return not isinstance(carried_manifest(files, self.digest(number)), Finding)
        return False

    def is_withdrawn(self, number: int) -> bool:
        """Whether people denied or revoked a version."""
        status = self.version(number).status
        return status.is_true("Denied") or status.is_true("Revoked")

    def _of(self, kind: Kind) -> list[Obj]:
        prefix = kind.kind + kind.api_version
        return [obj for key, obj in list(self.cluster.objects.items()) if key[0] == prefix]

    def _services(self) -> list[Obj]:
        """Return the Service that clients use, if there is one."""
        return [obj for obj in self._of(SERVICE) if obj["metadata"]["name"] == NAME]

    def _key(self, kind: Kind = MODEL_DEPLOYMENT, name: str = NAME) -> Key:
        return (kind.kind + kind.api_version, SPACE if kind.namespaced else "", name)

    def _put(self, kind: Kind, namespace: str, name: str, **parts: Obj) -> None:
        key = (kind.kind + kind.api_version, namespace, name)
        if key in self.cluster.objects:
            self.cluster.objects[key].update(parts)
        else:
            self.cluster.put({**bare(kind, namespace, name), **parts})

    def _bundle_folder(self, digest: str) -> Path:
        return self.folder / names.model_prefix(SPACE, MODEL, digest)


def bare(kind: Kind, namespace: str, name: str) -> Obj:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
