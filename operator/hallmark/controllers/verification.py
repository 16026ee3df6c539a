"""A version's bytes for a decision: from the store, or from what travels in the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hallmark.api.model_deployment import RolloutState
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ModelVersion
from hallmark.api.reasons import DeploymentReason
from hallmark.bundles.carried import verify_carried
from hallmark.cluster.gather.model_deployment import read_carried
from hallmark.controllers.runtime import Operator, log
from hallmark.errors import HallmarkError
from hallmark.policies.model_deployment.carrying import likely_target
from hallmark.policies.model_deployment.decide import DeploymentDecision
from hallmark.policies.model_deployment.drift import drift_looms
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Verification, View
from hallmark.policies.model_deployment.withdrawal import deadline, noted
from hallmark.refusal import Refusal

LONGEST_VERIFICATION = 100.0
SHORTEST_VERIFICATION = 5.0
"""Seconds in which a store must give all bytes of a bundle: less than a reconcile may take."""
SPARE_SECONDS = 2.0
"""Seconds that a store has where the bytes travel in the cluster, too."""
CARRY_SECONDS = 10.0
"""Seconds in which a store must give the files that are to travel."""
CARRY_AGAIN = 30.0
"""Seconds after which they are asked for again."""


async def verify(
    operator: Operator, inputs: DeploymentInputs, version: ModelVersion, policy: ModelPolicySpec
) -> Verification:
    """Verify a bundle: in the store, and where that is away by the files that travel.

    Never raises for what is in the store.
    """
    digest = version.spec.artifact.manifest_digest
    spare = digest in (inputs.carried or ())
    if spare and operator.bundles.in_trouble(policy, operator.clock()):
        found = await _by_carried(operator, inputs, version, policy)
        if found is not None:
            return found
    limit = min(_limit(operator, inputs), SPARE_SECONDS if spare else LONGEST_VERIFICATION)
    found = await _in_store(operator, version, policy, limit)
    if not found.transient:
        return found
    operator.bundles.note_trouble(policy, operator.clock())
    return await _by_carried(operator, inputs, version, policy) or found


def _limit(operator: Operator, inputs: DeploymentInputs) -> float:
    """Return for how long, in seconds, what was withdrawn may wait for the bytes of another."""
    status, now = inputs.deployment.status, operator.clock()
    view = View(inputs, status.replace(rollout=noted(status, inputs)))
    if view.rollout.withdrawn_since is None or view.stopped:
        return LONGEST_VERIFICATION
    left = (deadline(view) - now).total_seconds()
    return min(LONGEST_VERIFICATION, max(SHORTEST_VERIFICATION, left))


async def _in_store(
    operator: Operator, version: ModelVersion, policy: ModelPolicySpec, limit: float
) -> Verification:
    try:
        async with asyncio.timeout(limit):
            return await operator.bundles.verify(version, policy, operator.clock())
    except TimeoutError:
        late = f"The store did not give all bytes within {limit:.0f} s; it is tried again."
        refusal = Refusal(DeploymentReason.VERIFICATION_FAILED, late)
        digest = version.spec.artifact.manifest_digest
        return Verification(digest, operator.clock(), refusal=refusal, transient=True)


async def _by_carried(
    operator: Operator, inputs: DeploymentInputs, version: ModelVersion, policy: ModelPolicySpec
) -> Verification | None:
    digest = version.spec.artifact.manifest_digest
    files = await read_carried(operator.cluster, inputs, digest)
    found = verify_carried(version, policy, files, operator.clock()) if files else None
    if found is not None:
        log.warning(
            "The store is away; a version was verified by the files that travel in the cluster.",
            namespace=version.metadata.namespace,
            name=version.metadata.name,
        )
    return found


async def look_ahead(
    operator: Operator, inputs: DeploymentInputs, decided: DeploymentDecision
) -> None:
    """Verify the bytes that a rollback would go to when drift shows and does not decide yet.

    The report that decides may come in a moment; then it waits for no store. What a decision may
    rest on, and for how long, is the same as ever (``Bundles.verify``).
    """
    status = decided.status
    looms = drift_looms(status, inputs, decided.drift_memory)
    target = likely_target(status, inputs) if looms else None
    version = inputs.version(target.version, target.manifest_digest) if target else None
    if version is None or inputs.policy is None:
        return
    policy = inputs.policy.spec
    if operator.bundles.in_trouble(policy, operator.clock()):
        return
    if (await _in_store(operator, version, policy, SPARE_SECONDS)).transient:
        operator.bundles.note_trouble(policy, operator.clock())


async def carry(
    operator: Operator, inputs: DeploymentInputs, decided: DeploymentDecision
) -> Mapping[str, Mapping[str, bytes]]:
    """Return the served files that are to travel in the cluster, by manifest label and name.

    They are for later: a store in trouble is no reason to leave anything else undone, and what
    moves traffic waits for none of it.
    """
    rollout = decided.status.rollout
    starts = rollout is not None and rollout.state is RolloutState.STARTING
    if inputs.policy is None or decided.withdraws or (decided.moved and not starts):
        return {}
    found: dict[str, Mapping[str, bytes]] = {}
    policy = inputs.policy.spec
    for planned in decided.plan.versions:
        if not planned.carry or planned.version is None:
            continue
        if operator.bundles.in_trouble(policy, operator.clock()):
            break
        try:
            async with asyncio.timeout(CARRY_SECONDS):
                files = await operator.bundles.carried(planned.version, policy)
        except (HallmarkError, TimeoutError) as error:
            operator.bundles.note_trouble(policy, operator.clock())
            log.warning("Served files do not travel yet.", name=planned.name, error=str(error))
        else:
            if files is not None:
                found[planned.label] = files
    return found
