"""A world worth looking at: a mortgage model in every state that a page can show.

Reports, baselines, bills of materials and counts of traffic are real; statuses are written here in
the operator's words, because no node is there for it to start Pods on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hallmark.api.names import AUDIT_ANCHOR, SYSTEM_NAMESPACE
from hallmark.api.texts import sha256_digest
from hallmark.api.training_run import TrainingRunSpec, spec_digest
from hallmark.audit import AuditLog, Record
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.files import head_path
from hallmark.audit.outside import HEAD_KEY, anchored
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import signed_resources
from tests.browser import assayed
from tests.browser.assayed import Assayed, digest_of, moment
from tests.data.hmda import MODEL
from tests.integration import objects
from tests.integration.api import Obj, RefusedError, User
from tests.integration.conftest import OPERATOR, until
from tests.integration.dashboard_world import Site
from tests.unit.supply_chain import factories

LIMIT = "0.2"


@dataclass(frozen=True)
class Story:
    """The objects of the story by what they show.

    Attributes:
        site: the dashboard.
        serving: a version that serves.
        second: a version that drift rolled back in one place and that serves in another.
        waiting: a version that waits for a decision.
        refused: a run that its fairness gate refused.
        running: a run that trains.
        drifted: a Deployment that was rolled back.
        calm: a Deployment that serves as asked.
        coming: a Deployment whose candidate waits for approvals.
    """

    site: Site
    serving: str
    second: str
    waiting: str
    refused: str
    running: str
    drifted: str
    calm: str
    coming: str

    @property
    def paths(self) -> dict[str, str]:
        """The address of each page, by a short name."""
        space = self.site.namespace
        return {
            "overview": "/",
            "models": "/models",
            "model": f"/models/{space}/{MODEL}",
            "version": f"/versions/{space}/{self.serving}",
            "compare": f"/versions/{space}/{self.waiting}/compare?with={self.serving}",
            "review": f"/reviews/{space}/{self.waiting}",
            "deployment": f"/deployments/{space}/{self.drifted}",
            "rollout": f"/deployments/{space}/{self.coming}",
            "run": f"/runs/{space}/{self.refused}",
            "progress": f"/runs/{space}/{self.running}",
            "audit": "/audit?verify=1",
            "policies": "/policies",
            "policy": f"/policies/{self.site.policy}",
            "search": f"/search?q={MODEL}",
            "deployments": "/deployments",
            "signIn": "/sign-in",
            "none": f"/versions/{space}/none",
        }


class Teller:
    """Writes the story into a site.

    Args:
        site: where.
        now: the time.
    """

    def __init__(self, site: Site, now: datetime) -> None:
        self._site, self._now = site, now
        self._alice = site.people["alice"].name

    def told(self, type_: str, status: str, reason: str, message: str, minutes: float = 5) -> Obj:
        """Return a condition that holds since some minutes."""
        since = moment(self._now - timedelta(minutes=minutes))
        return {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
            "observedGeneration": 1,
        }

    def ago(self, **time: float) -> str:
        """Return a moment that is past."""
        return moment(self._now - timedelta(**time))

    def write(self, obj: Obj, *conditions: Obj, **status: object) -> Obj:
        """Write an object's status."""
        change = {"observedGeneration": 1, "conditions": list(conditions), **status}
        return self._site.api.patch(obj, {"status": change}, OPERATOR, "status")

    def run(self, name: str, spec: dict[str, Any]) -> Obj:
        """Apply a TrainingRun as alice."""
        wanted = {**spec, "requestedBy": self._alice}
        made = objects.resource("TrainingRun", name, wanted, self._site.namespace)
        return self._site.api.create(made, User(self._alice))

    def version(self, number: int, bundle: Assayed, *conditions: Obj, **status: object) -> Obj:
        """Seal a run's bundle in the store; return the ModelVersion that names it."""
        name = f"{MODEL}-v{number}"
        run = self._finished(name, bundle)
        digest, files = digest_of(bundle), bundle.files
        store = self._site.gateway.store(
            f"models/{self._site.namespace}.{MODEL}/{digest.removeprefix('sha256:')}"
        )
        slots = {sha256_digest(data): data for data in files.values()}
        for listed in bundle.manifest.files:
            store.put(listed.name, slots[listed.digest])
        store.put("manifest.json", files["manifest.json"])
        signed = sign_bundle(factories.KEY, MODEL, signed_resources(bundle.manifest, digest))
        made = self._site.api.create(
            objects.model_version(
                self._site.namespace,
                name,
                model=MODEL,
                version=number,
                trainingRun={
                    "name": name,
                    "uid": run["metadata"]["uid"],
                    "specDigest": spec_digest(TrainingRunSpec.model_validate(run["spec"])),
                },
                requestedBy={"name": self._alice, "authenticated": True},
                artifact={
                    "uri": f"s3://hallmark/models/{self._site.namespace}.{MODEL}/{digest[7:]}/",
                    "manifestDigest": digest,
                    "size": sum(map(len, files.values())),
                },
                datasetFingerprint=bundle.artifacts.outcome.fingerprint,
                gateReportDigest=sha256_digest(files["report.json"]),
                baselineDigest=sha256_digest(files["baseline.json"]),
                sbomDigest=sha256_digest(files["sbom.cdx.json"]),
                bundle=signed,
            ),
            OPERATOR,
        )
        key = factories.trusted().key_id
        return self.write(
            made,
            self.told("Verified", "True", "SignatureValid", f"Signed by the key {key}."),
            self.told("SBOMReady", "True", "SBOMRecorded", "The SBOM is sealed."),
            self.told("PolicyPassed", "True", "PolicyPassed", "It meets the policy of today."),
            self.told("Ready", "True", "Sealed", "Verified; usable where it is approved."),
            *conditions,
            keyId=key,
            **status,
        )

    def _finished(self, name: str, bundle: Assayed) -> Obj:
        run, outcome = self.run(name, bundle.spec), bundle.artifacts.outcome
        return self.write(
            run,
            self.told("DataValidated", "True", "Valid", "2380 rows are as the schema says.", 9),
            self.told("PIIClear", "True", "Clear", "No personal data were found.", 9),
            self.told("Trained", "True", "Fitted", "A logistic regression was fitted.", 8),
            self.told("GatesPassed", "True", "Passed", "Both gates passed.", 8),
            self.told("Sealed", "True", "Sealed", f"Sealed as {name}.", 7),
            self.told("Ready", "True", "Sealed", f"Sealed as {name}.", 7),
            gates=[gate.to_wire() for gate in outcome.gates],
            metrics=[metric.to_wire() for metric in outcome.metrics],
            quality=outcome.quality,
            datasetFingerprint=outcome.fingerprint,
            modelVersion=name,
        )

    def approvals(self, *people: str) -> list[Obj]:
        """Return what the operator latched of people's approvals."""
        return [
            {
                "uid": f"{person}-1",
                "name": person,
                "decision": "Approved",
                "approver": self._site.people[person].name,
                "accepted": True,
                "reason": "Accepted",
                "time": self.ago(days=2, hours=number),
            }
            for number, person in enumerate(people)
        ]

    def deployment(self, name: str, spec: Obj, *conditions: Obj, **status: object) -> Obj:
        """Apply a ModelDeployment, with the status that the operator gave it."""
        drift = {"threshold": LIMIT, "window": assayed.WINDOW}
        wanted = {"replicas": 2, "drift": drift, **spec}
        made = objects.resource("Deployment", name, wanted, self._site.namespace)
        return self.write(self._site.api.create(made), *conditions, **status)


