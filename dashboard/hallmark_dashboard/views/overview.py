"""The first page: is anything wrong, does anything wait for me? Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hallmark.api.conditions import ConditionStatus
from hallmark.api.model_deployment import DeploymentCondition, ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import parse_timestamp
from hallmark.api.training_run import TrainingRun
from hallmark.policies.model_deployment.hold import told as told_hold
from hallmark.policies.model_version.approvals import counts
from hallmark.policies.model_version.renewal import is_of_before
from hallmark.quorum import is_among
from hallmark_dashboard.lists import Unreadable
from hallmark_dashboard.views.decisions import Decision
from hallmark_dashboard.views.deployment import headline
from hallmark_dashboard.views.rates import Rates
from hallmark_dashboard.views.remembered import remembered
from hallmark_dashboard.views.rows import (
    DeploymentRow,
    deployment_row,
    is_overdue,
    unserved_sentence,
)
from hallmark_dashboard.views.standing import (
    Standing,
    State,
    deployment_standing,
    run_standing,
    version_standing,
)
from hallmark_dashboard.views.words import ago, plural

MOST_ITEMS = 50
"""Items that are shown of a kind; the page says how many more there are."""
MOST_ROWS = 25
"""ModelDeployments that are shown, those that need a look first; a page of its own has them all."""


@dataclass(frozen=True)
class Item:
    """Something that a person should look at.

    Attributes:
        kind: Of the object.
        namespace: Its namespace.
        name: Its name.
        title: What it is about.
        standing: How it stands.
    """

    kind: str
    namespace: str
    name: str
    title: str
    standing: Standing


@dataclass(frozen=True)
class Overview:
    """What the first page says."""

    headline: str
    state: State
    waiting: tuple[Item, ...]
    stopped: tuple[Item, ...]
    unknown: tuple[Item, ...]
    alarms: tuple[Item, ...]
    holds: tuple[Item, ...]
    """Those that end first, first."""
    deployments: tuple[DeploymentRow, ...]
    decisions: tuple[Decision, ...]
    rates: Mapping[str, Rates]
    """Of requests, by namespace/name."""
    counts: Mapping[str, int]
    """Items of each part, shown or not, by the part's name."""
    total: int
    """ModelDeployments, shown or not."""


@dataclass(frozen=True)
class OverviewInputs:
    """What the first page is made of.

    Attributes:
        person: Who looks.
        reviews_in: Namespaces in which that person may approve.
        runs: The TrainingRuns that the person may see.
        versions: The ModelVersions that the person may see.
        deployments: The ModelDeployments that the person may see.
        unreadable: Objects among them that cannot be parsed.
        decisions: The newest ones.
        now: The time.
        rates: Of requests, by namespace/name.
    """

    person: str
    reviews_in: frozenset[str]
    runs: Sequence[TrainingRun]
    versions: Sequence[ModelVersion]
    deployments: Sequence[ModelDeployment]
    unreadable: Sequence[Unreadable]
    decisions: Sequence[Decision]
    now: datetime
    rates: Mapping[str, Rates] = field(default_factory=dict)


def overview(given: OverviewInputs) -> Overview:
    """Return what the first page says."""
    reviews = [_version_item(version) for version in given.versions if _waits(version, given)]
    own_failed = [
        Item("TrainingRun", run.metadata.namespace, run.metadata.name, run.spec.model, found)
        for run in given.runs
        if run.spec.requested_by == given.person
        and (found := run_standing(run)).state is State.STOPPED
    ]
    deployments = [(found, deployment_standing(found)) for found in given.deployments]
    stopped = [
        _deployment_item(deployment, found)
        for deployment, found in deployments
        if found.state is State.STOPPED
    ]
    alarms = [item for one in given.deployments for item in _alarms(one, given.now)]
    unknown = [_unreadable_item(found) for found in given.unreadable]
    unknown += [
        _deployment_item(deployment, found)
        for deployment, found in deployments
        if found.state is State.UNKNOWN
    ]
    parts = {
        "waiting": _newest([*reviews, *own_failed]),
        "stopped": _newest(stopped),
        "unknown": unknown,
        "alarms": alarms,
        "holds": _holds(given),
    }
    shown = {name: tuple(items[:MOST_ITEMS]) for name, items in parts.items()}
    urgent = urgent_first(given.deployments)
    state, headline = _headline(given, stopped, unknown, parts["waiting"])
    return Overview(
        headline,
        state,
        **shown,
        deployments=tuple(map(deployment_row, urgent[:MOST_ROWS])),
        decisions=tuple(given.decisions),
        rates=given.rates,
        counts={name: len(items) for name, items in parts.items()},
        total=len(urgent),
    )


