"""A TrainingRun as YAML with a comment on each guess. Pure.

Every text that comes from the table is quoted so that any YAML reader gets it back, whatever it
holds; a comment stays on its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hallmark.api.dataset import Dataset
from hallmark.api.metrics import Gate
from hallmark.api.schema import Feature
from hallmark.local.starter.starter import Starter

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_WORDS = frozenset(
    {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf", "infinity"}
)
"""What some reader takes for something else than text."""
_WIDTH = 100


def starter_text(starter: Starter) -> str:
    """Return the YAML of a run, each guess with its reason."""
    return "\n".join(_lines(starter)) + "\n"


def _lines(starter: Starter) -> Iterator[str]:
    spec, run = starter.run.spec, starter.run
    yield f"# A TrainingRun to begin with, guessed from {starter.rows} rows. Look at each comment."
    for warning in starter.warnings:
        yield from _comment(f"As it is, this will be refused. {warning}", 0)
    yield f"apiVersion: {run.api_version}"
    yield f"kind: {run.kind}"
    yield "metadata:"
    yield f"  name: {run.metadata.name}"
    yield "spec:"
    yield (
        f"  requestedBy: {quoted(spec.requested_by)}  "
        "# in a cluster: you, as its API server knows you"
    )
    yield f"  model: {spec.model}"
    if spec.dataset is not None:
        yield from _dataset(spec.dataset)
    yield from _schema(starter)
    yield from _pii(starter)
    yield from _gates(starter)


def _dataset(dataset: Dataset) -> Iterator[str]:
    yield "  dataset:"
    if dataset.config_map is not None:
        name, key = dataset.config_map.name, dataset.config_map.key
        yield f"    # here: the file beside this one; in a cluster: kubectl create configmap {name}"
        yield f"    # --from-file={key}"
        yield f"    configMap: {{name: {quoted(name)}, key: {quoted(key)}}}"
    if dataset.volume_claim is not None:
        claim = dataset.volume_claim
        yield "    # here: the file beside this one; in a cluster: on this PersistentVolumeClaim,"
        yield "    # or a 'uri' that the ModelPolicy allows"
        yield (
            f"    volumeClaim: {{claimName: {quoted(claim.claim_name)}, "
            f"path: {quoted(claim.path)}}}"
        )
    yield f"    format: {dataset.format.value}"
    if dataset.csv is not None:
        csv = dataset.csv
        yield (
            f"    csv: {{delimiter: {quoted(csv.delimiter)}, quote: {quoted(csv.quote)}, "
            f"encoding: {quoted(csv.encoding.value)}}}  # as the file's beginning shows"
        )


def _schema(starter: Starter) -> Iterator[str]:
    schema = starter.run.spec.schema_
    if schema is None:
        return
    yield "  schema:"
    yield "    target:"
    yield from _reason("name", quoted(schema.target.name), starter.target_why, 6)
    if schema.target.positive is not None:
        yield from _reason("positive", quoted(schema.target.positive), starter.positive_why, 6)
    else:
        yield from _comment(f"no 'positive': {starter.positive_why}", 6)
    if schema.sensitive:
        yield "    # measured for fairness, and no input; an input too if it is also a feature"
        yield "    sensitive:"
        for attribute in schema.sensitive:
            yield f"      # {one_line(starter.sensitive.get(attribute.name, ''))}"
            yield f"      - name: {quoted(attribute.name)}"
            yield from _list("categories", attribute.categories or [], 8)
    if schema.identifiers:
        yield "    # they name a row, so nothing is learned from them"
        yield "    identifiers:"
        for name in schema.identifiers:
            why = one_line(starter.identifiers.get(name, ""))
            yield f"      - {quoted(name)}  # {why}"
    yield "    features:"
    for feature in schema.features:
        yield from _feature(feature, one_line(starter.features.get(feature.name, "")))
    for name, why in starter.left_out.items():
        yield from _comment(f"left out: {quoted(name)}: {why}", 6)


def _feature(feature: Feature, why: str) -> Iterator[str]:
    parts = [f"name: {quoted(feature.name)}", f"type: {feature.type.value}"]
    if feature.nullable:
        parts.append("nullable: true")
    if feature.minimum is not None:
        parts.append(f'minimum: "{feature.minimum}"')
    if feature.maximum is not None:
        parts.append(f'maximum: "{feature.maximum}"')
    if feature.categories is None:
        yield f"      - {{{', '.join(parts)}}}  # {why}"
        return
    yield f"      - {parts[0]}  # {why}"
    yield from (f"        {part}" for part in parts[1:])
    yield from _list("categories", feature.categories, 8)


def _pii(starter: Starter) -> Iterator[str]:
    rules = starter.run.spec.pii.rules
    if not rules:
        yield "  # no personal data was found; if some is, the run is refused"
        yield "  pii: {defaultAction: Refuse}"
        return
    yield "  # columns with personal data are dropped before anything else sees them; Mask keeps a"
    yield "  # pseudonym, and 'allow' (with a reason) keeps what only looks like it"
    yield "  pii:"
    yield "    defaultAction: Refuse"
    yield "    rules:"
    for rule, why in zip(rules, starter.pii, strict=True):
        column = f", column: {quoted(rule.column)}" if rule.column else ""
        yield (
            f"      - {{detector: {rule.detector.value}, action: {rule.action.value}{column}}}"
            f"  # {one_line(why)}"
        )


def _gates(starter: Starter) -> Iterator[str]:
    yield "  # bars that the model must clear, or it is refused"
    yield "  gates:"
    for gate, why, decidable in starter.gates:
        yield from _comment(why, 4)
        yield f"    {'' if decidable else '# '}- {_gate(gate)}"


def _gate(gate: Gate) -> str:
    return (
        f"{{metric: {quoted(gate.metric)}, comparison: {gate.comparison.value}, "
        f'threshold: "{gate.threshold}"}}'
    )


def _reason(key: str, value: str, why: str, indent: int) -> Iterator[str]:
    yield f"{' ' * indent}{key}: {value}  # {one_line(why)}"


def _list(key: str, values: list[str], indent: int) -> Iterator[str]:
    whole = f"{' ' * indent}{key}: [{', '.join(quoted(value) for value in values)}]"
    if len(whole) <= _WIDTH:
        yield whole
        return
    yield f"{' ' * indent}{key}:"
    yield from (f"{' ' * indent}  - {quoted(value)}" for value in values)


def _comment(text: str, indent: int) -> Iterator[str]:
    """Yield a comment, on as many lines as it needs."""
    margin = f"{' ' * indent}# "
    line = ""
    for word in one_line(text).split(" "):
        if line and len(margin) + len(line) + 1 + len(word) > _WIDTH:
            yield margin + line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield margin + line


def one_line(text: str) -> str:
    """Return a text that cannot end a comment: printable, on one line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def quoted(text: str) -> str:
    """Return a text as a YAML scalar that reads as exactly this text, by YAML 1.1 and 1.2."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def _escaped(letter: str) -> str:
    code = ord(letter)
    if letter in '"\\':
        return f"\\{letter}"
    if letter == " " or (letter.isprintable() and code < 0xD800):
        return letter
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