def tell(site: Site) -> Story:
    """Write the story into a site; it is in the dashboard's memory once this returns."""
    now = datetime.now(UTC).replace(microsecond=0)
    teller = Teller(site, now)
    bundles = [assayed.sealed(site.namespace, *how) for how in (("1.0", 0), ("0.5", 0), ("0.1", 1))]
    first, second, third = (digest_of(bundle) for bundle in bundles)
    approved = teller.told("Approved", "True", "Approved", "2 of 2 approvals.", 2880)
    kept = teller.approvals("rita", "remy")
    teller.version(1, bundles[0], approved, approvals=kept, usedBy=["desk"])
    teller.version(2, bundles[1], approved, approvals=kept, usedBy=["branch"])
    waits = (
        "0 of 2 approvals; a reviewer creates a ModelApproval with this version's uid and digests."
    )
    teller.version(3, bundles[2], teller.told("Approved", "False", "AwaitingApproval", waits))
    _runs(teller, site)
    policy = site.api.get(objects.model_policy(site.policy))
    accepted = teller.told("Ready", "True", "Valid", "The policy can be used.", 4000)
    teller.write(policy, accepted)
    _drifted(teller, bundles[0], first, second, now)
    _calm(teller, bundles[1], second, now)
    rollout = {"state": "AwaitingApproval", "modelVersion": f"{MODEL}-v3", "manifestDigest": third}
    teller.deployment(
        "pilot",
        {"modelVersion": f"{MODEL}-v3"},
        teller.told("Verified", "True", "Verified", "Signature, policy and bytes were checked."),
        teller.told("Approved", "False", "AwaitingApproval", waits),
        teller.told("Ready", "False", "AwaitingApproval", waits),
        teller.told("Reconciling", "True", "AwaitingApproval", waits),
        candidateModelVersion=f"{MODEL}-v3",
        candidateDigest=third,
        rollout=rollout,
    )
    _record(site, now)
    until(lambda: site.sees("Deployment", "pilot") and site.sees("TrainingRun", f"{MODEL}-v4"))
    until(lambda: site.services.watch.traffic.of(site.namespace, "branch")[1])
    return Story(
        site,
        f"{MODEL}-v1",
        f"{MODEL}-v2",
        f"{MODEL}-v3",
        f"{MODEL}-with-race",
        f"{MODEL}-v4",
        "desk",
        "branch",
        "pilot",
    )


