"""One ModelDeployment: what serves, what is asked for, why do they differ? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hallmark.api.model_deployment import (
    ActionName,
    HistoryEntry,
    ModelDeployment,
    RolloutState,
    StrategyType,
)
from hallmark.api.model_version import ModelVersion
from hallmark.policies.model_deployment.actions import pending_action
from hallmark.policies.model_deployment.hold import told as told_hold
from hallmark_dashboard.problems import Right
from hallmark_dashboard.views.comparison import Comparison, comparison
from hallmark_dashboard.views.rates import UNTOLD, Rates
from hallmark_dashboard.views.rows import (
    DeploymentRow,
    deployment_row,
    unserved_sentence,
)
from hallmark_dashboard.views.standing import Known, State, conditions
from hallmark_dashboard.views.words import ago


@dataclass(frozen=True)
class Slot:
    """A place that a version can have: active, stable, candidate."""

    place: str
    version: str
    digest: str
    fact: str
    state: State


@dataclass(frozen=True)
class Period:
    """A version's time in service."""

    version: str
    digest: str
    start: str
    end: str
    outcome: str
    state: State
    was_stable: bool


@dataclass(frozen=True)
class Deed:
    """An action that a person can ask for, and why perhaps not.

    Attributes:
        action: Which one.
        effect: What happens at once.
        caution: What it does not undo.
        missing: The rights that the person lacks.
        barred: Why it would do nothing now; empty otherwise.
        targets: Versions that it can be about; none where it is about none.
    """

    action: ActionName
    effect: str
    caution: str
    missing: tuple[Right, ...]
    barred: str
    targets: tuple[str, ...] = ()

    @property
    def possible(self) -> bool:
        """Whether the person can ask for it now."""
        return not self.missing and not self.barred


@dataclass(frozen=True)
class DeploymentDetail:
    """What is said of one ModelDeployment."""

    row: DeploymentRow
    headline: str
    conditions: tuple[Known, ...]
    slots: tuple[Slot, ...]
    steps: tuple[tuple[str, State], ...]
    history: tuple[Period, ...]
    rollback: str
    last_action: str
    hold: str
    unserved: str
    refused: tuple[str, ...]
    deeds: tuple[Deed, ...]
    url: str
    policy: str
    rates: Rates
    comparison: Comparison | None


def deed_rights(deployment: ModelDeployment, action: ActionName) -> tuple[Right, ...]:
    """Return what an action needs: its own verb, and the annotation that asks for it."""
    namespace, name = deployment.metadata.namespace, deployment.metadata.name
    return (
        Right(action.value, "modeldeployments", namespace, name),
        Right("patch", "modeldeployments", namespace, name),
    )


def deployment_detail(
    deployment: ModelDeployment,
    asked: ModelVersion | None,
    missing: dict[ActionName, tuple[Right, ...]],
    policy_name: str,
    now: datetime,
    rates: Rates = UNTOLD,
) -> DeploymentDetail:
    """Return what is said of one ModelDeployment.

    Args:
        deployment: the ModelDeployment.
        asked: the version that it asks for, where there is one.
        missing: the rights that the person lacks for each action.
        policy_name: the policy of the namespace.
        now: the time.
        rates: of its requests.
    """
    status = deployment.status
    rollback = status.last_rollback
    told = ""
    if rollback:
        seen = " It is acknowledged." if rollback.acknowledged else ""
        told = (
            f"From {rollback.from_} to {rollback.to} {ago(rollback.time, now)} "
            f"({rollback.reason}): {rollback.message}{seen}"
        )
    action = status.last_action
    return DeploymentDetail(
        deployment_row(deployment),
        headline(deployment, asked, now),
        tuple(conditions(status)),
        tuple(_slots(deployment)),
        tuple(_steps(deployment)),
        tuple(_period(entry) for entry in reversed(status.history)),
        told,
        f"{action.action or 'An unreadable action'} by {action.by or 'somebody'} "
        f"{ago(action.time, now)}: {action.outcome}"
        if action
        else "",
        told_hold(deployment, now),
        unserved_sentence(deployment, now),
        tuple(
            f"{refusal.manifest_digest[7:19]} at {refusal.time}: {refusal.reason}"
            for refusal in status.refused
        ),
        tuple(_deeds(deployment, missing)),
        status.url or "",
        policy_name,
        rates,
        comparison(deployment),
    )


