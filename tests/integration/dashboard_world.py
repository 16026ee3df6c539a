"""A dashboard that runs: a real API server, a real store, real people with tokens and roles."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from hallmark.api.model_card import ModelCard
from hallmark.api.names import LABEL_POLICY, SYSTEM_NAMESPACE
from hallmark.api.texts import sha256_digest
from hallmark.audit import AuditLog
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import Record
from hallmark.supply_chain.manifest import build_manifest
from hallmark_dashboard.connect import connect
from hallmark_dashboard.server import Server
from hallmark_dashboard.services import Services, build_services
from hallmark_dashboard.settings import Settings
from tests.integration import objects
from tests.integration.api import Api, Obj
from tests.integration.conftest import OPERATOR, ROOT, World, rbac, until
from tests.unit.store import versitygw
from tests.unit.store.versitygw import Gateway
from tests.unit.supply_chain import factories

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)> שלום 🔬"
PEOPLE = {
    "vera": "hallmark-viewer",
    "rita": "hallmark-reviewer",
    "remy": "hallmark-reviewer",
    "alice": "hallmark-author",
    "otto": "hallmark-engineer",
    "nobody": "",
}


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    name: str
    """As the API server knows him."""
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What signs a program in."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Site:
    """A dashboard, and what it shows."""

    world: World
    url: str
    services: Services
    people: dict[str, Person]
    namespace: str
    """Where the people have their roles."""
    hidden: str
    """Where nobody of them has one."""
    gateway: Gateway
    policy: str
    """The policy of both."""
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> Api:
        """The API server, as its administrator."""
        return self.world.api

    def call(
        self, person: str, method: str, path: str, body: object = None, **headers: str
    ) -> httpx.Response:
        """Send a request as somebody's program."""
        signed = {**self.people[person].headers, **headers} if person else headers
        return httpx.request(method, self.url + path, json=body, headers=signed, timeout=30)

    @contextmanager
    def browser(self, person: str) -> Iterator[httpx.Client]:
        """Yield a browser in which somebody has signed in, once for all tests: that is limited."""
        headers = {"Accept": "text/html"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=30) as client:
            if person not in self.cookies:
                answer = client.post("/sign-in", data={"token": self.people[person].token})
                assert answer.status_code == 303, answer.text
                self.cookies[person] = answer.cookies["hallmark"]
            client.cookies.set("hallmark", self.cookies[person], domain="127.0.0.1")
            yield client

    def sees(self, kind: str, name: str, namespace: str = "") -> bool:
        """Tell whether an object has reached the dashboard's memory."""
        kinds = {key.kind.kind for key in _keys(self) if key.name == name}
        return kind in kinds


def _keys(site: Site) -> list[Any]:
    return list(site.services.watch.cache._entries)