def _runs(teller: Teller, site: Site) -> None:
    spec, refusal = assayed.refused(site.namespace)
    outcome = refusal.outcome
    stopped = ("GateFailed", outcome.message)
    teller.write(
        teller.run(f"{MODEL}-with-race", spec),
        teller.told("DataValidated", "True", "Valid", "2380 rows are as the schema says.", 33),
        teller.told("PIIClear", "True", "Clear", "No personal data were found.", 33),
        teller.told("Trained", "True", "Fitted", "A logistic regression was fitted.", 32),
        teller.told("GatesPassed", "False", *stopped, 32),
        teller.told("Ready", "False", *stopped, 32),
        teller.told("Stalled", "True", *stopped, 32),
        gates=[gate.to_wire() for gate in outcome.gates],
        metrics=[metric.to_wire() for metric in outcome.metrics],
        quality=outcome.quality,
        datasetFingerprint=outcome.fingerprint,
        message=outcome.message,
    )
    doing = ("Training", "The robustness of the model is measured.")
    teller.write(
        teller.run(f"{MODEL}-v4", assayed.spec_of(strength="0.2")),
        teller.told("DataValidated", "True", "Valid", "2380 rows are as the schema says.", 1),
        teller.told("PIIClear", "True", "Clear", "No personal data were found.", 1),
        teller.told("Ready", "False", *doing, 1),
        teller.told("Reconciling", "True", *doing, 1),
        progress={"stage": "Train", "percent": 45, "message": doing[1]},
    )


def _drifted(teller: Teller, bundle: Assayed, first: str, second: str, now: datetime) -> None:
    why = "2 of 2 Pods drift: pirat PSI 1.32, limit 0.2, in 2 windows of 500 rows."
    serves = f"'{MODEL}-v1' serves instead of '{MODEL}-v2'. {why}"
    reports = {
        f"desk-{pod}": assayed.counted(bundle, [1.3, 1.18, 1.04, 1.0, 1.0], now, pod)
        for pod in (1, 2)
    }
    history = [
        _period(1, first, teller.ago(days=2), teller.ago(days=1), "Replaced"),
        _period(2, second, teller.ago(days=1), teller.ago(minutes=4), "RolledBack", stable=False),
        _period(1, first, teller.ago(minutes=4), None, "Serving"),
    ]
    teller.deployment(
        "desk",
        {"model": MODEL},
        teller.told("Verified", "True", "Verified", "Signature, policy and bytes were checked."),
        teller.told("Approved", "True", "Approved", "2 of 2 approvals."),
        teller.told("Available", "True", "Serving", f"'{MODEL}-v1' serves with 2 Pods."),
        teller.told("DriftDetected", "False", "NoDrift", "The traffic is as in training."),
        teller.told("RolledBack", "True", "DriftRollback", why, 4),
        teller.told("Ready", "False", "DriftRollback", serves, 4),
        teller.told("Stalled", "True", "DriftRollback", serves, 4),
        activeModelVersion=f"{MODEL}-v1",
        activeDigest=first,
        stableModelVersion=f"{MODEL}-v1",
        stableDigest=first,
        readyReplicas=2,
        history=history,
        rollout={"state": "Stable", "modelVersion": f"{MODEL}-v1", "manifestDigest": first},
        refused=[
            {
                "intentHash": "a1",
                "manifestDigest": second,
                "reason": "DriftRollback",
                "time": teller.ago(minutes=4),
            }
        ],
        lastRollback={
            "from": f"{MODEL}-v2",
            "to": f"{MODEL}-v1",
            "fromDigest": second,
            "toDigest": first,
            "reason": "DriftRollback",
            "message": why,
            "time": teller.ago(minutes=4),
        },
        url=f"http://desk.{teller._site.namespace}.svc",
        drift=reports,
        driftState=_state("NoDrift", first, bundle, reports),
    )


