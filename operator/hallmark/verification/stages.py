"""The stages of rollouts: each decision made again from the numbers that its record keeps.

A stage is a mirror, or a step of a canary. Each record says what it ends and what begins, so that
a promotion rests on its last stage, and each stage on the one before: what is missing, of another
candidate, or of an earlier attempt does not fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hallmark.api.canary import CanaryCounts, CanaryRecord
from hallmark.api.model_deployment import StrategyType
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.reasons import DeploymentReason
from hallmark.api.served import Baseline
from hallmark.api.texts import parse_timestamp
from hallmark.audit.events import AuditEvent
from hallmark.audit.record import AuditRecord
from hallmark.policies.model_deployment.audit import GAVE_WAY
from hallmark.policies.model_deployment.intent import intent_hash
from hallmark.policies.model_deployment.rollout_floors import faster_than_demanded, needed_bake
from hallmark.policies.model_deployment.stage import Stage
from hallmark.policies.model_version.demands import Demands, read_demands
from hallmark.verification.links import Link, broken, holds, open_
from hallmark.verification.stage_numbers import Kept, numbers_link, too_short
from hallmark.verification.stage_records import (
    Before,
    Place,
    bakes,
    begins,
    candidate,
    fails,
    gives,
    stage_in,
)


@dataclass(frozen=True)
class Told:
    """A record of a stage, of a promotion or of a failure, with all that it is held against.

    Args:
        record: it.
        before: the records that came before it, about the same bytes and intent.
        first: the record that first gave all traffic to these bytes.
        whole: the log begins with the first record there ever was.
        baselines: sealed baselines by manifest digest, as far as they are here.
        policies: ModelPolicies by their digest, as far as they are here.
    """

    record: AuditRecord
    before: Before
    first: AuditRecord | None
    whole: bool
    baselines: Mapping[str, Baseline]
    policies: Mapping[str, ModelPolicySpec]

    @property
    def name(self) -> str:
        """That of its link."""
        return f"stage (record {self.record.seq})"

    @property
    def ends(self) -> bool:
        """Whether something had begun that ends with it."""
        return fails(self.record) or (self.before.last_begun is not None and not self.is_excused)

    @property
    def is_excused(self) -> bool:
        """Whether there was nothing that the candidate could be watched beside."""
        details = self.record.details
        same = details.get("fromDigest", "") in {"", details.get("manifestDigest", "")}
        return gives(self.record) and (same or GAVE_WAY in details)

    def was_let_through(self, demands: Demands, stage: Stage) -> bool:
        """Tell whether a person may, and did, promote the candidate before it was watched."""
        demanded = demands.rollout is not None and demands.rollout.watched_first
        return gives(self.record) and stage.released and not demanded

    def former(self, place: Place) -> AuditRecord | None:
        """Return the record that should have begun what ends.

        What failed may have been recorded as passed first: the operator was ended before it
        happened, and saw more when it looked again.
        """
        if fails(self.record):
            return self.before.last_to_begin(place)
        return self.before.last_begun


def stage_links(
    records: Sequence[AuditRecord],
    *,
    whole: bool,
    baselines: Mapping[str, Baseline],
    policies: Mapping[str, ModelPolicySpec],
) -> Iterator[Link]:
    """Yield a link for each stage that ended, and for each promotion that is not borne out.

    Args:
        records: all about a ModelDeployment, in their order.
        whole: the log begins with the first record there ever was.
        baselines: sealed baselines by manifest digest, as far as they are here.
        policies: ModelPolicies by their digest, as far as they are here.
    """
    found: list[Link] = []
    before: dict[tuple[str, str], Before] = defaultdict(Before)
    first: dict[str, AuditRecord] = {}
    for record in records:
        digest, _ = same = candidate(record)
        if _is_told(record):
            told = Told(record, before[same], first.get(digest), whole, baselines, policies)
            found += filter(None, [_link_or_trouble(told)])
        before[same].add(record)
        if gives(record):
            first.setdefault(digest, record)
    yield from found or [holds("stage", "none has ended")]


def stages_before(
    records: Sequence[AuditRecord], promotion: AuditRecord
) -> Iterator[tuple[AuditRecord, Stage]]:
    """Yield the stages that a promotion rests on, oldest first, as far as their numbers are kept.

    Args:
        records: all about the ModelDeployment, in their order.
        promotion: the one that gave the traffic.
    """
    if promotion.event != AuditEvent.PROMOTE:
        return
    before = Before()
    for record in records:
        if record.seq < promotion.seq and candidate(record) == candidate(promotion):
            before.add(record)
    found: list[tuple[AuditRecord, Stage]] = []
    for record in (promotion, *before.begun()):
        stage = stage_in(record)
        if stage is None:
            continue
        if stage.copies or stage.step:
            found.append((record, stage))
        elif record is not promotion:
            break  # Before it there was another attempt.
    yield from reversed(found)


def _is_told(record: AuditRecord) -> bool:
    return begins(record) or gives(record) or fails(record) or bakes(record)


def _link_or_trouble(told: Told) -> Link | None:
    """Return the link; a record that somebody changed may hold what no function takes."""
    try:
        return _link(told)
    except (ValueError, IndexError, ArithmeticError) as error:
        return broken(told.name, f"Its numbers cannot be counted: {error}")


def _link(told: Told) -> Link | None:
    demands = read_demands(told.record.evidence)
    stage = demands.stage if demands else None
    if demands is None or stage is None:
        return open_(told.name, "The record does not keep the numbers.") if told.ends else None
    if problem := _by_other_rules(told, demands):
        return broken(told.name, problem)
    if bakes(told.record):
        return _too_early(told, demands, stage)
    problem = (
        _of_another(told, stage)
        or _not_demanded(told, demands, stage)
        or _out_of_order(told, demands, stage)
    )
    if problem:
        return broken(told.name, problem)
    if told.is_excused or told.was_let_through(demands, stage):
        return None
    baseline = told.baselines.get(stage.manifest_digest)
    return numbers_link(Kept(told.name, told.record, stage, baseline))


# -- whose numbers they are, and in which order ------------------------------------------------


def _of_another(told: Told, stage: Stage) -> str | None:
    details = told.record.details
    digest = details.get("manifestDigest", "")
    asked = (stage.manifest_digest, intent_hash(stage.manifest_digest, stage.spec))
    if asked != (digest, details.get("intent")):
        return "Expected the numbers of this version and of what was asked for, found others."
    if parse_timestamp(stage.until) < parse_timestamp(stage.since):
        return "Expected numbers of a stage that ended after it began, found the contrary."
    return None


def _by_other_rules(told: Told, demands: Demands) -> str | None:
    """Return that a record names other rules than the policy's, or None."""
    policy = told.policies.get(demands.policy_digest)
    if policy is not None and policy.rollout != demands.rollout:
        return (
            f"It names other demands on rollouts than ModelPolicy '{demands.policy}' makes with "
            f"the digest {demands.policy_digest}."
        )
    return None


