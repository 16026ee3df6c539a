"""From a table to a TrainingRun to begin with; the assay's own checks say what does not fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from hallmark.api.columns import FeatureType
from hallmark.api.common import NamespacedMeta
from hallmark.api.dataset import ConfigMapSource, CSVDialect, DataFormat, Dataset, VolumeClaimSource
from hallmark.api.findings import Finding
from hallmark.api.metrics import Gate
from hallmark.api.pii import PII, PIIAction, PIIDetector, PIIRule
from hallmark.api.report import ColumnDecision
from hallmark.api.schema import Feature, Schema, SensitiveAttribute, Target
from hallmark.api.texts import clip
from hallmark.api.trainer import Trainer
from hallmark.api.training_run import TrainingRun, TrainingRunSpec
from hallmark.data import conversion, pii, schema
from hallmark.data.declaration import check_declaration
from hallmark.data.table import declared_columns
from hallmark.errors import ConfigurationError
from hallmark.local.starter.choices import (
    TargetGuess,
    choose_gates,
    choose_sensitive,
    choose_target,
)
from hallmark.local.starter.columns import ColumnGuess, guess_column, is_nameable
from hallmark.local.starter.files import format_of, read_table

MAX_FEATURES = 256
MAX_IDENTIFIERS = 16
_CONFIG_MAP_BYTES = 1_000_000
"""A ConfigMap holds no more."""
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_MODEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,47}[a-z0-9])?")
"""With ``-v1`` behind it, it is a run's name of at most 52."""
_MOST_USER = 253
_ROUNDS = 4
_TOLD = 3


@dataclass(frozen=True)
class Starter:
    """A run to begin with, and the reason of each guess.

    Attributes:
        run: The whole run.
        rows: How many rows the table has.
        target_why: Why this is the target.
        positive_why: Why this class is the positive one.
        features: By name.
        left_out: Columns that are not used, by name.
        sensitive: By name.
        identifiers: By name.
        pii: In the order of the rules.
        gates: Gates with their reasons; the last says whether it is set or only proposed.
        warnings: What will refuse the run as it is.
    """

    run: TrainingRun
    rows: int
    target_why: str
    positive_why: str
    features: dict[str, str]
    left_out: dict[str, str]
    sensitive: dict[str, str]
    identifiers: dict[str, str]
    pii: list[str]
    gates: list[tuple[Gate, str, bool]]
    warnings: list[str] = field(default_factory=list)


def make_starter(
    file: Path, requested_by: str, *, model: str | None = None, target: str | None = None
) -> Starter:
    """Return a run to begin with for a file.

    Args:
        file: A table.
        requested_by: Who asks for the run.
        model: The model's name; absent: made of the file's.
        target: The column to predict; absent: the likeliest.

    Raises:
        ConfigurationError: the file cannot be read, nothing in it can be predicted, or a word of
            the caller's cannot stand in a run.
    """
    _check_words(file, requested_by, model)
    data_format = format_of(file)
    raw, dialect = read_table(file, data_format)
    found = [guess_column(series, n) for n, series in enumerate(raw.get_columns(), start=1)]
    private = _personal(raw, found)
    open_columns = [column for column in found if column.name not in private.columns]
    guess = choose_target(open_columns, target)
    sensitive = choose_sensitive(open_columns, guess.target.name)
    declared = _declare(open_columns, guess, sensitive)
    declared = _without_refused(raw.drop(private.columns), declared)
    gates = choose_gates(guess, sensitive, float(Trainer().test_fraction))
    name = model or _model_name(file)
    spec = TrainingRunSpec(
        model=name,
        dataset=_dataset(file, data_format, dialect),
        schema_=declared.schema,
        pii=PII(rules=private.rules),
        gates=[gate for gate, _, decidable in gates if decidable],
        requested_by=requested_by,
    )
    return Starter(
        run=TrainingRun(metadata=NamespacedMeta(name=f"{name}-v1", namespace="default"), spec=spec),
        rows=raw.height,
        target_why=guess.why,
        positive_why=guess.positive_why,
        features=declared.reasons,
        left_out={**declared.left_out, **private.columns},
        sensitive={
            attribute.name: f"its name; {len(column.classes)} groups, the rarest of "
            f"{column.classes[0][1]} rows"
            for attribute, column in sensitive
        },
        identifiers=declared.identifiers,
        pii=private.reasons,
        gates=gates,
        warnings=declared.warnings,
    )


