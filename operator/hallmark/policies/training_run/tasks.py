"""What a run's training and sealing Job are told."""

from __future__ import annotations

from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.tasks import SealTask, TrainTask
from hallmark.api.training_run import spec_digest, told_spec
from hallmark.policies.training_run.inputs import RunInputs


def train_task(inputs: RunInputs, policy: ModelPolicySpec) -> TrainTask:
    """Return what a training Job is told."""
    run = inputs.run
    # A Job that is resumed keeps its image: a Pod template cannot change.
    image = inputs.job.image if inputs.job else policy.images.trainer
    return TrainTask(
        namespace=run.metadata.namespace,
        run_name=run.metadata.name,
        run_uid=run.metadata.uid,
        spec=run.spec,
        spec_digest=spec_digest(run.spec),
        floors=policy.gates,
        allowed_pii_actions=policy.pii.allowed_actions,
        allowable_pii=policy.pii.allowable,
        quote_numbers=policy.pii.quote_numbers,
        allowed_sources=policy.sources.allowed,
        allow_private_addresses=policy.sources.allow_private_addresses,
        source_endpoint=policy.sources.endpoint,
        read_limits=policy.sources.limits,
        image=image,
    )


def seal_task(inputs: RunInputs, policy: ModelPolicySpec) -> SealTask:
    """Return what a sealing Job is told."""
    run = inputs.run
    return SealTask(
        namespace=run.metadata.namespace,
        model=run.spec.model,
        run_name=run.metadata.name,
        run_uid=run.metadata.uid,
        manifest_digest=run.status.manifest_digest or "",
        spec_digest=spec_digest(run.spec),
        dataset_fingerprint=run.status.dataset_fingerprint or "",
        dependencies=policy.dependencies,
        spec=told_spec(run.spec, run.status.dataset_fingerprint or ""),
        image=policy.images.sealer,
        store_uri=policy.store.uri,
        store_endpoint=policy.store.endpoint,
        store_region=policy.store.region,
    )
