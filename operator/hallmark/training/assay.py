"""The assay: a task and a dataset's bytes in, a refusal or sealed-to-be artifacts out. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from hallmark.api.dataset import Dataset
from hallmark.api.findings import Finding
from hallmark.api.gates import ambiguous_attributes, unknown_metrics
from hallmark.api.schema import Schema
from hallmark.api.tasks import TrainStage, TrainTask
from hallmark.data import (
    anomalies,
    conversion,
    declaration,
    measures,
    pii,
    quality,
    readers,
    schema,
)
from hallmark.data.fingerprint import fingerprint
from hallmark.data.sources import source_name
from hallmark.data.table import Table, declared_columns
from hallmark.training.dataset import Announce, ValidatedDataset
from hallmark.training.outcome import Artifacts, RefusedRun, refuse


def assay(task: TrainTask, data: bytes | BinaryIO, announce: Announce) -> RefusedRun | Artifacts:
    """Return the artifacts of a model that was validated, trained and gated, or a refusal.

    Args:
        task: What to do.
        data: The dataset's file, open, or its bytes.
        announce: Told of each stage.
    """
    dataset = validate_dataset(task, data, announce)
    if isinstance(dataset, RefusedRun):
        return dataset
    announce(TrainStage.TRAIN, 40, "Loading the estimator.")
    from hallmark.training.model import train  # seconds of imports, wasted if the data are refused

    return train(task, dataset, announce)


def validate_dataset(
    task: TrainTask, data: bytes | BinaryIO, announce: Announce
) -> RefusedRun | ValidatedDataset:
    """Return the checked rows; the personal-data guard is first, before anything sees a value."""
    spec = task.spec
    if spec.schema_ is None or spec.dataset is None:
        return refuse(TrainStage.DATA, "Schema: expected a schema and a dataset, found none.")
    unknown = ambiguous_attributes(spec) or unknown_metrics(spec, task.floors)
    if unknown:
        return refuse(TrainStage.DATA, unknown)
    wrong = declaration.check_declaration(spec.schema_)
    if wrong:
        return refuse(TrainStage.DATA, wrong)
    guarded = _read(task, spec.dataset, spec.schema_, data, announce)
    if isinstance(guarded, RefusedRun):
        return guarded
    announce(TrainStage.DATA, 25, "Checking the rows against the schema.")
    # Whoever may read the run need not be one who may read the data.
    hidden = guarded.private if task.quote_numbers else frozenset(guarded.frame.columns)
    converted = conversion.convert(guarded.frame, declared_columns(spec.schema_, hidden))
    # What was read is as large as the table, and not needed any more.
    guarded = replace(guarded, frame=guarded.frame.clear())
    return _validate(spec.schema_, spec.dataset.fingerprint, guarded, converted)


def _read(
    task: TrainTask, dataset: Dataset, declared: Schema, data: bytes | BinaryIO, announce: Announce
) -> RefusedRun | pii.Guarded:
    announce(TrainStage.SOURCE, 10, "Reading the rows.")
    raw = readers.read(
        data,
        dataset.format,
        task.read_limits,
        dialect=dataset.csv,
        declared={column.name: column.type for column in declared_columns(declared)},
        file=source_name(dataset),
    )
    if isinstance(raw, tuple):
        return refuse(TrainStage.SOURCE, raw)
    announce(TrainStage.PII, 15, "Looking for personal data.")
    rule = pii.check_rule(task.spec.pii, task.allowed_pii_actions, task.allowable_pii)
    guarded = pii.guard(raw, declared, task.spec.pii)
    if rule or guarded.refusals:
        return refuse(TrainStage.PII, [*rule, *guarded.refusals])
    return guarded


def _validate(
    declared: Schema, expected: str | None, guarded: pii.Guarded, converted: conversion.Conversion
) -> RefusedRun | ValidatedDataset:
    table = converted.table
    if table is None:
        return refuse(TrainStage.DATA, converted.findings)
    # Pseudonyms differ between equal runs, and the fingerprint must not.
    lasting = tuple(column for column in table.columns if column.name not in guarded.masked)
    identity = fingerprint(Table(lasting))
    if expected and not converted.findings and identity != expected:
        wrong = Finding(check="Fingerprint", expected=expected, found=identity)
        return refuse(TrainStage.FINGERPRINT, [wrong], fingerprint=identity)
    validation = schema.validate(table, declared, guarded.undeclared)
    parts = quality.quality_parts(table, validation, wrong_types=converted.wrong_types)
    score = quality.quality_score(parts)
    if converted.findings or validation.refusals:
        return refuse(
            TrainStage.DATA,
            [*converted.findings, *validation.refusals],
            fingerprint=None if converted.findings else identity,
            quality=f"{score:.2f}",
        )
    outliers = anomalies.outliers(table)
    return ValidatedDataset(
        schema=declared,
        table=table,
        fingerprint=identity,
        quality=score,
        quality_parts=tuple(parts),
        remarks=(*guarded.remarks, *validation.remarks, *outliers.findings),
        pii=guarded.decisions,
        metrics=measures.data_metrics(table.rows, validation, parts, outliers),
        validation=validation,
    )