def by_reason(columns: Mapping[str, str]) -> list[str]:
    """Return a line for each reason with the columns that have it.

    Args:
        columns: The reasons by column. Names that a schema cannot name are not told: without a
            header they are values.
    """
    named: dict[str, list[str]] = {}
    for name, why in columns.items():
        named.setdefault(why, []).append(f"'{name}'" if is_nameable(name) else "a column")
    return [f"{_some(names)}: {why}" for why, names in named.items()]


def _some(names: Sequence[str]) -> str:
    told = names[:_TOLD]
    more = len(names) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _check_words(file: Path, requested_by: str, model: str | None) -> None:
    """Refuse what cannot stand in a run as it was given.

    Raises:
        ConfigurationError: it says which word, and what it may be.
    """
    if model is not None and not _MODEL.fullmatch(model):
        raise ConfigurationError(
            "--model: expected at most 49 lower-case letters, digits and '-', neither the first "
            f"nor the last a '-', found {clip(model, 60)!r}."
        )
    if len(requested_by) > _MOST_USER or not _is_text(requested_by):
        raise ConfigurationError(
            f"--requested-by: expected a name of at most {_MOST_USER} characters in UTF-8, found "
            f"{clip(requested_by, 60)!r}."
        )
    if not _is_text(file.name):
        raise ConfigurationError(
            f"Expected a file whose name is UTF-8, as it stands in the run, found "
            f"{clip(file.name, 60)!r}; rename it."
        )


