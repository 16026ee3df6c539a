"""Whatever a real API server accepts in a field, the operator's models read.

The API server reads moments, durations and numbers in ways of its own: what it takes and we cannot
read would hide an object, and what is decided in it.
"""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.api.common import ApiModel
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import parse_duration, parse_timestamp
from hallmark.api.training_run import TrainingRun
from tests.integration import objects
from tests.integration.api import Obj, RefusedError
from tests.integration.conftest import OPERATOR, World
from tests.integration.crd_specs import key
from tests.unit.api.test_readable import REFUSED_MOMENTS

GOOD_MOMENTS = [
    "1970-01-01T00:00:00Z",
    "2028-02-29T23:59:59Z",
    "2030-01-01T00:00:00.1Z",
    "2030-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999Z",
]
MOMENTS = [*GOOD_MOMENTS, *REFUSED_MOMENTS]
DURATIONS = [
    "0s",
    "1ms",
    "87600h",
    "87600h1ms",
    "87600h0.001s",
    "1m1m1h",
    "1.5h",
    "1.1234h",
    "999999h",
    "999999h999999h999999h999999h",
    "9999999h",
    "1us",
    "1ns",
    "1µs",
    "1d",
    "h",
    "+1h",
    "-1h",
    "1h ",
    "١h",
]
DECIMALS = [
    "0.1",
    "-0",
    "00.10",
    "999999999.999999999",
    "9" * 400,
    "0." + "1" * 400,
    "1e5",
    "NaN",
    "inf",
    ".5",
    "5.",
    "0x10",
    "1_0",
    "٠",
    "",
]
NUMBERS: list[Any] = [0, 1, 7, 2**31, 2**53 - 1, 2**53, 2**63 - 1, 2**63, -1, -(2**63), 1e30, 1.0]
NUMBERS += [1.5, 10**400, "1", True, None]


def created(world: World, made: Obj) -> Obj | None:
    """Return the object as the API server would store it, or None where it refuses."""
    try:
        user = OPERATOR if made["kind"] == "ModelVersion" else None
        return world.api.create(made, user, dry_run=True)
    except RefusedError as refusal:
        return _invalid(refusal)


def reported(world: World, made: Obj, status: Obj) -> Obj | None:
    """Return the object with a status, or None where the API server refuses it."""
    try:
        return world.api.patch(made, {"status": status}, OPERATOR, "status")
    except RefusedError as refusal:
        return _invalid(refusal)


def _invalid(refusal: RefusedError) -> None:
    """Take a refusal for what is in the object, and no other."""
    if refusal.code not in {400, 422}:
        raise refusal


def read(model: type[ApiModel], stored: Obj) -> Any:  # noqa: ANN401 - a model of ours
    """Return the object as the operator reads it; it must be able to."""
    return model.model_validate(stored)


@pytest.mark.parametrize("text", MOMENTS)
def test_the_end_of_an_approval(world: World, text: str) -> None:
    made = objects.model_approval(world.namespace, notAfter=text)
    stored = created(world, made)
    assert (stored is not None) == (text in GOOD_MOMENTS), text
    if stored is not None:
        parse_timestamp(read(ModelApproval, stored).spec.not_after)


@pytest.mark.parametrize("text", MOMENTS)
@pytest.mark.parametrize("field", ["validFrom", "validUntil", "revokedAt"])
def test_the_moments_of_a_key(world: World, field: str, text: str) -> None:
    stored = created(world, objects.model_policy(signers=[key(**{field: text})]))
    assert (stored is not None) == (text in GOOD_MOMENTS), text
    if stored is not None:
        signer = read(ModelPolicy, stored).spec.signers[0]
        for moment in (signer.valid_from, signer.valid_until, signer.revoked_at):
            assert moment is None or parse_timestamp(moment)


@pytest.mark.parametrize("text", DURATIONS)
@pytest.mark.parametrize("field", ["bake", "keepWarm", "progressDeadline"])
def test_a_duration_of_a_rollout(world: World, field: str, text: str) -> None:
    stored = created(world, objects.model_deployment(world.namespace, strategy={field: text}))
    assert stored is not None or text not in {"1ms", "1.5h", "87600h"}
    if stored is not None:
        strategy = read(ModelDeployment, stored).spec.strategy
        for length in (strategy.bake, strategy.keep_warm, strategy.progress_deadline):
            assert 0 <= parse_duration(length).total_seconds() < 2**31


