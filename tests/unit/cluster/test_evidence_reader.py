"""Sealed files are read beside the decisions; a store that hangs holds up no other version."""

from __future__ import annotations

import asyncio

from hallmark.bundles.evidence import EvidenceMemory
from hallmark.cluster.cache import Key
from hallmark.cluster.evidence_reader import AT_ONCE, EvidenceReader
from hallmark.policies.model_version.inputs import VersionInputs
from tests.unit.policies.training_run.runs import NOW, bundle, policy, version


async def test_a_store_that_hangs_holds_up_no_version_of_another() -> None:
    ended, hanging, woken = asyncio.Event(), set[str](), list[Key]()

    async def read(inputs: VersionInputs) -> VersionInputs:
        if "hangs" in inputs.version.metadata.name:
            hanging.add(inputs.version.metadata.uid)
            await ended.wait()
        return inputs

    reader = EvidenceReader(
        EvidenceMemory(), read, woken.append, repr, clock=lambda: NOW, feed=lambda: None
    )
    for number in range(100):
        reader.add_to(asked("s3://hangs", f"hangs-{number}"))
    for number in range(2 * AT_ONCE):
        reader.add_to(asked("s3://answers", f"answers-{number}"))
    async with asyncio.timeout(20):
        while len(woken) < 2 * AT_ONCE:
            await asyncio.sleep(0.01)
    assert all("answers" in key.name for key in woken)
    assert len(hanging) == AT_ONCE, "but not without a bound"
    ended.set()
    await reader.settle()
    assert len(woken) == 100 + 2 * AT_ONCE


def asked(store: str, name: str) -> VersionInputs:
    """Return a version under a policy with that store."""
    return VersionInputs(
        version=version(uid=name, name=name),
        now=NOW,
        policy_name="default",
        policy=policy(store={"uri": store}),
        manifest=bundle().evidence.manifest,
        report=bundle().report,
    )
