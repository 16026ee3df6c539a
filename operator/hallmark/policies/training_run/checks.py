"""The checks that a TrainingRun must pass before anything is made for it."""

from __future__ import annotations

from datetime import timedelta

from hallmark.api import names
from hallmark.api.gates import ambiguous_attributes, unknown_metrics
from hallmark.api.pii import PIIAction
from hallmark.api.reasons import RunReason
from hallmark.api.texts import canonical_json, parse_duration
from hallmark.policies.training_run.inputs import RunInputs
from hallmark.refusal import Refusal

LONGEST_DEADLINE = timedelta(days=6)
"""Presigned URLs end after seven days at most."""
SPEC_BYTES = 960 * 1024
"""Of a spec in a task, beside what the policy adds: a ConfigMap holds 1 MiB."""


def policy_is_there(inputs: RunInputs) -> Refusal | None:
    """A ModelPolicy applies to the namespace."""
    if inputs.policy is not None:
        return None
    return Refusal(
        RunReason.POLICY_MISSING,
        f"Expected the ModelPolicy '{inputs.policy_name}' for namespace "
        f"'{inputs.run.metadata.namespace}', found none; ask the platform team to create it.",
    )


def dataset_and_schema_are_there(inputs: RunInputs) -> Refusal | None:
    """Both are there, and the dataset has exactly one source."""
    spec = inputs.run.spec
    if spec.dataset is None or spec.schema_ is None:
        return Refusal(
            RunReason.INVALID_SPEC, "Expected 'dataset' and 'schema', found one missing."
        )
    data = spec.dataset
    sources = [data.uri, data.volume_claim, data.config_map, data.records]
    count = sum(source is not None for source in sources)
    if count == 1:
        return None
    return Refusal(
        RunReason.INVALID_SPEC,
        f"Expected exactly one of 'uri', 'volumeClaim', 'configMap' and 'records' in 'dataset', "
        f"found {count}.",
    )


def columns_are_distinct(inputs: RunInputs) -> Refusal | None:
    """No feature is there twice, and the target is no feature."""
    schema = inputs.run.spec.schema_
    if schema is None:
        return None
    features = [feature.name for feature in schema.features]
    twice = next((name for name in features if features.count(name) > 1), None)
    if twice is not None:
        return Refusal(
            RunReason.INVALID_SPEC, f"Expected each feature once, found '{twice}' more often."
        )
    if schema.target.name in features:
        return Refusal(
            RunReason.INVALID_SPEC,
            f"Expected a target that is no feature, found '{schema.target.name}' in both; the "
            f"model would read its own answer.",
        )
    return None


def gates_name_what_is_measured(inputs: RunInputs) -> Refusal | None:
    """Every gate, the run's and the policy's, names a metric that training measures."""
    floors = inputs.policy.spec.gates if inputs.policy else ()
    wrong = ambiguous_attributes(inputs.run.spec) or unknown_metrics(inputs.run.spec, floors)
    return Refusal(RunReason.INVALID_SPEC, wrong) if wrong else None


def spec_fits_a_task(inputs: RunInputs) -> Refusal | None:
    """The Jobs' tasks, which hold the spec, fit into ConfigMaps; etcd takes a larger run."""
    size = len(canonical_json(inputs.run.spec.to_wire()))
    if size <= SPEC_BYTES:
        return None
    return Refusal(
        RunReason.INVALID_SPEC,
        f"Expected a spec of at most {SPEC_BYTES} bytes as JSON, found {size}; name fewer or "
        f"shorter categories, or give the column as a number.",
    )


def deadline_is_possible(inputs: RunInputs) -> Refusal | None:
    """The deadline is longer than zero and shorter than presigned URLs live."""
    asked = parse_duration(inputs.run.spec.active_deadline)
    if timedelta(0) < asked <= LONGEST_DEADLINE:
        return None
    return Refusal(
        RunReason.INVALID_SPEC,
        f"Expected an 'activeDeadline' above 0s and up to 144h, found "
        f"'{inputs.run.spec.active_deadline}'.",
    )