def _is_text(word: str) -> bool:
    """Tell whether a word of the command line was in UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


# -- personal data ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Private:
    """The columns with personal data, the rules that drop them, and why."""

    columns: dict[str, str]
    rules: list[PIIRule]
    reasons: list[str]


def _personal(raw: pl.DataFrame, found: Sequence[ColumnGuess]) -> _Private:
    """Return what the personal-data guard finds in any column."""
    nameable = [column.name for column in found if column.nameable]
    if not nameable:
        raise ConfigurationError(
            "Expected a first line with the columns' names (letters, digits, '_'), found none "
            "that a schema can name; write one."
        )
    any_schema = Schema(
        features=[Feature(name=nameable[0], type=FeatureType.NUMBER)],
        target=Target(name=nameable[-1]),
    )
    guarded = pii.guard(raw, any_schema, PII(default_action=PIIAction.REFUSE))
    columns: dict[str, str] = {}
    rules: dict[tuple[str, str | None], tuple[PIIRule, str]] = {}
    for decision in guarded.decisions:
        rule, why = _rule(decision, nameable)
        rules.setdefault((rule.detector, rule.column), (rule, why))
        if decision.column in raw.columns:
            columns.setdefault(decision.column, f"personal data: {why}")
    for name in guarded.private - columns.keys():
        columns[name] = "personal data; its name cannot be told"
    ordered = sorted(rules.values(), key=lambda pair: (pair[0].detector, pair[0].column or ""))
    return _Private(columns, [rule for rule, _ in ordered[:64]], [why for _, why in ordered[:64]])


def _rule(decision: ColumnDecision, nameable: Sequence[str]) -> tuple[PIIRule, str]:
    detector = PIIDetector(decision.detector)
    column = decision.column if decision.column in nameable else None
    where = "" if column else f" in {decision.column}"
    why = f"{decision.count} cells look like {detector}{where}"
    return PIIRule(detector=detector, action=PIIAction.DROP, column=column), why


# -- the schema -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Declared:
    """A schema with the reason of each column in it or out of it."""

    schema: Schema
    reasons: dict[str, str]
    identifiers: dict[str, str]
    left_out: dict[str, str]
    warnings: list[str] = field(default_factory=list)


def _declare(
    columns: Sequence[ColumnGuess],
    target: TargetGuess,
    sensitive: Sequence[tuple[SensitiveAttribute, ColumnGuess]],
) -> _Declared:
    taken = {target.target.name, *(attribute.name for attribute, _ in sensitive)}
    usable = [column for column in columns if column.feature and column.name not in taken]
    features = usable[:MAX_FEATURES]
    identifiers = [column for column in columns if column.identifier][:MAX_IDENTIFIERS]
    if not features:
        raise ConfigurationError(_nothing_to_learn_from(columns, target.target.name))
    declared = {*taken, *(column.name for column in (*features, *identifiers))}
    too_many = {column.name: f"more than {MAX_FEATURES} features" for column in usable}
    return _Declared(
        Schema(
            features=[column.feature for column in features if column.feature],
            target=target.target,
            sensitive=[attribute for attribute, _ in sensitive],
            identifiers=[column.name for column in identifiers],
        ),
        {column.name: column.why for column in features},
        {column.name: column.why for column in identifiers},
        {
            column.name: too_many.get(column.name, column.why)
            for column in columns
            if column.name not in declared
        },
    )


def _nothing_to_learn_from(columns: Sequence[ColumnGuess], target: str) -> str:
    """Say why none of the columns can be a feature; only those that a schema can name are named."""
    told = by_reason({column.name: column.why for column in columns if column.name != target})[:3]
    return (
        f"Expected columns to learn '{target}' from, found none that can be a feature "
        f"({'; '.join(told) or 'there is no other'}). Put that right, or name another target with "
        "--target."
    )


def _without_refused(raw: pl.DataFrame, declared: _Declared) -> _Declared:
    """Leave out the features that the assay would refuse, with its sentences as the reasons."""
    for _ in range(_ROUNDS):
        refusals = _refusals(raw, declared.schema)
        names = {feature.name for feature in declared.schema.features}
        wrong = {
            finding.column: finding.sentence() for finding in refusals if finding.column in names
        }
        if not wrong or len(wrong) == len(names):
            break
        declared = _leave_out(declared, {str(name): why for name, why in wrong.items()})
    warnings = [finding.sentence() for finding in _refusals(raw, declared.schema)]
    return _Declared(
        declared.schema, declared.reasons, declared.identifiers, declared.left_out, warnings
    )


def _refusals(raw: pl.DataFrame, declared: Schema) -> list[Finding]:
    """Return what the assay says against a schema."""
    converted = conversion.convert(raw, declared_columns(declared))
    found = [*check_declaration(declared), *converted.findings]
    if converted.table is not None:
        found += schema.validate(converted.table, declared).refusals
    return found


def _leave_out(declared: _Declared, wrong: dict[str, str]) -> _Declared:
    features = [found for found in declared.schema.features if found.name not in wrong]
    return _Declared(
        declared.schema.replace(features=features),
        {name: why for name, why in declared.reasons.items() if name not in wrong},
        declared.identifiers,
        {**declared.left_out, **wrong},
    )


# -- names and places -------------------------------------------------------------------------


def _dataset(file: Path, data_format: DataFormat, dialect: CSVDialect | None) -> Dataset:
    """Return where the rows are: a ConfigMap where they fit into one, else a volume."""
    small = file.stat().st_size <= _CONFIG_MAP_BYTES and data_format is not DataFormat.PARQUET
    if small and _KEY.fullmatch(file.name) and file.name not in {".", ".."}:
        source = ConfigMapSource(name=_model_name(file), key=file.name)
        return Dataset(config_map=source, format=data_format, csv=dialect)
    claim = VolumeClaimSource(claim_name="datasets", path=file.name)
    return Dataset(volume_claim=claim, format=data_format, csv=dialect)


def _model_name(file: Path) -> str:
    """Return a name for the model, made of the file's."""
    stem = file.name.partition(".")[0].lower()
    name = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:40].strip("-")
    return name or "model"
