"""The objects of a world, and the plan of which there are. Pure.

Every ModelDeployment has five finished TrainingRuns, of which two were sealed as its versions.
A part of them, all in one namespace, serves a model that they share: that one can be revoked for
all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api import names
from hallmark.api.columns import FeatureType
from hallmark.api.model_approval import ModelApprovalSpec
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.api.texts import sha256_digest
from hallmark.api.training_run import TrainingRunSpec, spec_digest
from hallmark.policies.model_version.attestation import attest
from tests.integration import objects
from tests.integration.operator_process import trusted
from tests.unit.supply_chain import factories

Obj = dict[str, Any]

SHARED = "shared"
"""The model that a part of the ModelDeployments shares, and its namespace where there are more."""
MOST_SHARED = 200
REFUSED_RUNS = 3
REPLICAS = 2
FEATURES = tuple(f"feature{number}" for number in range(10))
BINS = [1000] * 10
"""The baseline's rows in each bin; one more bin is for values that are missing."""
WINDOW = 500
BAKE = "1s"
REVIEWER = "rita"
APPROVER = ec.generate_private_key(ec.SECP256R1())
BASELINE = Baseline(
    rows=sum(BINS),
    features=[
        BaselineFeature(
            name=name,
            type=FeatureType.NUMBER,
            edges=[float(edge) for edge in range(1, len(BINS))],
            counts=[*BINS, 0],
        )
        for name in FEATURES
    ],
)
_LONG_AGO = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Version:
    """A sealed version."""

    namespace: str
    model: str
    number: int

    @property
    def name(self) -> str:
        """Its name, and that of its run."""
        return f"{self.model}-v{self.number}"


@dataclass(frozen=True)
class Deployed:
    """A ModelDeployment: its place, and the model that it serves."""

    namespace: str
    name: str
    model: str

    def version(self, number: int) -> Version:
        """Return a version that it can serve."""
        return Version(self.namespace, self.model, number)


@dataclass(frozen=True)
class Plan:
    """Which objects there are."""

    own: tuple[Deployed, ...]
    """ModelDeployments with a model of their own."""
    shared: tuple[Deployed, ...]
    """ModelDeployments of one namespace that serve the same model."""

    @property
    def deployments(self) -> tuple[Deployed, ...]:
        """All ModelDeployments."""
        return (*self.own, *self.shared)

    @property
    def namespaces(self) -> list[str]:
        """All namespaces."""
        return sorted({deployed.namespace for deployed in self.deployments})

    @property
    def versions(self) -> list[Version]:
        """All versions: two for each ModelDeployment, whether it serves them or not."""
        models = [(deployed.namespace, deployed.name) for deployed in self.deployments]
        shared = {(deployed.namespace, deployed.model) for deployed in self.shared}
        return [
            Version(namespace, model, number)
            for namespace, model in (*models, *sorted(shared))
            for number in (1, 2)
        ]

    def served(self, number: int) -> list[Version]:
        """Return the versions of that number that some ModelDeployment serves."""
        return list(dict.fromkeys(deployed.version(number) for deployed in self.deployments))


def plan(size: int, spaces: int) -> Plan:
    """Return a world's plan.

    Args:
        size: how many ModelDeployments.
        spaces: in how many namespaces.
    """
    shared = min(MOST_SHARED, size // 3)
    own_spaces = [f"team-{number:02d}" for number in range(max(1, spaces - 1))]
    shared_space = SHARED if spaces > 1 else own_spaces[0]
    own = tuple(
        Deployed(own_spaces[number % len(own_spaces)], f"model-{number:05d}", f"model-{number:05d}")
        for number in range(size - shared)
    )
    sharing = (Deployed(shared_space, f"{SHARED}-{number:05d}", SHARED) for number in range(shared))
    return Plan(own, tuple(sharing))


# -- runs -------------------------------------------------------------------------------------


def run_spec(model: str) -> Obj:
    """Return the spec of a TrainingRun."""
    features = [
        {"name": name, "type": "Number", "minimum": "0", "maximum": "1000000"} for name in FEATURES
    ]
    made = objects.training_run("", model=model, requestedBy="alice")
    return {**made["spec"], "schema": {**made["spec"]["schema"], "features": features}}


def run(namespace: str, model: str, name: str) -> Obj:
    """Return a TrainingRun."""
    return objects.resource("TrainingRun", name, run_spec(model), namespace)


def refused_run_status() -> Obj:
    """Return the status of a run that a gate refused, as the operator leaves it."""
    gate = {"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.7"}
    said = "Expected 'accuracy' of at least 0.7, found 0.612000."
    conditions = [
        _condition("DataValidated", "True", "Valid"),
        _condition("GatesPassed", "False", "GateFailed", said),
        _condition("PIIClear", "True", "Clear"),
        _condition("Ready", "False", "GateFailed", said),
        _condition("Reconciling", "False", "GateFailed"),
        _condition("Stalled", "True", "GateFailed", said),
        _condition("Trained", "True", "Fitted"),
    ]
    return {
        "observedGeneration": 1,
        "conditions": conditions,
        "startTime": _LONG_AGO,
        "completionTime": _LONG_AGO,
        "specDigest": "sha256:" + 64 * "0",
        "datasetFingerprint": factories.FINGERPRINT,
        "quality": "97.50",
        "metrics": [{"name": "accuracy", "value": "0.612000"}],
        "gates": [{**gate, "value": "0.612000", "passed": False, "source": "Run"}],
    }


def _condition(type_: str, status: str, reason: str, message: str = "") -> Obj:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": _LONG_AGO,
    }


