"""Deployment (plural ``modeldeployments``): which model serves, and when drift rolls it back."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from hallmark.api.canary import Canary, CanaryRecord
from hallmark.api.common import (
    ApiModel,
    Clipped,
    Digest,
    DurationString,
    NamespacedResource,
    ObjectName,
    PositiveDuration,
    Timestamp,
)
from hallmark.api.conditions import ConditionedStatus
from hallmark.api.drift import Drift
from hallmark.api.drift_report import (
    DriftReport,
)
from hallmark.api.drift_state import DriftState
from hallmark.api.mirror import Mirror, MirrorRecord
from hallmark.api.resources import Resources
from hallmark.api.rules import SERVICE_NAME, cel, rule
from hallmark.api.scheduling import Scheduling


class StrategyType(StrEnum):
    """How traffic moves."""

    BLUE_GREEN = "BlueGreen"
    """All at once, as soon as all Pods of the candidate are ready."""
    CANARY = "Canary"
    """Step by step, in Pods beside those of what serves (see ``canary``)."""


class Strategy(ApiModel):
    """How a new version takes over."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!has(self.canary) || self.type == 'Canary'",
                "'canary' is for the type 'Canary'; set the type, or remove it.",
                field="canary",
            )
        )
    )

    type: StrategyType = StrategyType.BLUE_GREEN
    """How traffic moves."""
    bake: DurationString = "10m"
    """How long a promoted version must stay healthy to be stable."""
    keep_warm: DurationString = "1h"
    """How long the former version's Pods are kept for an instant rollback."""
    progress_deadline: PositiveDuration = "5m"
    """How long a candidate may take to become Ready."""
    canary: Canary | None = None
    """The steps, where the type is Canary; without them 10, 25 and 50 per cent for 5m each."""
    mirror: Mirror | None = None
    """Copies of requests for the candidate before it has any traffic; none: it gets none."""
    cool_down: DurationString | None = None
    """How long after a rollback nothing new is promoted; none: it may follow at once."""
    max_switches_per_day: Annotated[int, Field(ge=1, le=9)] | None = None
    """How often the traffic may move within a day before what is new waits; none: no limit."""

    @property
    def canary_or_default(self) -> Canary:
        """The steps that are asked for, or the usual ones."""
        return self.canary or Canary()


class RollbackMode(StrEnum):
    """Who decides on a rollback."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class ModelDeploymentSpec(ApiModel):
    """What is asked for: exactly one of ``model`` and ``modelVersion``."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "has(self.model) != has(self.modelVersion)",
                "Give either 'model' (follows its newest approved version) or 'modelVersion' "
                "(stays with that one).",
            )
        )
    )

    model: ObjectName | None = None
    """Serve the newest approved version of this model."""
    model_version: ObjectName | None = None
    """Serve this ModelVersion alone."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """How many Pods serve."""
    resources: Resources | None = None
    scheduling: Scheduling | None = None
    strategy: Strategy = Field(default_factory=Strategy)
    drift: Drift = Field(default_factory=Drift)
    rollback: RollbackMode = RollbackMode.AUTOMATIC
    """Whether drift rolls back by itself or waits for a person."""
    suspend: bool = False
    """Whether promotions are frozen; drift and revocations are still acted on."""


class RolloutState(StrEnum):
    """A state of the rollout machine (see ``policies/model_deployment/transitions.py``)."""

    IDLE = "Idle"
    VERIFYING = "Verifying"
    AWAITING_APPROVAL = "AwaitingApproval"
    STARTING = "Starting"
    MIRRORING = "Mirroring"
    CANARY = "Canary"
    PROMOTED = "Promoted"
    STABLE = "Stable"
    REFUSED = "Refused"
    ROLLING_BACK = "RollingBack"
    HELD = "Held"


class Rollout(ApiModel):
    """The recorded intent: what the operator was doing, so that a restart completes it."""

    state: RolloutState = RolloutState.IDLE
    intent_hash: Annotated[str, Field(max_length=64)] = ""
    model_version: Annotated[str, Field(max_length=63)] | None = None
    manifest_digest: Digest | None = None
    since: Timestamp | None = None
    reason: Annotated[str, Field(max_length=64)] = ""
    message: Annotated[str, Clipped(1024)] = ""
    """Why the state is Refused, RollingBack or Held, as a sentence."""
    cause: Annotated[str, Field(max_length=64)] = ""
    """In Held: what asked for the rollback that found no target."""
    trust_sha256: Annotated[str, Field(alias="trustSHA256", max_length=64)] = ""
    """SHA-256 (hex) of the ``trust.json`` with which the version's Pods start."""
    canary: CanaryRecord | None = None
    """In Canary: where it stands."""
    mirror: MirrorRecord | None = None
    """In Mirroring: what was seen of the candidate's answers."""
    released: bool = False
    """A person let this candidate through although promotion is frozen."""
    drift_rollback_spent: bool = False
    """Drift has already caused its one rollback since the last promotion of an intent."""
    drift_since: Timestamp | None = None
    """Drift windows that began earlier decide nothing."""
    stand_in: bool = False
    """The former version answers, because no Pod of the one that serves is ready."""
    withdrawn_since: Timestamp | None = None
    """Since when the operator has known that what serves must give way: it was denied or revoked.
    The policy's ``revocationDeadline`` counts from here."""