@contextmanager
def running(settings: Settings, kubeconfig: str) -> Iterator[Services]:
    """Run a dashboard in a thread of its own until the block ends."""
    ready = threading.Event()
    made: dict[str, Any] = {}

    async def serve() -> None:
        cluster, door = await connect(kubeconfig)
        made["services"] = build_services(settings, cluster, door)
        made["server"] = Server(made["services"], "127.0.0.1")
        ready.set()
        await made["server"].serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        until(lambda: _answers(f"http://127.0.0.1:{settings.port}/healthz"), 30)
        yield made["services"]
    finally:
        made["server"].should_exit = True
        thread.join(15)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def site(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield the dashboard of a whole session."""
    with site_of(world, tmp_path_factory.mktemp("dashboard"), f"-{secrets.token_hex(3)}") as made:
        yield made


@contextmanager
def site_of(
    world: World, folder: Path, suffix: str, message: str | None = HOSTILE
) -> Iterator[Site]:
    """Yield a dashboard that runs with its own shipped role and nothing more.

    Args:
        world: the API server.
        folder: where its files are.
        suffix: what the names of namespaces end in.
        message: what the first records of the audit log say; None: there are none.
    """
    api = world.api
    namespace, hidden, people_in = f"bank{suffix}", f"hidden{suffix}", f"people{suffix}"
    role = ROOT / "manifests" / "dashboard" / "rbac.yaml"
    world.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(role))
    with versitygw.running(folder / "store") as gateway:
        labels = {LABEL_POLICY: f"desk{suffix}"}
        _policy(api, f"desk{suffix}", gateway)
        for name in (namespace, hidden, people_in):
            metadata: Obj = {"name": name, "labels": labels if name != people_in else {}}
            api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        people = {
            name: _person(api, people_in, namespace, name, given) for name, given in PEOPLE.items()
        }
        kubeconfig = dashboard_kubeconfig(world, folder)
        said_in = (namespace, hidden, namespace) if message else ()
        settings = Settings(
            port=free_port(),
            audit_log=_audit_log(folder, message or "", said_in),
            store_credentials=gateway.credentials,
            session_key=folder / "no-key",
            predict_url="http://127.0.0.1:9/{namespace}/{name}",
        )
        with running(settings, kubeconfig) as services:
            url = f"http://127.0.0.1:{settings.port}"
            policy = f"desk{suffix}"
            yield Site(world, url, services, people, namespace, hidden, gateway, policy)


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def dashboard_kubeconfig(world: World, folder: Path) -> str:
    """Write a kubeconfig of the dashboard's own ServiceAccount."""
    config = yaml.safe_load(world.cluster.kubeconfig.read_text())
    token = _token(world.api, SYSTEM_NAMESPACE, "hallmark-dashboard")
    config["users"][0]["user"] = {"token": token}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def _token(api: Api, namespace: str, name: str) -> str:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    return str(api.request("POST", path, request)["status"]["token"])


def _person(api: Api, home: str, namespace: str, name: str, role: str) -> Person:
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    api.create({**account, "metadata": {"name": name, "namespace": home}})
    if role:
        api.create(
            rbac(
                "RoleBinding",
                f"{role}-{name}",
                namespace,
                roleRef={
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": role,
                },
                subjects=[{"kind": "ServiceAccount", "name": name, "namespace": home}],
            )
        )
    return Person(f"system:serviceaccount:{home}:{name}", _token(api, home, name))


def _policy(api: Api, name: str, gateway: Gateway) -> None:
    made = objects.model_policy(
        name,
        store={"uri": f"s3://{versitygw.BUCKET}", "endpoint": gateway.endpoint},
        dependencies={"denied": ["zope-interface"]},
        signers=[factories.trusted().to_wire()],
        auditors=[factories.trusted().to_wire()],
        approvals={"minimum": 2},
    )
    api.create(made)


def _audit_log(folder: Path, message: str, spaces: Sequence[str]) -> Path:
    key = factories.KEY
    log = AuditLog(folder / "secure_mlops.log", key)
    log.verify_rest(None)
    for number, space in enumerate(spaces):
        log.append(
            Record(
                decision_id=f"decision-{number}",
                event=AuditEvent.APPROVE,
                kind="ModelVersion",
                namespace=space,
                name=f"loan-v{number}",
                uid=f"uid-{number}",
                outcome=AuditOutcome.ACCEPTED,
                reason="Accepted",
                message=message,
                actor="rita",
            )
        )
    log.close()
    return folder / "secure_mlops.log"


CARD = ModelCard(
    use_cases=['Loans <img src=x onerror="alert(1)"> & <b>nothing</b> else.'],
    technical_limitations=["No companies."],
)
"""What an author says of a model."""


def put_version(
    site: Site,
    name: str,
    number: int = 1,
    namespace: str = "",
    baseline: Obj | None = None,
    **report: object,
) -> Obj:
    """Seal a bundle in the store, and make the ModelVersion that names it."""
    space = namespace or site.namespace
    run_id = secrets.token_hex(6)
    files = {
        "report.json": factories.report(model="loan", **report).to_bytes(),
        "baseline.json": json.dumps(baseline or BASELINE).encode(),
        "Dockerfile": b"FROM python\nUSER 65532\n",
        f"sbom_{run_id}.cdx.json": factories.sbom(model="loan", run_id=run_id, card=CARD),
    }
    manifest = build_manifest(
        namespace=space,
        model="loan",
        run_id=run_id,
        spec_digest=objects.DIGEST,
        dataset_fingerprint=objects.DIGEST,
        image_digest=objects.DIGEST,
        files=files,
    ).to_bytes()
    digest = sha256_digest(manifest)
    store = site.gateway.store(f"models/{space}.loan/{digest.removeprefix('sha256:')}")
    for path, data in {**files, "manifest.json": manifest}.items():
        store.put(path, data)
    made = objects.model_version(
        space,
        name,
        version=number,
        artifact={"uri": "s3://hallmark/models/", "manifestDigest": digest, "size": 9},
        gateReportDigest=sha256_digest(files["report.json"]),
        baselineDigest=sha256_digest(files["baseline.json"]),
        sbomDigest=sha256_digest(files[f"sbom_{run_id}.cdx.json"]),
    )
    created = site.api.create(made, OPERATOR)
    condition(
        site,
        created,
        Ready=("True", "Sealed"),
        Verified=("True", "SignatureValid"),
        SBOMReady=("True", "SBOMRecorded"),
        PolicyPassed=("True", "PolicyPassed"),
        Approved=("False", "AwaitingApproval"),
    )
    until(lambda: site.sees("ModelVersion", name))
    return created


BASELINE = {
    "schemaVersion": "hallmark.dev/baseline/v1",
    "rows": 300,
    "features": [
        {"name": "income", "type": "Number", "edges": [10.0, 20.0], "counts": [100, 100, 100, 0]}
    ],
}


def condition(site: Site, obj: Obj, more: Obj | None = None, **conditions: tuple[str, str]) -> Obj:
    """Write an object's status as the operator does."""
    told = [
        {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": f"{reason} it is.",
            "lastTransitionTime": "2026-06-01T12:00:00Z",
            "observedGeneration": 1,
        }
        for type_, (status, reason) in conditions.items()
    ]
    change = {"status": {"conditions": told, "observedGeneration": 1, **(more or {})}}
    return site.api.patch(obj, change, OPERATOR, "status")


def put_deployment(site: Site, name: str, active: Obj | None = None, **spec: object) -> Obj:
    """Make a ModelDeployment that serves a version, as far as its status says."""
    made = site.api.create(objects.model_deployment(site.namespace, name, **spec))
    more: Obj = {}
    if active is not None:
        digest = active["spec"]["artifact"]["manifestDigest"]
        more = {
            "activeModelVersion": active["metadata"]["name"],
            "activeDigest": digest,
            "readyReplicas": 1,
        }
    condition(site, made, more, Ready=("True", "Serving"))
    until(lambda: site.sees("Deployment", name))
    return made
