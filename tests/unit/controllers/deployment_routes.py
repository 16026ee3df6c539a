"""The HTTPRoute of a ModelDeployment, whom it leads to, and a Gateway that says so."""

from __future__ import annotations

from pathlib import Path

from hallmark.cluster.kinds import HTTP_ROUTE, POD, SERVICE, Obj
from tests.unit.controllers.deployment_seen import LABEL, Seen
from tests.unit.controllers.memory_cluster import MemoryCluster


class Routes(Seen):
    """A namespace that a Gateway takes HTTPRoutes from."""

    def __init__(self, folder: Path, cluster: MemoryCluster) -> None:
        super().__init__(folder, cluster)
        self.no_routes = ""
        """Why the cluster has no HTTPRoutes."""
        self.gateway: dict[str, str] | None = {"Accepted": "True", "ResolvedRefs": "True"}
        """What its controller says of each HTTPRoute, as it is now; None: it is away."""

    def run_gateway(self) -> None:
        """Do what the controller of a Gateway does: say of each HTTPRoute what becomes of it."""
        if self.gateway is None:
            return
        for obj in self._of(HTTP_ROUTE):
            conditions = [
                {
                    "type": type_,
                    "status": status,
                    "reason": "AsTheTestSays",
                    "observedGeneration": obj["metadata"]["generation"],
                }
                for type_, status in self.gateway.items()
            ]
            obj["status"] = {
                "parents": [
                    {"parentRef": parent, "controllerName": "test/gw", "conditions": conditions}
                    for parent in obj["spec"]["parentRefs"]
                ]
            }

    @property
    def route(self) -> Obj:
        """The HTTPRoute, which must be there."""
        [found] = self._of(HTTP_ROUTE)
        return found

    @property
    def routed(self) -> dict[int, int]:
        """Per cent of the requests that come by the HTTPRoute, by the version that answers them.

        Empty where there is no HTTPRoute; what nobody answers is under 0.
        """
        found: dict[int, int] = {}
        services = {obj["metadata"]["name"]: obj for obj in self._of(SERVICE)}
        for route in self._of(HTTP_ROUTE):
            backends = [found for rule in route["spec"]["rules"] for found in rule["backendRefs"]]
            for backend in backends:
                number = self._answering(services.get(backend["name"])) if backend["weight"] else 0
                if backend["weight"]:
                    found[number] = found.get(number, 0) + backend["weight"]
        return found

    def _answering(self, service: Obj | None) -> int:
        """Return the version of the ready Pods that a Service selects, 0 where there are none."""
        selector = service["spec"]["selector"] if service else {"nobody": "at all"}
        numbers = {
            self.numbers[pod["metadata"]["labels"][LABEL]]
            for pod in self._of(POD)
            if selector.items() <= pod["metadata"]["labels"].items()
            and pod["status"]["conditions"][0]["status"] == "True"
        }
        assert len(numbers) <= 1, "a backend of the route leads to two versions"
        return next(iter(numbers), 0)