def _not_demanded(told: Told, demands: Demands, stage: Stage) -> str | None:
    """Return that the candidate got traffic faster than was demanded, or None."""
    if fails(told.record):
        return None
    beyond = faster_than_demanded(stage.spec, demands.rollout, stage.spec.replicas)
    return next(iter(beyond), None)


def _out_of_order(told: Told, demands: Demands, stage: Stage) -> str | None:
    """Return that the record does not follow from the one that it must rest on, or None."""
    record = told.record
    let_through = told.was_let_through(demands, stage)
    by_hand = let_through or (demands.rollout is not None and demands.rollout.manual)
    by_somebody = stage.released and (told.before.promoted_by_a_person or not told.whole)
    if gives(record) and by_hand and not by_somebody:
        return "Expected a record that a person promoted this version, found none."
    step = stage.step.record.step if stage.step else None
    if not (told.is_excused or let_through) and not fails(record):
        expected = _following(stage, step)
        found = Place(record.reason if begins(record) else "", stage.begins)
        if found != expected:
            return f"Expected {expected.said} to follow, found {found.said}."
    if stage.step is None and stage.copies is None:
        return None
    place = Place(DeploymentReason.CANARY if stage.step else DeploymentReason.MIRRORING, step)
    former = told.former(place)
    if former is None:
        lost = f"Expected a record that {place.said} began, which ended; found none."
        return lost if told.whole else None
    if not place.may_be_begun_by(former):
        return f"Expected record {former.seq} to begin {place.said}, which ended; it does not."
    if stage.step is None and stage.spec.strategy.mirror is None:
        return "Expected a mirror among what was asked for, found none."
    known = stage_in(former)
    return _not_since(stage, known, former) if known else None


def _following(stage: Stage, step: int | None) -> Place:
    """Return what must come after a stage that was passed, or where there was none yet."""
    strategy = stage.spec.strategy
    if strategy.mirror is not None and stage.copies is None and step is None:
        return Place(DeploymentReason.MIRRORING)
    if strategy.type is not StrategyType.CANARY:
        return Place()
    steps = len(strategy.canary_or_default.steps)
    following = 0 if step is None else step + 1
    return Place() if following > steps else Place(DeploymentReason.CANARY, following)


def _not_since(stage: Stage, former: Stage, record: AuditRecord) -> str | None:
    """Return that a stage is not the one that the record before it began, or None."""
    if parse_timestamp(stage.since) < parse_timestamp(former.until):
        return f"Expected a stage since record {record.seq}, found numbers of an earlier one."
    step = stage.step
    # A decision that is made again after a crash may have seen more than its record says.
    if step is None or stage.since != former.until or step.record.routed_since is not None:
        return None
    seen = former.step
    all_, fair = (seen.all, seen.fair) if seen else (CanaryCounts(), CanaryCounts())
    if (_counts(step.record), step.record.fair) != (all_, fair):
        return f"Expected counts that go on where record {record.seq} ends, found others."
    return None


def _counts(record: CanaryRecord) -> CanaryCounts:
    return CanaryCounts(**{name: getattr(record, name) for name in CanaryCounts.model_fields})


def _too_early(told: Told, demands: Demands, stage: Stage) -> Link | None:
    """Return that a version became stable before its time, or None."""
    digest = told.record.details.get("manifestDigest", "")
    bake = needed_bake(stage.spec, demands.rollout)
    gave = stage_in(told.first) if told.first else None
    if stage.manifest_digest != digest:
        return broken(told.name, "Expected since when this version was healthy, found another's.")
    # A later promotion of the same bytes may be on record without having happened.
    if gave and parse_timestamp(stage.since) < parse_timestamp(gave.until):
        return broken(
            told.name, "Expected it to be healthy since it got the traffic, found earlier."
        )
    why = too_short(stage.since, bake, stage)
    return broken(told.name, f"It became stable too early: {why}") if why else None
