"""What runs on this machine in place of Pods: verified models in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hallmark.api.artifacts import Manifest
from hallmark.api.drift_report import DriftReport
from hallmark.api.files import BASELINE, REFUSED_EXIT_CODE, SERVED_FILES
from hallmark.api.names import manifest_label, model_prefix
from hallmark.api.served import Baseline
from hallmark.api.structs import DriftWindow
from hallmark.api.texts import sha256_digest
from hallmark.api.trust import Trust
from hallmark.drift.rejection_counter import rejection_counter
from hallmark.errors import HallmarkError
from hallmark.policies.model_deployment.inputs import PodState, Workload
from hallmark.policies.model_deployment.trust import trust_sha256
from hallmark.store import Store
from hallmark_predictor.app import create_app
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.loader import load_trusted
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.model import Model
from hallmark_predictor.serving import Serving
from hallmark_predictor.verification import Place, Refused

REPORT_SECONDS = 60
"""How often a predictor reports where no window is closed."""


@dataclass
class LocalPod:
    """A predictor in this process: what serves, or why it refused.

    Attributes:
        name: As drift reports name it.
        trust: What it was started with.
        app: Answers requests; None where it refused.
        model: What it verified and loaded.
        recorder: Counts the answered rows; used on the event loop's thread alone.
        refusal: Its sentence.
        report: The newest drift report.
        baseline: The signed one, of the very bytes that were verified.
    """

    name: str
    trust: Trust
    app: ASGIApp | None = None
    model: Model | None = None
    recorder: DriftRecorder | None = None
    refusal: str = ""
    report: DriftReport | None = None
    baseline: Baseline | None = None

    @property
    def label(self) -> str:
        """The first hex digits of the manifest digest."""
        return manifest_label(self.trust.manifest_digest)


class LocalPods:
    """Starts and ends predictors as a plan says, and tells what decisions ask of Pods."""

    def __init__(self, store: Store, image: str, told: Callable[[], None] = lambda: None) -> None:
        """Start without any.

        Args:
            store: has the bundles.
            image: what stands for the predictor's image.
            told: called, on the event loop's thread, when a drift window was closed.
        """
        self._store, self._image, self._told = store, image, told
        self._lock = threading.Lock()
        self._pods: dict[str, LocalPod] = {}
        self._switched: str | None = None
        self._started = 0

    def pod(self, manifest_digest: str | None) -> LocalPod | None:
        """Return the predictor of a version, or None."""
        with self._lock:
            return self._pods.get(manifest_label(manifest_digest)) if manifest_digest else None

    @property
    def switched(self) -> str | None:
        """The manifest digest whose predictor answers."""
        return self._switched

    def switch(self, manifest_digest: str | None) -> None:
        """Have a version's predictor answer from now on."""
        with self._lock:
            self._switched = manifest_digest

    def serving(self) -> LocalPod | None:
        """Return the predictor that answers, in one look: a switch may come between two."""
        with self._lock:
            return self._pods.get(manifest_label(self._switched)) if self._switched else None

    def workloads(self) -> Mapping[str, Workload]:
        """Return what runs, as decisions see workloads; by manifest label."""
        with self._lock:
            return {label: self._workload(pod) for label, pod in self._pods.items()}

    def states(self) -> tuple[PodState, ...]:
        """Return what runs, as decisions see Pods."""
        with self._lock:
            return tuple(_state(pod) for pod in self._pods.values())

    def reports(self) -> Mapping[str, DriftReport]:
        """Return the drift reports by Pod."""
        with self._lock:
            found = ((pod.name, pod.report) for pod in self._pods.values())
            return {name: report for name, report in found if report is not None}

    def report(self) -> None:
        """Report anew of each predictor, with rows or without; on the event loop's thread."""
        with self._lock:
            pods = list(self._pods.values())
        for pod in pods:
            _report(pod)
        self._told()

    def start(self, trust: Trust, now: datetime) -> None:
        """Verify and load a version as its predictor does; a refusal is kept as its state."""
        self._started += 1
        pod = LocalPod(f"local-{manifest_label(trust.manifest_digest)}-{self._started}", trust)
        found = self._load(pod, now)
        if isinstance(found, Model):
            self._serve(pod, found)
        else:
            pod.refusal = found
        with self._lock:
            self._pods[pod.label] = pod

    def end(self, label: str) -> None:
        """End a version's predictor; requests that it is answering are answered."""
        with self._lock:
            self._pods.pop(label, None)

    def _load(self, pod: LocalPod, now: datetime) -> Model | str:
        trust, files = pod.trust, dict[str, bytes]()

        def fetch(manifest: Manifest) -> Mapping[str, bytes]:
            # At most one byte more than sealed: enough to see that it is another file.
            for name in SERVED_FILES:
                entry = manifest.file(name)
                path = self._folder(manifest) + name
                files[name] = self._store.get(path, limit=entry.size + 1 if entry else 0)
            return files

        place = Place(trust.namespace, trust.deployment)
        try:
            found = load_trusted(trust.to_bytes(), trust_sha256(trust), place, now, fetch)
        except HallmarkError as error:
            return str(error)
        if isinstance(found, Refused):
            return found.message
        pod.baseline = Baseline.model_validate_json(files[BASELINE])
        return found

    def _folder(self, manifest: Manifest) -> str:
        digest = sha256_digest(manifest.to_bytes())
        return model_prefix(manifest.namespace, manifest.model, digest)

    def _serve(self, pod: LocalPod, model: Model) -> None:
        def closed(count: int, kept: Sequence[DriftWindow]) -> None:
            serving.metrics.drift_windows += count
            _report(pod)
            self._told()

        serving = Serving(Metrics())
        serving.metrics.stability(model.newest_stability)
        pod.model = model
        pod.recorder = DriftRecorder(
            model.windows,
            model.columns,
            pod.trust.manifest_digest,
            on_close=closed,
            rejections=rejection_counter(pod.trust.drift),
            watch=model.watch,
        )
        serving.start(DataPlane(model), pod.recorder)
        pod.app = create_app(serving)

    def _workload(self, pod: LocalPod) -> Workload:
        return Workload(
            manifest=pod.label,
            trust_sha256=trust_sha256(pod.trust),
            image=self._image,
            replicas=1,
            pods=1,
            ready=0 if pod.app is None else 1,
            settled=True,
        )


def _report(pod: LocalPod) -> None:
    if pod.recorder is None:
        return
    found = pod.recorder.report(1)
    # What was counted for it may have closed a window, which was reported then.
    sequence = pod.report.sequence + 1 if pod.report else 1
    told = found.replace(sequence=sequence, next_within=2 * REPORT_SECONDS)
    pod.report = DriftReport.model_validate(told.to_wire(), strict=True)


def _state(pod: LocalPod) -> PodState:
    return PodState(
        name=pod.name,
        manifest=pod.label,
        trust_sha256=trust_sha256(pod.trust),
        ready=pod.app is not None,
        exit_code=None if pod.app is not None else REFUSED_EXIT_CODE,
        message=pod.refusal,
    )


async def nothing_serves(scope: Scope, receive: Receive, send: Send, why: str) -> None:
    """Answer that no version serves, and why."""
    body = {"ready": False, "error": why}
    await JSONResponse(body, HTTPStatus.SERVICE_UNAVAILABLE)(scope, receive, send)