class Outcome(StrEnum):
    """How a version's time in service ended, or stands."""

    SERVING = "Serving"
    STABLE = "Stable"
    REPLACED = "Replaced"
    ROLLED_BACK = "RolledBack"


class HistoryEntry(ApiModel):
    """One version's time in service."""

    version: Annotated[str, Field(max_length=63)]
    manifest_digest: Digest
    from_: Annotated[Timestamp, Field(alias="from")]
    to: Timestamp | None = None
    outcome: Outcome
    was_stable: bool = False
    intent_hash: Annotated[str, Field(max_length=64)] = ""
    """The intent under which it served."""
    trust_sha256: Annotated[str, Field(alias="trustSHA256", max_length=64)] = ""
    """SHA-256 (hex) of the ``trust.json`` with which its Pods were started."""
    healthy_since: Timestamp | None = None
    """Since when all its Pods have been ready without a break."""
    in_time: Annotated[str, Field(max_length=32)] = ""
    """The ``maxLatency`` within which its answers were when it gave way; empty: nobody knows."""


class RefusedIntent(ApiModel):
    """An intent that was refused; it is never retried."""

    intent_hash: Annotated[str, Field(max_length=64)]
    manifest_digest: Digest
    reason: Annotated[str, Field(max_length=64)]
    time: Timestamp


class LastRollback(ApiModel):
    """The last rollback: which version gave way to which, and why."""

    from_: Annotated[str, Field(alias="from", max_length=63)]
    to: Annotated[str, Field(max_length=63)]
    from_digest: Digest
    to_digest: Digest
    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Clipped(512)] = ""
    time: Timestamp
    acknowledged: bool = False
    """It is over: a person has accepted it, or a new intent was promoted since."""
    acknowledged_by: Annotated[str, Field(max_length=253)] = ""
    """Who accepted it; empty where a new intent was promoted."""
    acknowledged_at: Timestamp | None = None
    """When it was accepted."""


class Unserved(ApiModel):
    """What is asked for and does not serve."""

    model_version: Annotated[str, Field(max_length=63)] | None = None
    """Which version; absent where there is none (yet)."""
    intent_hash: Annotated[str, Field(max_length=64)] = ""
    """Of the intent; empty where there is none."""
    since: Timestamp
    """Since when."""
    reason: Annotated[str, Field(max_length=64)]
    """Why: what Ready says, or Acknowledged where a person accepted it."""


class ActionName(StrEnum):
    """What a person can ask for through the annotation ``hallmark.dev/action``."""

    ROLLBACK = "rollback"
    ACKNOWLEDGE = "acknowledge"
    PROMOTE = "promote"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    HOLD = "hold"
    UNHOLD = "unhold"


class Action(ApiModel):
    """The annotation's JSON."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length=64)]
    action: ActionName
    target: Annotated[str, Field(max_length=63)] | None = None
    by: Annotated[str, Field(min_length=1, max_length=253)]
    reason: Annotated[str, Field(max_length=256)] = ""
    until: Timestamp | None = None
    """When a hold ends."""


class Hold(ApiModel):
    """A person's word that the traffic must not move for a while."""

    id: Annotated[str, Field(max_length=64)]
    """Of the action that asked for it."""
    by: Annotated[str, Field(max_length=253)]
    """Who holds it."""
    reason: Annotated[str, Field(max_length=256)]
    """Why."""
    since: Timestamp
    """When it began."""
    until: Timestamp
    """When it ends by itself; the policy's ``deployments.maxHold`` may end it sooner."""