@pytest.mark.parametrize("text", DURATIONS)
@pytest.mark.parametrize("field", ["activeDeadline", "jobTTL"])
def test_a_duration_of_a_run(world: World, field: str, text: str) -> None:
    stored = created(world, objects.training_run(world.namespace, **{field: text}))
    if stored is not None:
        read(TrainingRun, stored)
        assert 0 < parse_duration(stored["spec"][field]).total_seconds() < 2**31


def test_a_duration_that_is_too_long_is_refused_in_a_sentence(world: World) -> None:
    for text in ("87600h1s", "999999h"):
        made = objects.model_deployment(world.namespace, strategy={"keepWarm": text})
        with pytest.raises(RefusedError, match="must be at most 87600h"):
            world.api.create(made, dry_run=True)


@pytest.mark.parametrize("text", DECIMALS)
def test_a_decimal(world: World, text: str) -> None:
    gate = {"metric": "accuracy", "comparison": "AtLeast", "threshold": text}
    made = [
        (TrainingRun, objects.training_run(world.namespace, gates=[gate])),
        (ModelPolicy, objects.model_policy(gates=[gate])),
        (ModelDeployment, objects.model_deployment(world.namespace, drift={"threshold": text})),
    ]
    for model, obj in made:
        stored = created(world, obj)
        if stored is not None:
            read(model, stored)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: str(number)[:20])
def test_a_number_of_a_spec(world: World, number: Any) -> None:  # noqa: ANN401
    made: list[tuple[type[ApiModel], Obj]] = [
        (ModelVersion, objects.model_version(world.namespace, version=number)),
        (
            ModelVersion,
            objects.model_version(
                world.namespace,
                artifact={"uri": "s3://x/", "manifestDigest": objects.DIGEST, "size": number},
            ),
        ),
        (ModelDeployment, objects.model_deployment(world.namespace, replicas=number)),
        (ModelDeployment, objects.model_deployment(world.namespace, drift={"window": number})),
        (TrainingRun, objects.training_run(world.namespace, trainer={"seed": number})),
        (ModelPolicy, objects.model_policy(approvals={"minimum": number})),
        (ModelPolicy, objects.model_policy(sources={"limits": {"maxBytes": number}})),
    ]
    for model, obj in made:
        stored = created(world, obj)
        if stored is not None:
            read(model, stored)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: str(number)[:20])
def test_a_number_of_a_status(world: World, number: Any) -> None:  # noqa: ANN401
    made = objects.model_deployment(world.namespace, "numbers")
    if number == NUMBERS[0]:
        world.api.create(made)
    window = {"number": 1, "rows": 1, "start": GOOD_MOMENTS[0], "end": GOOD_MOMENTS[1]}
    for status in (
        {"observedGeneration": number},
        {"readyReplicas": number},
        {"drift": {"pod": objects.drift_report(sequence=number)}},
        {"drift": {"pod": objects.drift_report(rows=number)}},
        {"drift": {"pod": objects.drift_report(counts={"income": [number]})}},
        {"drift": {"pod": objects.drift_report(windows=[{**window, "rows": number}])}},
        {"driftState": {"voters": number}},
    ):
        stored = reported(world, made, status)
        assert stored is not None or type(number) is not int or number not in {1, 7}
        if stored is not None:
            read(ModelDeployment, stored)


@pytest.mark.parametrize("text", MOMENTS)
def test_the_moments_of_a_report(world: World, text: str) -> None:
    made = objects.model_deployment(world.namespace, "moments")
    if text == MOMENTS[0]:
        world.api.create(made)
    window = {"number": 1, "rows": 1, "start": text, "end": text}
    stored = reported(world, made, {"drift": {"pod": objects.drift_report(windows=[window])}})
    assert (stored is not None) == (text in GOOD_MOMENTS), text
    if stored is not None:
        read(ModelDeployment, stored)
