"""The kubelet and the predictors of a ModelDeployment: Pods as asked, and what they report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from hallmark.api import names
from hallmark.api.bounds import LATENCY_BOUNDS
from hallmark.api.texts import timestamp
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    POD,
    Obj,
)
from hallmark.resources.predictor_version import ANNOTATION_TRUST
from tests.unit.controllers.deployment_seen import LABEL, SPACE, WINDOW, Seen


class Pods(Seen):
    """Does what the Deployment controller, the kubelet and the predictors do."""

    _sequence = 0
    _windows = 0
    _told: Sequence[int] = ()
    _requests = 0

    def run_pods(self) -> None:
        """Do what the Deployment controller and the kubelet do: Pods as asked, and ready."""
        for obj in self._of(APPS_DEPLOYMENT):
            spec, template = obj["spec"], obj["spec"]["template"]
            number = self.numbers[template["metadata"]["labels"][names.LABEL_MANIFEST]]
            carried = self.carries(number)
            fails = number in self.refusing or (number in self.corrupt and not carried)
            waits = self.away and not carried
            wanted = {f"{obj['metadata']['name']}-{i}" for i in range(spec["replicas"])}
            trust = template["metadata"]["annotations"][ANNOTATION_TRUST]
            for pod in self._of(POD):
                if pod["metadata"]["labels"] == template["metadata"]["labels"] and (
                    pod["metadata"]["name"] not in wanted
                    or pod["metadata"]["annotations"][ANNOTATION_TRUST] != trust
                ):
                    del self.cluster.objects[self.cluster.key_of(pod)]
            for name in wanted:
                if not any(each["metadata"]["name"] == name for each in self._of(POD)):
                    pod = _pod(name, template["metadata"], refuses=fails, waits=waits)
                    self.cluster.put(pod)
            ready = sum(
                pod["status"]["conditions"][0]["status"] == "True"
                for pod in self._of(POD)
                if pod["metadata"]["labels"] == template["metadata"]["labels"]
            )
            obj["status"] = {
                "observedGeneration": obj["metadata"]["generation"],
                "replicas": len(wanted),
                "updatedReplicas": len(wanted),
                "readyReplicas": ready,
            }
        running = {
            obj["metadata"]["labels"][names.LABEL_MANIFEST] for obj in self._of(APPS_DEPLOYMENT)
        }
        for pod in self._of(POD):
            if pod["metadata"]["labels"][names.LABEL_MANIFEST] not in running:
                del self.cluster.objects[self.cluster.key_of(pod)]

    def evict(self, number: int, pods: int | None = None) -> None:
        """Take Pods of a version away, all or some; the workload's controller has seen it."""
        found = self.pods_of(number)
        if not found:
            return
        for pod in found[:pods]:
            del self.cluster.objects[self.cluster.key_of(pod)]
        left = len(found) - len(found[:pods])
        for obj in self._of(APPS_DEPLOYMENT):
            if self.numbers[obj["metadata"]["labels"][LABEL]] == number:
                counted = {"replicas": left, "updatedReplicas": left, "readyReplicas": left}
                obj["status"] = {**obj.get("status", {}), **counted}

    def let_pods_wait(self) -> None:
        """Let new Pods take the place of all, which wait for what they mount."""
        for pod in self._of(POD):
            pod["status"]["conditions"][0]["status"] = "False"

    def crash(self, number: int, *, times: int = 1, code: int = 137, pods: int = 99) -> None:
        """Let predictors of a version end and start again; three times and more they stay down."""
        self.wait(1)
        ended = {"exitCode": code, "reason": "Error", "finishedAt": timestamp(self.now)}
        for pod in self.pods_of(number)[:pods]:
            [container] = pod["status"]["containerStatuses"]
            container.update(lastState={"terminated": ended}, restartCount=times)
            if times >= 3:
                pod["status"]["conditions"][0]["status"] = "False"

    def traffic(self, counts: list[int], windows: int = 2) -> None:
        """Let the Pods that have the traffic report closed windows."""
        services = self._services()
        if not services:
            return
        self.report(self.serving, counts, windows)

    def report(
        self,
        number: int,
        counts: list[int],
        windows: int = 2,
        refused: int = 0,
        *,
        failed: int = 0,
        slow: int = 0,
        blocks: Sequence[tuple[int, int]] = (),
        odd: Sequence[str] = (),
        right: Sequence[int] = (),
        mirror: Obj | None = None,
        women: Sequence[int] = (),
        men: Sequence[int] = (),
    ) -> None:
        """Let the Pods of a version report closed windows, refused rows, requests and oddities.

        Of each block of 200 requests so many failed, and so many were late; ``right`` says of
        each window of outcomes how many of its hundred answers came true, ``women`` and ``men`` of
        fifty each.
        Of each kind of oddity the client with that place in the list is at fault.
        """
        self._sequence += 1
        self._requests += 50
        work = [self._requests - failed - slow, *([0] * (len(LATENCY_BOUNDS) - 1)), slow]
        reports = {}
        for pod in self.pods_of(number):
            told = self._report(self.digest(number), counts, windows)
            fair = {
                "rows": WINDOW * windows + refused,
                "refused": refused,
                "requests": self._requests,
                "failed": failed,
                "timed": [self._requests - failed] * len(LATENCY_BOUNDS),
                "late": [slow] * len(LATENCY_BOUNDS),
            }
            requests = {
                "uptime": 1000 * self._sequence,
                "count": self._requests,
                "failed": failed,
                "latency": work,
                "work": work,
                "fair": fair,
            }
            reports[pod["metadata"]["name"]] = {
                **told,
                "refusedRows": refused,
                "requests": requests,
                "answers": self._blocks(blocks),
                "odd": self._odd(odd),
                **({"outcomes": self._outcomes(right, women, men)} if right else {}),
                **({"mirror": mirror} if mirror else {}),
            }
        obj = self.cluster.objects[self._key()]
        obj.setdefault("status", {}).setdefault("drift", {}).update(reports)

    def _report(self, digest: str, counts: list[int], windows: int) -> Obj:
        self.wait(1)
        start = timestamp(self.now)
        self._windows += windows
        self._told = [
            told + n * windows for told, n in zip_longest(self._told, counts, fillvalue=0)
        ]
        each = {"rows": WINDOW, "start": start, "end": start, "counts": {"income": counts}}
        first = self._windows - windows + 1
        return {
            "manifestDigest": digest,
            "bootID": "boot-0001",
            "sequence": self._sequence,
            "rows": WINDOW * self._windows,
            "counts": {"income": self._told},
            "windows": [{"number": first + i, **each} for i in range(windows)],
        }

    def _blocks(self, found: Sequence[tuple[int, int]]) -> list[Obj]:
        """Blocks of 200 requests: how many of each failed, and how many were late."""
        self.wait(1)
        return [
            {
                "number": number,
                "start": timestamp(self.now),
                "requests": 200,
                "failed": failed,
                "timed": 200 - failed,
                "late": late,
            }
            for number, (failed, late) in enumerate(found, 1)
        ]

    def _odd(self, kinds: Sequence[str]) -> Obj:
        self.wait(1)
        start = timestamp(self.now)
        blocks = [
            {"kind": kind, "client": client, "start": start, "rows": 40}
            for client, kind in enumerate(kinds, 1)
        ]
        return {"rows": 6400, "near": 320, "blocks": 100, "probing": len(kinds), "newest": blocks}

    def _outcomes(self, right: Sequence[int], women: Sequence[int], men: Sequence[int]) -> Obj:
        """Return windows of a hundred outcomes; a half is of women, and of men, where told."""
        self.wait(1)
        start = timestamp(self.now)
        windows: list[Obj] = [
            {
                "number": number,
                "start": start,
                "end": start,
                "outcomes": WINDOW,
                "correct": correct,
                "scored": [0] * 12 + [WINDOW, 0, 0],
                "happened": [0] * 12 + [correct, 0, 0],
                "scores": [0] * 12 + [85 * WINDOW * 100, 0, 0],
            }
            for number, correct in enumerate(right, 1)
        ]
        for group, told in (("women", women), ("men", men)):
            for window, correct in zip(windows, told, strict=False):
                counted = {"group": group, "outcomes": WINDOW // 2, "correct": correct}
                window.setdefault("groups", []).append(counted)
        return {"outcomes": WINDOW * len(right), "correct": sum(right), "windows": windows}


def _pod(name: str, template: Obj, *, refuses: bool, waits: bool) -> Obj:
    ended = {"exitCode": 10, "message": "The file 'model.onnx' is not the one that was sealed."}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SPACE, **template},
        "status": {
            "conditions": [{"type": "Ready", "status": "False" if refuses or waits else "True"}],
            "containerStatuses": [
                {"state": {}, "lastState": {"terminated": ended} if refuses else {}}
            ],
        },
    }
