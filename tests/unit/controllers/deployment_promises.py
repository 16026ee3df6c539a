"""The promises that hold at each write of a ModelDeployment's controller."""

from __future__ import annotations

from pathlib import Path

from hallmark.api import names
from hallmark.api.model_deployment import ModelDeploymentStatus
from hallmark.api.texts import parse_timestamp, timestamp
from hallmark.audit.record import FIRST_PREVIOUS, AuditRecord, build_record
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    Obj,
)
from hallmark.verification.links import Link, State
from hallmark.verification.stages import stage_links
from tests.unit.controllers.deployment_routes import Routes
from tests.unit.controllers.deployment_seen import BASELINE, NAME
from tests.unit.controllers.memory_cluster import Key, MemoryCluster


class Promises(Routes):
    """Looks at what was just written; an assertion here is a broken promise."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, MemoryCluster(self._check))
        self.asked: Obj = {}
        """The spec as people wrote it; empty before they did."""
        self.most_replicas: int | None = None
        self.switches: list[str] = []
        """Manifest labels that the Service selected, one after the other."""
        self._written: dict[Key, str] = {}
        """Each object as it was when it got its version."""
        self._recorded: ModelDeploymentStatus | None = None
        self._verified = 0
        """How many records were held against their numbers."""

    def _check(self, key: Key) -> None:
        """Look at what was just written; an assertion here is a broken promise."""
        obj = self.cluster.objects.get(key)
        self._written[key] = repr(obj)
        if key == self._key():
            assert obj is None or obj["spec"] == (self.asked or obj["spec"])
            self._check_hold()
        elif obj and obj["kind"] == "Service":
            if obj["metadata"]["name"] == NAME:
                self._check_switch(obj)
            elif obj["metadata"]["name"] == names.candidate_name(NAME):
                self._check_routed(obj)
            else:
                self._check_copies(obj)
        elif obj and obj["kind"] == "HTTPRoute":
            self._check_routed(obj)
        elif obj and obj["kind"] == "Deployment":
            self._check_workload(obj)

    def _check_hold(self) -> None:
        """While a hold lasts another version takes over from withdrawn bytes alone."""
        exists = self._key() in self.cluster.objects
        before, self._recorded = self._recorded, self.status if exists else None
        if before is None or self._recorded is None or before.hold != self._recorded.hold:
            return
        if before.hold is None or before.active_digest == self._recorded.active_digest:
            return
        assert parse_timestamp(before.hold.until) <= self.now or (
            before.active_digest
            and self.is_withdrawn(self.numbers[names.manifest_label(before.active_digest)])
        ), "the traffic moved while it was held"

    def _check_switch(self, service: Obj) -> None:
        label = service["spec"]["selector"].get(names.LABEL_MANIFEST)
        if label is None:
            self._check_share()
            return
        if self.switches and self.switches[-1] == label:
            return
        number = self.numbers[label]
        self._must_be_trusted(number, "gets the traffic")
        workload = next(
            each
            for each in self._of(APPS_DEPLOYMENT)
            if each["metadata"]["labels"][names.LABEL_MANIFEST] == label
        )
        asked = self.spec.get("replicas", 1)
        ready = workload.get("status", {}).get("readyReplicas", 0)
        # One Pod is enough to take over from what was withdrawn, or while no other one answers.
        urgent = bool(self.switches) and (
            self.is_withdrawn(self.numbers[self.switches[-1]]) or label in self.switches
        )
        enough = min(asked, 1) if urgent else asked
        # A stand-in that was withdrawn gives the traffic back, whatever there is.
        on_record = names.manifest_label(self.status.active_digest or "") == label
        if urgent and on_record and self.is_withdrawn(self.numbers[self.switches[-1]]):
            enough = 0
        assert ready >= enough, f"v{number} gets the traffic with {ready} of {asked} Pods ready"
        assert asked or self.switches, "the first version gets traffic without any Pod"
        self.switches.append(label)

    def _check_copies(self, service: Obj) -> None:
        """Copies of requests go to the candidate on record alone, which people trust."""
        if names.LABEL_DEPLOYMENT not in service["metadata"].get("labels", {}):
            return  # a stranger's
        label = service["spec"]["selector"][names.LABEL_MANIFEST]
        rollout = self.status.rollout
        assert rollout is not None
        assert rollout.state == "Mirroring"
        assert label == names.manifest_label(rollout.manifest_digest or "")
        self._must_be_trusted(self.numbers[label], "gets copies of requests")

    def _check_routed(self, written: Obj) -> None:
        """The HTTPRoute leads to what the Service selects, and to a trusted candidate alone."""
        if names.LABEL_DEPLOYMENT not in written["metadata"].get("labels", {}):
            return  # a stranger's
        rollout, state = self.status.rollout, self.state
        candidate = names.manifest_label((rollout.manifest_digest if rollout else "") or "")
        for number in self.routed.keys() - {0, self.numbers[self.switches[-1]]}:
            assert state == "Canary", f"v{number} gets requests in {state}"
            assert self.numbers[candidate] == number, f"v{number} gets requests, and is none"
            self._must_be_trusted(number, "gets requests by the route")

    def _check_share(self) -> None:
        """A Service of two versions leads to what serves and to a trusted candidate alone."""
        active, rollout = self.numbers[self.switches[-1]], self.status.rollout
        assert rollout is not None
        candidate = self.numbers[names.manifest_label(rollout.manifest_digest or "")]
        assert set(self.shared) <= {active, candidate}, "a third version gets traffic"
        assert set(self.running) <= {active, candidate}, "a third version may get traffic"
        if candidate in self.shared:
            self._must_be_trusted(candidate, "gets a share of the traffic")

    def _check_workload(self, workload: Obj) -> None:
        label = workload["metadata"]["labels"][names.LABEL_MANIFEST]
        number, known = self.numbers[label], workload.get("status") is not None
        if self._key() not in self.cluster.objects:
            assert not workload["spec"]["replicas"], "what was left behind gets Pods"
            return
        active = self._services()
        serves = active and active[0]["spec"]["selector"].get(names.LABEL_MANIFEST) == label
        if not known and not serves and workload["spec"]["replicas"]:
            self._must_be_trusted(number, "gets Pods")
        rollout = self.status.rollout
        stopped = rollout is not None and rollout.cause == "Stopped"
        if serves and not stopped and not self.is_withdrawn(number):
            asked = min(self.spec.get("replicas", 1), self.most_replicas)
            assert workload["spec"]["replicas"] == asked, "capacity was taken from what serves"

    def _must_be_trusted(self, number: int, what: str) -> None:
        version = self.version(number)
        approved = any(
            each.accepted and not each.withdrawn and each.decision == "Approved"
            for each in version.status.approvals
        )
        assert approved, f"v{number} {what} without an approval"
        good = number not in self.corrupt or (self.away and self.carries(number))
        assert good, f"v{number} {what} with bad bytes"
        for type_ in ("Denied", "Revoked"):
            assert not version.status.is_true(type_), f"v{number} {what} although {type_}"

    def _check_record(self) -> None:
        self._check_stages()
        if not (self.cluster.objects.get(self._key()) or {}).get("status"):
            return
        status = self.status
        rollbacks = [
            (r.details["intent"], r.details.get("from"))
            for r in self.ledger.records.values()
            if r.event == "rollback" and r.outcome == "completed" and r.reason == "DriftRollback"
        ]
        assert len(rollbacks) == len(set(rollbacks)), "drift rolled one intent back twice"
        assert len(status.history) <= 10
        if status.active_digest:
            assert status.history[0].manifest_digest == status.active_digest
            assert sum(each.to is None for each in status.history) == 1

    def _check_stages(self) -> None:
        """Hold each stage that was recorded against the numbers that its record keeps."""
        if self._verified == len(self.ledger.records):
            return
        self._verified = len(self.ledger.records)
        wrong = [link for link in self.stages() if link.state is not State.HOLDS]
        assert not wrong, wrong

    def stages(self) -> list[Link]:
        """Return what somebody finds of the stages who has the log alone."""
        found = [link for records in self.lines().values() for link in self.verified(records)]
        return [link for link in found if link.said != "none has ended"]

    def lines(self) -> dict[str, list[AuditRecord]]:
        """Return the lines of the log about each object, by its uid."""
        found: dict[str, list[AuditRecord]] = {}
        for seq, said in enumerate(self.ledger.records.values(), 1):
            line = build_record(said, seq, timestamp(self.now), FIRST_PREVIOUS)
            found.setdefault(said.uid, []).append(line)
        return found

    def verified(self, records: list[AuditRecord]) -> list[Link]:
        """Return what the verifier says of records about a ModelDeployment."""
        digests = {record.details.get("manifestDigest", "") for record in records}
        return list(
            stage_links(
                records, whole=True, baselines=dict.fromkeys(digests, BASELINE), policies={}
            )
        )
