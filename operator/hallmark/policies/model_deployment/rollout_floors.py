"""How a ModelPolicy demands that new versions take over. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from hallmark.api.canary import Canary
from hallmark.api.model_deployment import ModelDeploymentSpec, StrategyType
from hallmark.api.rollout_floors import CanaryFloors, RolloutFloors
from hallmark.api.texts import parse_duration
from hallmark.policies.model_deployment.floors import (
    Demand,
    Part,
    at_least,
    at_most,
    is_true,
    measure,
)
from hallmark.policies.model_deployment.shares import most_share, split

Met = Callable[[object, object], str]
"""Gets a floor and what was found; returns what is expected, or nothing where that is met."""


def _begins(floor: object, found: object) -> str:
    weights = _whole(found)
    met = bool(weights) and weights[0] <= measure(floor)
    return "" if met else f"beginning with at most {floor}"


def _rises(floor: object, found: object) -> str:
    course = [0, *_whole(found), 100]
    met = all(after - before <= measure(floor) for before, after in pairwise(course))
    return "" if met else f"rising by at most {floor} from step to step and to 100"


def _each_lasts(floor: object, found: object) -> str:
    pauses = found if isinstance(found, list) else []
    met = bool(pauses) and all(measure(pause) >= measure(floor) for pause in pauses)
    return "" if met else f"of at least {floor} each"


def _whole(found: object) -> Sequence[int]:
    return found if isinstance(found, list) else []


def _listed(found: object) -> str:
    return ", ".join(map(str, found)) if isinstance(found, list) else "none"


_BOTH: Mapping[str, Met] = {
    "min_minimum_rows": at_least,
    "max_rejections": at_most,
    "min_minimum_requests": at_least,
    "max_errors": at_most,
    "max_latency": at_most,
}
"""What is demanded of a canary's analysis, and of a mirror's."""


def _analysed(block: str, more: Mapping[str, Met]) -> Iterator[Demand]:
    for floor, met in {**_BOTH, **more}.items():
        field = f"strategy.{block}.analysis.{floor.removeprefix('min_')}"
        yield Demand(f"{block}.{floor}", field, met)


_CANARY = "strategy.canary"
DEMANDS = (
    Demand("canary.max_first_step", f"{_CANARY}.steps.weight", _begins, _listed),
    Demand("canary.max_step", f"{_CANARY}.steps.weight", _rises, _listed),
    Demand("canary.min_pause", f"{_CANARY}.steps.pause", _each_lasts, _listed),
    *_analysed("canary", {"drift": is_true}),
    Demand("mirror.min_percent", "strategy.mirror.percent", at_least),
    Demand("mirror.min_pause", "strategy.mirror.pause", at_least),
    *_analysed("mirror", {"max_disagreement": at_most, "max_score_difference": at_most}),
    Demand("min_bake", "strategy.bake", at_least),
    Demand("min_keep_warm", "strategy.keep_warm", at_least),
    Demand("min_cool_down", "strategy.cool_down", at_least),
    Demand("max_switches_per_day", "strategy.max_switches_per_day", at_most),
    Demand("manual", "suspend", is_true),
)
ROLLOUT = Part(
    "rollout",
    DEMANDS,
    {"canary": _CANARY, "mirror": "strategy.mirror"},
    "Let new versions take over so",
)
"""How new versions must take over."""


def faster_than_demanded(
    spec: ModelDeploymentSpec, floors: RolloutFloors | None, most_replicas: int
) -> Iterator[str]:
    """Yield a sentence for each demand on rollouts that a spec does not meet.

    Args:
        spec: what is asked for.
        floors: what is demanded; None: nothing.
        most_replicas: with more the spec runs with so many.
    """
    if floors is None:
        return
    strategy = spec.strategy
    stepwise = strategy.type is StrategyType.CANARY
    canary = strategy.canary_or_default if stepwise else None
    yield from ROLLOUT.beyond(spec.replace(strategy=strategy.replace(canary=canary)), floors)
    if canary is not None and canary.route is None and floors.canary is not None:
        replicas = min(spec.replicas, most_replicas)
        yield from _too_few_pods(canary, replicas, floors.canary)


def _too_few_pods(canary: Canary, replicas: int, floors: CanaryFloors) -> Iterator[str]:
    """Yield that whole Pods give more of the traffic than a step may: of the first such step."""
    for number, step in enumerate(canary.steps):
        most = most_share(canary, number, floors)
        pods = split(step.weight, replicas, most)
        if 100 * pods.share <= most or step.weight > most:
            continue
        enough = next(n for n in range(1, 101) if 100 * split(step.weight, n, most).share <= most)
        found = f"{replicas}, with which it gives {round(100 * pods.share)} %"
        expected = f"of at least {enough}, so that step {number + 1} gives at most {most} %"
        floor = "canary.max_step" if floors.max_step else "canary.max_first_step"
        yield ROLLOUT.sentence("replicas", expected, floor, found)
        return


def needed_bake(spec: ModelDeploymentSpec, floors: RolloutFloors | None) -> str:
    """Return how long what serves must be healthy: as asked for, or as demanded where longer."""
    asked = spec.strategy.bake
    demanded = floors.min_bake if floors else None
    return max(asked, demanded or asked, key=parse_duration)