# -- versions and approvals -------------------------------------------------------------------


@dataclass(frozen=True)
class Sealed:
    """A version's bundle in the store, and its object.

    Attributes:
        folder: the bundle's, in the store.
        files: by name.
        obj: the ModelVersion.
    """

    folder: str
    files: dict[str, bytes]
    obj: Obj

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return str(self.obj["spec"]["artifact"]["manifestDigest"])


class Sealer:
    """Seals versions with one key; what is equal in all of them is made once."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, store: str) -> None:
        """Prepare to seal for the store of that URI."""
        self._key = key
        self._store = store
        sbom = f"sbom_{factories.RUN_ID}.cdx.json"
        self._files = {
            "baseline.json": BASELINE.to_bytes(),
            "report.json": factories.report().to_bytes(),
            sbom: factories.sbom(),
            "schema.json": b"{}",
        }
        self._evidence = {
            "sbomDigest": sha256_digest(self._files[sbom]),
            "gateReportDigest": sha256_digest(self._files["report.json"]),
        }

    def seal(self, version: Version, run_uid: str) -> Sealed:
        """Return a version's files and object."""
        files = {**self._files, "model.onnx": f"{version.namespace} {version.name}".encode()}
        asked = spec_digest(TrainingRunSpec.model_validate(run_spec(version.model)))
        manifest = factories.manifest(
            files, namespace=version.namespace, model=version.model, spec_digest=asked
        )
        text, digest, bundle = factories.sealed(manifest, self._key)
        folder = names.model_prefix(version.namespace, version.model, digest)
        obj = objects.model_version(
            version.namespace,
            version.name,
            model=version.model,
            version=version.number,
            trainingRun={"name": version.name, "uid": run_uid, "specDigest": asked},
            artifact={
                "uri": f"{self._store}/{folder}",
                "manifestDigest": digest,
                "size": sum(map(len, files.values())),
            },
            datasetFingerprint=factories.FINGERPRINT,
            baselineDigest=sha256_digest(files["baseline.json"]),
            bundle=bundle,
            **self._evidence,
        )
        return Sealed(folder, {**files, "manifest.json": text.encode()}, obj)

    def decide(self, version: Version, uid: str, digest: str, decision: str) -> Obj:
        """Return the reviewer's attested decision on a version.

        Args:
            version: what is decided on.
            uid: its object's.
            digest: its manifest's.
            decision: ``Approved`` or ``Revoked``.
        """
        asked = {
            "modelVersion": {"name": version.name, "uid": uid},
            "manifestDigest": digest,
            **self._evidence,
            "decision": decision,
            "approver": REVIEWER,
            "reason": "Evidence read.",
        }
        attestation = attest(APPROVER, version.model, ModelApprovalSpec.model_validate(asked))
        return objects.model_approval(
            version.namespace,
            f"{version.name}-{decision.lower()}",
            **asked,
            attestation=attestation,
        )


def policy_changes() -> Obj:
    """Return what the world's ModelPolicy says beside an installation's usual one."""
    approver = {**trusted(APPROVER), "approver": REVIEWER}
    return {"approvers": [approver], "approvals": {"onRevocation": "Rollback"}}


def deployment(deployed: Deployed) -> Obj:
    """Return a ModelDeployment."""
    return objects.model_deployment(
        deployed.namespace,
        deployed.name,
        model=deployed.model,
        replicas=REPLICAS,
        strategy={"bake": BAKE, "keepWarm": "2h", "progressDeadline": "10m"},
        drift={"window": WINDOW},
    )
