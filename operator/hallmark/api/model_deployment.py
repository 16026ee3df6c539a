"""Deployment (plural ``modeldeployments``): which model serves, and when drift rolls it back."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from hallmark.api.canary import Canary, CanaryRecord, ErrorShare, Latency
from hallmark.api.common import (
    MAX_WATCHED,
    ApiModel,
    Clipped,
    ConditionedStatus,
    DecimalString,
    Digest,
    DurationString,
    NamespacedResource,
    ObjectName,
    PositiveDuration,
    Resources,
    Risk,
    Timestamp,
    WatchedName,
)
from hallmark.api.drift_report import (
    DriftReport,
)
from hallmark.api.drift_state import DriftState
from hallmark.api.feedback import Feedback
from hallmark.api.mirror import Mirror, MirrorRecord
from hallmark.api.rules import SERVICE_NAME, SET, cel, rule
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


class OnRejections(StrEnum):
    """What too many refused rows lead to."""

    ALERT = "Alert"
    ROLLBACK = "Rollback"


class Rejections(ApiModel):
    """When too many rows are refused, so that drift watching is blind."""

    limit: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule(
                    "double(self) > 0.0 && double(self) < 1.0",
                    "The limit must be a share above 0 and below 1, such as '0.1'.",
                )
            )
        ),
    ] = "0.1"
    """The share of refused rows above which a block of rows is too many."""
    minimum: Annotated[int, Field(ge=100, le=1000000)] = 200
    """Rows in a block, for each Pod, beside those of the busiest clients."""
    then: OnRejections = OnRejections.ALERT
    """Alert, or roll back as drift does, where ``rollback`` is Automatic."""


class Probing(ApiModel):
    """What clients lead to that feel their way along the model's decision boundary."""

    clients: Annotated[int, Field(ge=1, le=3)] = 2
    """So many clients must be seen by one Pod; with 1, a single hostile client is enough."""
    then: OnRejections = OnRejections.ALERT
    """Alert, or roll back as drift does, where ``rollback`` is Automatic."""


class RequestLimits(ApiModel):
    """When what serves fails too many of its requests, or takes too long for its answers."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "has(self.maxErrors) || has(self.maxLatency)",
                "Give 'maxErrors', 'maxLatency' or both; without either nothing is looked at.",
            )
        )
    )

    minimum: Annotated[int, Field(ge=100, le=1000000)] = 200
    """Requests in a block, for each Pod, beside those of the busiest clients."""
    max_errors: ErrorShare | None = None
    """The greatest share of requests that it may fail to answer; none: it is not looked at."""
    max_latency: Latency | None = None
    """How much of the processor's time 95 per cent of its answers may take (batches: for each 100
    rows), rounded up to a bound of the histogram; none: it is not looked at."""
    then: OnRejections = OnRejections.ALERT
    """Alert, or roll back as drift does, where ``rollback`` is Automatic."""


class Drift(ApiModel):
    """When the traffic is too far from the training data."""

    features: Annotated[list[WatchedName], Field(max_length=MAX_WATCHED, json_schema_extra=SET)] = (
        Field(default_factory=list)
    )
    """Which features are watched, ``prediction/score`` and ``prediction/label`` among them; empty:
    all of the baseline."""
    threshold: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule("double(self) > 0.0", "The threshold must be above zero, such as '0.2'.")
            )
        ),
    ] = "0.2"
    """The PSI above which a window drifts."""
    false_rollback_risk: Risk = "0.01"
    """How likely chance alone may ever cause a drift rollback, in the Deployment's whole life."""
    window: Annotated[int, Field(ge=100, le=1000000)] = 500
    """Rows in a window, for each Pod."""
    consecutive: Annotated[int, Field(ge=1, le=5)] = 2
    """How many windows in a row must drift."""
    rejections: Rejections | None = None
    """Refused rows that are a verdict of their own; without it they are only counted."""
    probing: Probing | None = None
    """Probing that is a verdict of its own; without it it is told, counted and put on record."""
    feedback: Feedback | None = None
    """Delayed truth: answers get receipts, and ``POST /feedback`` takes what became true."""
    requests: RequestLimits | None = None
    """Errors and late answers that are a verdict of their own; without it they are only counted."""


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