ACTION_IDS = 64
"""Ids of actions that are remembered; admission refuses them for another action."""


class LastAction(ApiModel):
    """The last action that was run, by its id."""

    id: Annotated[str, Field(max_length=64)]
    action: ActionName | None = None
    """Absent where the annotation could not be read."""
    by: Annotated[str, Field(max_length=253)] = ""
    outcome: Annotated[str, Clipped(256)]
    time: Timestamp
    text_hash: Annotated[str, Field(max_length=16)] = ""
    """Of the annotation's text: the same id with another text is another action."""


class DeploymentCondition(StrEnum):
    """What holds of a ModelDeployment, beside the summary."""

    VERIFIED = "Verified"
    """The bytes and the signature of the version on record were checked."""
    APPROVED = "Approved"
    """The version on record may serve here."""
    PROGRESSING = "Progressing"
    """A candidate, a rollback or a bake is under way."""
    AVAILABLE = "Available"
    """A Pod answers."""
    DRIFT_DETECTED = "DriftDetected"
    """The traffic is too far from the training data."""
    ROLLED_BACK = "RolledBack"
    """What serves came by a rollback that is not over."""
    ON_HOLD = "OnHold"
    """A person keeps the traffic from moving."""
    ROUTED = "Routed"
    """The HTTPRoute that is asked for was accepted by each of its parents; where one is."""


class StoreDependence(ApiModel):
    """What cannot be done while the artifact store is away."""

    needed: bool
    """New Pods of what serves need the store: its served files are too large to travel."""
    needed_for_rollback: bool = False
    """So does a rollback."""
    message: Annotated[str, Clipped(512)] = ""
    """The same as a sentence."""


PodCount = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A number of Pods; the scale subresource takes no larger one."""


class ModelDeploymentStatus(ConditionedStatus):
    """What serves, what comes, what was."""

    active_model_version: Annotated[str, Field(max_length=63)] | None = None
    active_digest: Digest | None = None
    stable_model_version: Annotated[str, Field(max_length=63)] | None = None
    stable_digest: Digest | None = None
    candidate_model_version: Annotated[str, Field(max_length=63)] | None = None
    candidate_digest: Digest | None = None
    rollout: Rollout | None = None
    history: Annotated[list[HistoryEntry], Field(max_length=10)] = Field(default_factory=list)
    refused: Annotated[list[RefusedIntent], Field(max_length=10)] = Field(default_factory=list)
    last_rollback: LastRollback | None = None
    last_action: LastAction | None = None
    action_ids: Annotated[
        list[Annotated[str, Field(max_length=64)]], Field(max_length=ACTION_IDS)
    ] = Field(default_factory=list, alias="actionIDs")
    """The ids of the last actions in lower case, the last one first; none is used again."""
    paused: bool = False
    hold: Hold | None = None
    """While it lasts the traffic moves for a denial or a revocation alone."""
    unserved: Unserved | None = None
    """What is asked for and does not serve, refused, ignored or under way, and since when."""
    drift: Annotated[dict[str, DriftReport], Field(max_length=64)] = Field(default_factory=dict)
    drift_state: DriftState | None = None
    store: StoreDependence | None = None
    replicas: PodCount | None = None
    ready_replicas: PodCount | None = None
    selector: Annotated[str, Field(max_length=512)] | None = None
    url: Annotated[str, Field(max_length=512)] | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the operator's part as it stands in Kubernetes; ``drift`` is the predictors'."""
        wire = super().to_wire()
        wire.pop("drift", None)
        return wire


class ModelDeployment(NamespacedResource):
    """Which model serves, how it rolls out, when drift rolls it back."""

    model_config = ConfigDict(json_schema_extra=SERVICE_NAME)

    kind: Literal["Deployment"] = "Deployment"
    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus = Field(default_factory=ModelDeploymentStatus)
