"""How the children of a decision are written: what shrinks, what is applied, what goes."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from hallmark.cluster.cluster import ApiError, Cluster, ForeignObject
from hallmark.cluster.corrected import apply_corrected
from hallmark.cluster.kinds import APPS_DEPLOYMENT, kind_of
from hallmark.policies.decision import Apply, Decision, Reference, Shrink


@dataclass
class CarriedOut:
    """What came of it."""

    foreign: ForeignObject | None = None
    """The first object that belongs to somebody else; nothing was applied after it."""
    trouble: ApiError | None = None
    """The first call that the API server refused, where that held up no other."""


async def carry_out(cluster: Cluster, decision: Decision, done: CarriedOut) -> None:
    """Shrink, apply and delete children; stop at the first that belongs to somebody else.

    Where bytes are withdrawn, a child that cannot be written holds up no other, and what must go
    goes whatever stands in the way of the rest: an author's quota, his objects, his resources.

    Args:
        cluster: where.
        decision: what to do.
        done: what came of the children that were written already; it is added to.

    Raises:
        ApiError: a call was refused, and no bytes are withdrawn.
    """
    for shrink in decision.shrink:
        ends = decision.withdraws and not shrink.replicas
        work = emptied(cluster, shrink.reference) if ends else shrunk(cluster, shrink)
        await _try(work, decision, done)
    for child in decision.apply:
        if done.foreign is not None:
            break
        await _try(_apply(cluster, child, done), decision, done)
    if done.foreign is None or decision.withdraws:
        for reference in decision.delete:
            await _try(remove(cluster, reference), decision, done)


async def apply_beside(cluster: Cluster, decision: Decision, done: CarriedOut) -> None:
    """Apply what need not wait for the intent.

    Raises:
        ApiError: a call was refused.
    """
    for child in decision.beside:
        await _apply(cluster, child, done)


async def _try(work: Awaitable[None], decision: Decision, done: CarriedOut) -> None:
    try:
        await work
    except ApiError as error:
        if not decision.withdraws:
            raise
        done.trouble = done.trouble or error


async def set_aside(cluster: Cluster, applies: Iterable[Apply]) -> None:
    """Apply what takes requests from Pods that go; the next look does what was refused here."""
    for child in applies:
        with suppress(ApiError):
            await apply_corrected(cluster, child)


async def _apply(cluster: Cluster, child: Apply, done: CarriedOut) -> None:
    applied = await apply_corrected(cluster, child)
    if isinstance(applied, ForeignObject):
        done.foreign = applied


async def shrunk(cluster: Cluster, shrink: Shrink) -> None:
    """Take Pods from an apps/v1 Deployment; its template, which may be refused, stays as it is."""
    reference = shrink.reference
    kind = kind_of({"apiVersion": reference.api_version, "kind": reference.kind})
    patch = {"metadata": {"uid": reference.uid}, "spec": {"replicas": shrink.replicas}}
    try:
        await cluster.merge(kind, reference.namespace, reference.name, patch)
    except ApiError as error:
        if not error.gone:
            raise


async def emptied(cluster: Cluster, reference: Reference) -> None:
    """Take all Pods from an apps/v1 Deployment; where it may not be changed it goes.

    Raises:
        ApiError: it was refused, such as by somebody's admission webhook.
    """
    try:
        await shrunk(cluster, Shrink(reference, 0))
    except ApiError:
        with suppress(ApiError):
            await delete(cluster, reference)
        raise


async def delete(cluster: Cluster, reference: Reference) -> None:
    """Delete exactly this object; one that is gone is fine."""
    kind = kind_of({"apiVersion": reference.api_version, "kind": reference.kind})
    await cluster.delete(kind, reference.namespace, reference.name, reference.uid)


async def remove(cluster: Cluster, reference: Reference) -> None:
    """Delete an object; where that is refused a workload loses its Pods all the same.

    Raises:
        ApiError: it was refused, such as by somebody's admission webhook.
    """
    try:
        await delete(cluster, reference)
    except ApiError:
        if (reference.api_version, reference.kind) == _WORKLOAD:
            with suppress(ApiError):
                await shrunk(cluster, Shrink(reference, 0))
        raise


async def remove_all(cluster: Cluster, references: Iterable[Reference]) -> CarriedOut:
    """Remove each of these objects, whatever is refused of another; the first refusal is noted."""
    done = CarriedOut()
    for reference in references:
        try:
            await remove(cluster, reference)
        except ApiError as error:
            done.trouble = done.trouble or error
    return done


_WORKLOAD = APPS_DEPLOYMENT.api_version, APPS_DEPLOYMENT.kind


async def delete_all(cluster: Cluster, references: Iterable[Reference]) -> None:
    """Delete exactly these objects; those that are gone are fine."""
    for reference in references:
        await delete(cluster, reference)
