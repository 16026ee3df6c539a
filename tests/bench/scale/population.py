"""Makes a world's objects, through the plain API as administrator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hallmark.api import names
from tests.bench.scale import objects
from tests.bench.scale.api import Api, Obj, for_all
from tests.bench.scale.objects import Deployed, Plan, Sealer, Version
from tests.integration.api import path_of

AT_ONCE = 16


@dataclass(frozen=True)
class Made:
    """A ModelVersion: its object's uid and its manifest's digest."""

    uid: str
    digest: str

    @property
    def label(self) -> str:
        """The label that stands for the manifest."""
        return names.manifest_label(self.digest)


@dataclass
class Population:
    """A world's objects, and what the scenes ask of those that were made."""

    api: Api
    plan: Plan
    sealer: Sealer
    store: Path
    """The folder in which the store keeps a bundle's files."""
    versions: dict[Version, Made] = field(default_factory=dict)

    async def settle_in(self) -> None:
        """Make the namespaces, the finished runs and the versions, and approve the first ones."""
        for namespace in self.plan.namespaces:
            metadata = {"name": namespace}
            await self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        await for_all(self.plan.versions, self._make_version, AT_ONCE)
        refused = (
            (deployed, number)
            for deployed in self.plan.deployments
            for number in range(objects.REFUSED_RUNS)
        )
        await for_all(refused, self._make_refused_run, AT_ONCE)
        await self.approve(self.plan.served(1))

    async def deploy(self, deployments: Iterable[Deployed]) -> None:
        """Create ModelDeployments."""
        wanted = map(objects.deployment, deployments)
        await for_all(wanted, self._create, AT_ONCE)

    async def approve(self, versions: Iterable[Version]) -> None:
        """Approve versions."""
        await for_all(versions, self._approve, AT_ONCE)

    async def decide(self, version: Version, decision: str) -> None:
        """Approve or revoke a version."""
        made = self.versions[version]
        await self._create(self.sealer.decide(version, made.uid, made.digest, decision))

    async def _approve(self, version: Version) -> None:
        await self.decide(version, "Approved")

    async def _create(self, obj: Obj) -> str:
        made = await self.api.call("POST", path_of(obj, name=False), obj)
        return str(made["metadata"]["uid"])

    async def _make_version(self, version: Version) -> None:
        # The operator sees that its version is there, and writes the run's status.
        run_uid = await self._create(objects.run(version.namespace, version.model, version.name))
        sealed = self.sealer.seal(version, run_uid)
        for name, data in sealed.files.items():
            file = self.store / sealed.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        self.versions[version] = Made(await self._create(sealed.obj), sealed.digest)

    async def _make_refused_run(self, which: tuple[Deployed, int]) -> None:
        deployed, number = which
        run = objects.run(deployed.namespace, deployed.name, f"{deployed.name}-refused{number}")
        await self._create(run)
        path = path_of(run, subresource="status")
        await self.api.merge(path, {"status": objects.refused_run_status()})