class DeploymentReason(StrEnum):
    """Reasons in a ModelDeployment's conditions, refusals and rollbacks."""

    PENDING = "Pending"
    """The object was seen."""
    INVALID_SPEC = "InvalidSpec"
    """The spec asks for something that cannot be done."""
    POLICY_MISSING = "PolicyMissing"
    """No ModelPolicy applies to the namespace."""
    VERSION_MISSING = "VersionMissing"
    """There is no such ModelVersion (yet)."""
    VERIFYING = "Verifying"
    """The candidate is being verified."""
    VERIFIED = "Verified"
    """Signature, policy and bytes were checked."""
    VERIFICATION_FAILED = "VerificationFailed"
    """The candidate does not verify."""
    AWAITING_APPROVAL = "AwaitingApproval"
    """The candidate has not been approved."""
    APPROVED = "Approved"
    """The version is approved for this Deployment."""
    DENIED = "Denied"
    """A reviewer denied the candidate."""
    REVOKED = "Revoked"
    """A reviewer revoked the version, or the key that signed it has ended."""
    KEY_REVOKED = "KeyRevoked"
    """The key that signed the version was revoked, or one that attested its approvals."""
    STARTING = "Starting"
    """The candidate's Pods are starting."""
    MIRRORING = "Mirroring"
    """The candidate gets copies of requests, answers nobody, and is compared with what serves."""
    MIRROR_FAILED = "MirrorFailed"
    """The candidate's answers to copies spoke against it; it never had any traffic."""
    CANARY = "Canary"
    """The candidate has a share of the traffic and is being watched."""
    CANARY_FAILED = "CanaryFailed"
    """The candidate's own traffic spoke against it; what served before has all of it again."""
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    """The candidate did not become Ready in time."""
    PREDICTOR_REFUSED = "PredictorRefused"
    """A predictor refused the version; its sentence is in the message."""
    BAKING = "Baking"
    """The version serves and is being watched before it counts as stable."""
    SERVING = "Serving"
    """The version serves."""
    UNAVAILABLE = "Unavailable"
    """No Pod of the active version is ready."""
    SUSPENDED = "Suspended"
    """Promotion is frozen by the spec or an action."""
    ON_HOLD = "OnHold"
    """A person holds the traffic where it is, until the end of the hold."""
    NOT_HELD = "NotHeld"
    """Nobody holds it."""
    ACKNOWLEDGED = "Acknowledged"
    """A person accepted that another version serves than is asked for."""
    HOLD_ENDED = "HoldEnded"
    """The end of a hold came."""
    NO_DRIFT = "NoDrift"
    """The last windows look like the training data."""
    INCONCLUSIVE = "Inconclusive"
    """Too few rows to tell."""
    REPORTS_MISSING = "ReportsMissing"
    """Pods that serve have stopped reporting, so that nobody knows of their traffic."""
    BASELINE_MISSING = "BaselineMissing"
    """The signed baseline cannot be read, so that no report is judged."""
    DRIFT_DETECTED = "DriftDetected"
    """The traffic is too far from the training data."""
    INPUT_REJECTED = "InputRejected"
    """So many rows are refused that nobody knows whether the traffic drifts."""
    REQUESTS_FAIL = "RequestsFail"
    """The version fails more of its requests than the spec allows."""
    ANSWERS_LATE = "AnswersLate"
    """More of its answers take longer than the spec allows."""
    ODD_ROWS = "OddRows"
    """A client's rows look made to find the model's decision boundary."""
    QUALITY_BELOW_FLOOR = "QualityBelowFloor"
    """What became true of the answers is worse than the floor that the spec declares."""
    PROBED = "Probed"
    """As many clients probe the decision boundary as the spec declares to be too many."""
    TARGET_DRIFTS = "TargetDrifts"
    """The rollback's target drifts too; a person must look."""
    CRASH_ROLLBACK = "CrashRollback"
    """The Pods of what served ended again and again, which caused a rollback."""
    PACKAGE_ROLLBACK = "PackageRollback"
    """A package of what served is accepted no more, and the policy asks for a rollback."""
    COOLING_DOWN = "CoolingDown"
    """The candidate is ready; the traffic has moved too lately, or too often in a day."""
    DRIFT_ROLLBACK = "DriftRollback"
    """Drift caused a rollback."""
    ERROR_ROLLBACK = "ErrorRollback"
    """Failed requests caused a rollback."""
    LATENCY_ROLLBACK = "LatencyRollback"
    """Late answers caused a rollback, to a version that had been in time."""
    REVOCATION_ROLLBACK = "RevocationRollback"
    """A revocation caused a rollback."""
    MANUAL_ROLLBACK = "ManualRollback"
    """A person asked for the rollback."""
    ROLLING_BACK = "RollingBack"
    """The target is being verified and started."""
    NO_VERIFIED_TARGET = "NoVerifiedTarget"
    """No earlier version passes all checks today."""
    NOT_ROLLED_BACK = "NotRolledBack"
    """The intended version serves."""
    IDLE = "Idle"
    """Nothing is under way."""
    ABORTED = "Aborted"
    """A person dropped the candidate."""
    REFUSED = "Refused"
    """What is asked for was refused before."""
    INVALID_ACTION = "InvalidAction"
    """The action's annotation cannot be read."""
    FOREIGN_OBJECT = "ForeignObject"
    """An object of a needed name belongs to somebody else."""
    STOPPED = "Stopped"
    """The policy says that nothing may serve."""
    DELETING = "Deleting"
    """The object is being deleted: nothing new starts, and what may not serve is stopped."""
    AUDIT_BROKEN = "AuditBroken"
    """The audit log was changed; no version is promoted until a person acknowledges it."""
    ACTION_LOST = "ActionLost"
    """The object was deleted before an action that stood on it ran."""


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