def _calm(teller: Teller, bundle: Assayed, digest: str, now: datetime) -> None:
    reports = {"branch-1": assayed.counted(bundle, [1.0] * 5, now, 1)}
    serves = f"'{MODEL}-v2' serves at http://branch.{teller._site.namespace}.svc."
    teller.deployment(
        "branch",
        {"modelVersion": f"{MODEL}-v2", "replicas": 1},
        teller.told("Verified", "True", "Verified", "Signature, policy and bytes were checked."),
        teller.told("Approved", "True", "Approved", "2 of 2 approvals."),
        teller.told("Available", "True", "Serving", f"'{MODEL}-v2' serves with 1 Pods."),
        teller.told("DriftDetected", "False", "NoDrift", "The traffic is as in training."),
        teller.told("Ready", "True", "Serving", serves, 1400),
        activeModelVersion=f"{MODEL}-v2",
        activeDigest=digest,
        stableModelVersion=f"{MODEL}-v2",
        stableDigest=digest,
        readyReplicas=1,
        history=[_period(2, digest, teller.ago(days=1), None, "Serving")],
        rollout={"state": "Stable", "modelVersion": f"{MODEL}-v2", "manifestDigest": digest},
        drift=reports,
        driftState=_state("NoDrift", digest, bundle, reports),
    )


def _period(
    number: int, digest: str, start: str, end: str | None, outcome: str, *, stable: bool = True
) -> Obj:
    found = {
        "version": f"{MODEL}-v{number}",
        "manifestDigest": digest,
        "from": start,
        "to": end,
        "outcome": outcome,
        "wasStable": stable,
    }
    return {name: value for name, value in found.items() if value is not None}


def _state(verdict: str, digest: str, bundle: Assayed, reports: dict[str, Obj]) -> Obj:
    return {
        "verdict": verdict,
        "manifestDigest": digest,
        "voters": len(reports),
        "drifting": 0,
        "top": assayed.moved(bundle, reports),
    }


def _record(site: Site, now: datetime) -> None:
    """Write what was decided into the audit log."""
    path = site.services.settings.audit_log
    log = AuditLog(path, factories.KEY)
    head = head_path(path)
    log.verify_rest(anchored(head.read_text() if head.exists() else None))
    people = {name: person.name for name, person in site.people.items()}
    drifts = f"The traffic of '{MODEL}-v2' has drifted."
    told = [
        (AuditEvent.GATE, "TrainingRun", "with-race", AuditOutcome.REFUSED, "GateFailed", "", ""),
        (AuditEvent.SEAL, "ModelVersion", "v1", AuditOutcome.SEALED, "Sealed", "", ""),
        (AuditEvent.APPROVE, "ModelVersion", "v1", AuditOutcome.ACCEPTED, "Accepted", "", "rita"),
        (AuditEvent.APPROVE, "ModelVersion", "v1", AuditOutcome.ACCEPTED, "Accepted", "", "remy"),
        (AuditEvent.APPROVE, "ModelVersion", "v2", AuditOutcome.ACCEPTED, "Accepted", "", "rita"),
        (AuditEvent.APPROVE, "ModelVersion", "v2", AuditOutcome.ACCEPTED, "Accepted", "", "remy"),
        (AuditEvent.DRIFT, "Deployment", "", AuditOutcome.DETECTED, "DriftDetected", drifts, ""),
        (AuditEvent.ROLLBACK, "Deployment", "", AuditOutcome.COMPLETED, "DriftRollback", "", ""),
        (AuditEvent.SEAL, "ModelVersion", "v3", AuditOutcome.SEALED, "Sealed", "", ""),
    ]
    for number, (event, kind, name, outcome, reason, message, actor) in enumerate(told):
        log.append(
            Record(
                decision_id=f"story-{now.timestamp()}-{number}",
                event=event,
                kind=kind,
                namespace=site.namespace,
                name=f"{MODEL}-{name}" if name else "desk",
                uid=f"uid-{number}",
                outcome=outcome,
                reason=reason,
                message=message,
                actor=people.get(actor, "hallmark"),
            )
        )
    log.close()
    anchor = objects.config_map(SYSTEM_NAMESPACE, AUDIT_ANCHOR)
    data = {"data": {HEAD_KEY: head.read_text()}}
    try:
        site.api.create({**anchor, **data}, OPERATOR)
    except RefusedError:
        site.api.patch(anchor, data, OPERATOR)