def source_is_allowed(inputs: RunInputs) -> Refusal | None:
    """The policy lists a prefix of the dataset's URL."""
    uri = inputs.run.spec.dataset.uri if inputs.run.spec.dataset else None
    if uri is None or inputs.policy is None:
        return None
    allowed = inputs.policy.spec.sources.allowed
    if any(uri.startswith(prefix) for prefix in allowed):
        return None
    listed = ", ".join(allowed) or "none"
    return Refusal(
        RunReason.SOURCE_REFUSED,
        f"Expected a dataset below one of the policy's sources ({listed}), found '{uri[:256]}'; "
        f"use another source or ask the platform team to allow it.",
    )


def pii_actions_are_allowed(inputs: RunInputs) -> Refusal | None:
    """The run asks for no weaker treatment of personal data than the policy allows."""
    if inputs.policy is None:
        return None
    pii, policy = inputs.run.spec.pii, inputs.policy.spec.pii
    actions: list[PIIAction] = [pii.default_action, *(rule.action for rule in pii.rules)]
    for action in actions:
        if action not in policy.allowed_actions:
            return Refusal(
                RunReason.INVALID_SPEC,
                f"Expected one of the policy's actions on personal data "
                f"({', '.join(policy.allowed_actions)}), found '{action}' in 'pii'.",
            )
    for one in pii.allow:
        if one.detector not in policy.allowable:
            return Refusal(
                RunReason.INVALID_SPEC,
                f"Expected 'pii.allow' to name kinds of personal data that the policy lets a run "
                f"allow ({', '.join(policy.allowable) or 'none'}), found '{one.detector}' for "
                f"column '{one.column}'.",
            )
    return None


def is_not_where_the_keys_are(inputs: RunInputs) -> Refusal | None:
    """The run is not in the operator's namespace, whose Secrets nobody's training may mount."""
    if inputs.run.metadata.namespace != inputs.system:
        return None
    return Refusal(
        RunReason.SYSTEM_NAMESPACE,
        f"Expected a run in a namespace of its authors, found it in '{inputs.system}', where the "
        f"operator and its keys are; create it in another namespace.",
    )


def dataset_is_there(inputs: RunInputs) -> Refusal | None:
    """What the dataset names exists."""
    for found in inputs.mounted:
        if found.labels is None:
            return Refusal(
                RunReason.DATASET_MISSING,
                f"Expected the {found.kind} '{found.name}' that 'dataset' names, found none in "
                f"this namespace (yet); create it with the label {OFFER}.",
            )
    return None


def dataset_is_offered(inputs: RunInputs) -> Refusal | None:
    """Who owns what the dataset names offers it to runs, whose authors may not read it."""
    for found in inputs.mounted:
        if found.labels is None or found.labels.get(names.LABEL_DATASET) != OFFERED:
            return Refusal(
                RunReason.DATASET_NOT_OFFERED,
                f"Expected the label {OFFER} on the {found.kind} '{found.name}' that 'dataset' "
                f"names, found it without; who may change it can offer it to the authors of runs "
                f"in this namespace by 'kubectl label {found.kind.lower()} {found.name} "
                f"{names.LABEL_DATASET}={OFFERED}'.",
            )
    return None


OFFERED = "true"
OFFER = f"{names.LABEL_DATASET}: {OFFERED!r}"
DATASET = (dataset_is_there, dataset_is_offered)
"""May pass later, when somebody makes or labels an object that no watch brings."""
BEFORE_TRAINING = (
    dataset_and_schema_are_there,
    columns_are_distinct,
    gates_name_what_is_measured,
    spec_fits_a_task,
    deadline_is_possible,
    source_is_allowed,
    pii_actions_are_allowed,
    *DATASET,
)