def _waits(version: ModelVersion, given: OverviewInputs) -> bool:
    """Whether a version waits for this very person's decision."""
    if version.metadata.namespace not in given.reviews_in:
        return False
    if version_standing(version).state is not State.WAITING:
        return False
    asked = version.spec.requested_by
    if is_among(given.person, filter(None, [asked.name, asked.relay])):
        return False
    return not any(
        is_among(given.person, [record.approver])
        and counts(record, given.now)
        and not is_of_before(record, version.status.rolled_back)
        for record in version.status.approvals
    )


@remembered
def _version_item(version: ModelVersion) -> Item:
    title = f"{version.spec.model} version {version.spec.version}"
    metadata = version.metadata
    found = version_standing(version)
    return Item("ModelVersion", metadata.namespace, metadata.name, title, found)


def _deployment_item(deployment: ModelDeployment, found: Standing) -> Item:
    metadata, spec = deployment.metadata, deployment.spec
    title = spec.model or spec.model_version or ""
    return Item("Deployment", metadata.namespace, metadata.name, title, found)


def _unreadable_item(found: Unreadable) -> Item:
    standing = Standing(State.UNKNOWN, "Unreadable", found.sentence)
    return Item(found.kind, found.namespace, found.name, "", standing)


def _alarms(deployment: ModelDeployment, now: datetime) -> Iterator[Item]:
    """Yield drift, and what is asked for and has not served for too long."""
    drift = deployment.status.condition(DeploymentCondition.DRIFT_DETECTED)
    if drift is not None and drift.status is ConditionStatus.TRUE:
        told = Standing(State.STOPPED, drift.reason, drift.message, drift.last_transition_time)
        yield _deployment_item(deployment, told)
    found = deployment.status.unserved
    if found is not None and is_overdue(deployment, now):
        sentence = unserved_sentence(deployment, now)
        told = Standing(State.STOPPED, found.reason, sentence, found.since)
        yield _deployment_item(deployment, told)


def _holds(given: OverviewInputs) -> list[Item]:
    """Return what people keep from moving, by its end."""
    found = [
        (hold.until, _deployment_item(one, Standing(State.WAITING, "OnHold", told, hold.since)))
        for one in given.deployments
        if (hold := one.status.hold) and (told := told_hold(one, given.now))
    ]
    return [item for _, item in sorted(found, key=lambda pair: parse_timestamp(pair[0]))]


def _newest(items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda item: item.standing.since, reverse=True)


def urgent_first(deployments: Sequence[ModelDeployment]) -> list[ModelDeployment]:
    """Return ModelDeployments in the order in which they need a look."""
    return sorted(deployments, key=_urgency)


def _urgency(deployment: ModelDeployment) -> tuple[int, str, str]:
    order = (State.STOPPED, State.UNKNOWN, State.WAITING, State.GOOD)
    place = deployment.metadata
    return order.index(deployment_standing(deployment).state), place.namespace, place.name


def _headline(
    given: OverviewInputs, stopped: Sequence[Item], unknown: Sequence[Item], waiting: Sequence[Item]
) -> tuple[State, str]:
    """Return the first line, and how all stands."""
    for_you = f"{plural(len(waiting), 'thing waits', 'things wait')} for you." if waiting else ""
    if stopped:
        first = max(stopped, key=lambda item: item.standing.since)
        told = _told(first, given)
        others = f" {plural(len(stopped) - 1, 'other is', 'others are')} stopped."
        return State.STOPPED, f"{told}{others if len(stopped) > 1 else ''} {for_you}".strip()
    if unknown:
        return State.UNKNOWN, f"{plural(len(unknown), 'object')} cannot be told. {for_you}".strip()
    if waiting:
        return State.WAITING, f"Nothing is wrong. {for_you}"
    if not given.deployments:
        return State.UNKNOWN, "Nothing serves yet, and nothing waits for you."
    serving = sum(1 for found in given.deployments if found.status.active_model_version)
    of = plural(len(given.deployments), "Deployment")
    return (
        State.GOOD,
        f"Nothing is wrong and nothing waits for you. {serving} of {of} have traffic.",
    )


def _told(stopped: Item, given: OverviewInputs) -> str:
    """Say what became of a ModelDeployment that is stopped."""
    place = (stopped.namespace, stopped.name)
    found = next(
        one for one in given.deployments if (one.metadata.namespace, one.metadata.name) == place
    )
    serves = found.status.active_model_version
    if serves and found.status.last_rollback and found.status.last_rollback.to == serves:
        return headline(found, None, given.now)
    when = ago(stopped.standing.since, given.now)
    since = f", {when}" if when else ""
    return f"{stopped.namespace}/{stopped.name} is stopped ({stopped.standing.word}{since})."