def headline(deployment: ModelDeployment, asked: ModelVersion | None, now: datetime) -> str:
    """Return the first line: what serves, and why another version than is asked for."""
    name, status, spec = deployment.metadata.name, deployment.status, deployment.spec
    active = status.active_model_version
    held = f" {hold}" if (hold := told_hold(deployment, now)) else ""
    wanted = asked.metadata.name if asked else spec.model_version
    if active is None:
        what = f"asks for {wanted or 'the newest approved version of ' + (spec.model or '')}"
        why = status.rollout.message if status.rollout and status.rollout.message else ""
        return f"{name} serves nothing; it {what}.{' ' + why if why else ''}{held}"
    rollback = status.last_rollback
    if rollback and rollback.to == active and not rollback.acknowledged:
        when = ago(rollback.time, now)
        return f"{name} serves {active} instead of {rollback.from_}: {rollback.reason} {when}."
    if wanted and wanted != active:
        frozen = " Promotion is frozen." if spec.suspend or status.paused else ""
        since = f" ({ago(status.unserved.since, now)})" if status.unserved else ""
        return f"{name} serves {active}; it asks for {wanted}{since}.{frozen}{held}"
    return f"{name} serves {active}, as asked.{held}"


def _slots(deployment: ModelDeployment) -> list[Slot]:
    status, spec = deployment.status, deployment.spec
    found = []
    if status.active_model_version:
        ready = status.ready_replicas or 0
        state = State.GOOD if ready >= spec.replicas else State.WAITING
        facts = (f"all traffic; {ready} of {spec.replicas} Pods ready", _exception(deployment))
        found.append(
            Slot(
                "active",
                status.active_model_version,
                status.active_digest or "",
                "; ".join(filter(None, facts)),
                state if ready else State.STOPPED,
            )
        )
    if status.candidate_model_version:
        fact = f"no traffic yet; {status.rollout.state}" if status.rollout else "no traffic yet"
        found.append(
            Slot(
                "candidate",
                status.candidate_model_version,
                status.candidate_digest or "",
                fact,
                State.WAITING,
            )
        )
    if status.stable_model_version and status.stable_digest != status.active_digest:
        found.append(
            Slot(
                "stable",
                status.stable_model_version,
                status.stable_digest or "",
                "no traffic; the last that stayed healthy, a rollback goes there",
                State.GOOD,
            )
        )
    return found


def _exception(deployment: ModelDeployment) -> str:
    """Say what is out of the ordinary with what serves: a withdrawal, another version's answers."""
    rollout = deployment.status.rollout
    if rollout is None:
        return ""
    if rollout.withdrawn_since:
        return f"it must give way since {rollout.withdrawn_since}"
    return (
        "the former version answers, because no Pod of this one is ready"
        if rollout.stand_in
        else ""
    )


_ORDER = (
    (RolloutState.VERIFYING, "verify"),
    (RolloutState.AWAITING_APPROVAL, "approval"),
    (RolloutState.STARTING, "start"),
    (RolloutState.MIRRORING, "mirror"),
    (RolloutState.CANARY, "canary"),
    (RolloutState.PROMOTED, "bake"),
    (RolloutState.STABLE, "stable"),
)


def _steps(deployment: ModelDeployment) -> list[tuple[str, State]]:
    """Return the steps of the rollout: done, under way, to come; or where it stopped."""
    rollout = deployment.status.rollout
    if rollout is None:
        return []
    if rollout.state in {RolloutState.REFUSED, RolloutState.HELD}:
        return [(f"{rollout.state.value}: {rollout.reason}", State.STOPPED)]
    if rollout.state is RolloutState.ROLLING_BACK:
        return [("rolling back", State.STOPPED)]
    strategy = deployment.spec.strategy
    skipped = {
        *(() if strategy.type is StrategyType.CANARY else (RolloutState.CANARY,)),
        *(() if strategy.mirror else (RolloutState.MIRRORING,)),
    }
    order = [step for step in _ORDER if step[0] not in skipped]
    states = [state for state, _ in order]
    if rollout.state not in states:
        return []
    at = states.index(rollout.state)
    under_way = State.GOOD if rollout.state is RolloutState.STABLE else State.WAITING
    return [
        (word, State.GOOD if number < at else under_way if number == at else State.UNKNOWN)
        for number, (_, word) in enumerate(order)
    ]


def _period(entry: HistoryEntry) -> Period:
    state = State.STOPPED if entry.outcome == "RolledBack" else State.GOOD
    return Period(
        entry.version,
        entry.manifest_digest,
        entry.from_,
        entry.to or "",
        entry.outcome,
        state,
        entry.was_stable,
    )


_WORDS = {
    ActionName.ROLLBACK: (
        "The active version gives way to the target once that verifies and is ready.",
        "The version that gives way is refused until a new intent; the spec is not changed.",
    ),
    ActionName.ACKNOWLEDGE: (
        "The rollback or drift counts as seen, and drift counts afresh.",
        "It does not bring the former version back.",
    ),
    ActionName.PROMOTE: (
        "The candidate gets the traffic once it is ready, also while promotion is frozen.",
        "It does not pass by a check, an approval or the policy.",
    ),
    ActionName.PAUSE: (
        "Nothing is promoted until somebody resumes.",
        "Drift and revocations are still acted on.",
    ),
    ActionName.RESUME: (
        "What waits is promoted.",
        "spec.suspend, where it is set, still freezes promotion.",
    ),
    ActionName.ABORT: (
        "The candidate is given up.",
        "It is refused until the spec changes or a newer version comes.",
    ),
    ActionName.HOLD: (
        "The traffic stays where it is until the end that you give; drift rolls nothing back.",
        "A denial or a revocation takes effect all the same.",
    ),
    ActionName.UNHOLD: (
        "The hold ends now.",
        "What waited for it moves at once, also a rollback by drift.",
    ),
}


def _deeds(deployment: ModelDeployment, missing: dict[ActionName, tuple[Right, ...]]) -> list[Deed]:
    status = deployment.status
    targets = [
        entry.version
        for entry in reversed(status.history)
        if entry.was_stable and entry.manifest_digest != status.active_digest
    ]
    drifts = status.is_true("DriftDetected") or status.is_true("RolledBack")
    waits = pending_action(deployment.metadata.annotations, status)
    if waits is not None:
        barred = dict.fromkeys(ActionName, "An action waits to be run; ask again once it has.")
        return _with_words(barred, missing, targets)
    held = "A hold stands; lift it first (unhold)." if status.hold else ""
    barred = {
        ActionName.ROLLBACK: held or ("" if targets else "No earlier version was stable."),
        ActionName.ACKNOWLEDGE: "" if drifts else "There is no rollback and no drift to see.",
        ActionName.PROMOTE: held or ("" if status.candidate_digest else "There is no candidate."),
        ActionName.PAUSE: "It is paused already." if status.paused else "",
        ActionName.RESUME: "" if status.paused else "It is not paused.",
        ActionName.ABORT: "" if status.candidate_digest else "There is no candidate.",
        ActionName.HOLD: "",
        ActionName.UNHOLD: "" if status.hold else "There is no hold.",
    }
    return _with_words(barred, missing, targets)


def _with_words(
    barred: dict[ActionName, str],
    missing: dict[ActionName, tuple[Right, ...]],
    targets: Sequence[str],
) -> list[Deed]:
    return [
        Deed(
            action,
            *_WORDS[action],
            missing.get(action, ()),
            barred[action],
            tuple(dict.fromkeys(targets)) if action is ActionName.ROLLBACK else (),
        )
        for action in ActionName
    ]


def asked_version(
    deployment: ModelDeployment, versions: Sequence[ModelVersion]
) -> ModelVersion | None:
    """Return the version that a ModelDeployment asks for: named, or the newest approved."""
    spec = deployment.spec
    if spec.model_version:
        named = (found for found in versions if found.metadata.name == spec.model_version)
        return next(named, None)
    approved = [
        found
        for found in versions
        if found.spec.model == spec.model
        and found.status.is_true("Ready")
        and found.status.is_true("Approved")
    ]
    return max(approved, key=lambda found: found.spec.version, default=None)
