"""What a bundle must be before it is sealed. Pure: bytes in, findings out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from packaging.utils import canonicalize_name
from pydantic import ValidationError

from hallmark.api.artifacts import Manifest
from hallmark.api.common import FileModel
from hallmark.api.files import (
    BASELINE,
    DOCKERFILE,
    GOLDEN,
    MANIFEST,
    MODEL_ONNX,
    PROGRESS,
    REPORT,
    REPORT_PAGE,
    SCHEMA,
    SLOT_SBOM,
    UPLOAD_SLOTS,
    final_name,
    run_id,
)
from hallmark.api.findings import Finding
from hallmark.api.report import Report
from hallmark.api.served import Baseline, Golden, ServedSchema
from hallmark.api.tasks import SealTask
from hallmark.api.texts import LABEL, SCORE
from hallmark.reporting.page import page
from hallmark.supply_chain.derived import (
    check_cards,
    check_dockerfile,
    check_report_claims,
    check_schema_claims,
    check_serving,
)
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.manifest import FileFact, check_files
from hallmark.supply_chain.onnx_form import check_onnx_form
from hallmark.supply_chain.packages import check_packages, packages_of, python_packages
from hallmark.supply_chain.sbom import MAX_BYTES, SBOM, check_sbom, read_sbom
from hallmark.supply_chain.served_check import check_golden
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark.supply_chain.vulnerabilities import VULNERABILITIES, LookUp

MAX_BUNDLE = 128 * 1024 * 1024
"""The most bytes of all files together that are sealed: they are held in memory."""

_MAX_DOCUMENT = 8 * 1024 * 1024

Document = TypeVar("Document", bound=FileModel)


def slots(run_identity: str) -> dict[str, str]:
    """Return the slot from which each file of a bundle comes, by the file's name."""
    return {
        final_name(slot, run_identity): slot
        for slot in UPLOAD_SLOTS
        if slot not in {MANIFEST, PROGRESS}
    }


def check_manifest(task: SealTask, manifest: Manifest) -> list[Finding]:
    """Return how the manifest is not that of the run to seal, or lists other files than it must."""
    identity = run_id(task.spec_digest, task.dataset_fingerprint, manifest.image_digest)
    pairs = [
        ("namespace", task.namespace, manifest.namespace),
        ("model", task.model, manifest.model),
        ("spec digest", task.spec_digest, manifest.spec_digest),
        ("dataset fingerprint", task.dataset_fingerprint, manifest.dataset_fingerprint),
        ("run id", identity, manifest.run_id),
    ]
    found = [
        finding("Manifest", f"{what} {expected}", got)
        for what, expected, got in pairs
        if expected != got
    ]
    wanted, listed = slots(manifest.run_id).keys(), {each.name for each in manifest.files}
    found += [finding("Manifest", f"the file '{n}'", "no such") for n in sorted(wanted - listed)]
    found += [finding("Manifest", f"no file '{n}'", "it") for n in sorted(listed - wanted)]
    if (size := sum(each.size for each in manifest.files)) > MAX_BUNDLE:
        found.append(finding("Manifest", f"at most {MAX_BUNDLE} bytes of files", f"{size} bytes"))
    return found


def check_bundle(
    task: SealTask,
    manifest: Manifest,
    files: Mapping[str, bytes],
    look_up: LookUp,
    now: datetime,
) -> list[Finding]:
    """Return everything that keeps these bytes from being sealed; empty if nothing does.

    Whether the served form answers as it should is left to ``served_check.check_apart``.

    Args:
        task: What is to be sealed, as the operator says.
        manifest: What the training Job says it made; ``check_manifest`` found nothing.
        files: The bytes of each file, by its name in the bundle.
        look_up: Says which vulnerabilities packages have; asked where the policy wants to know.
        now: The moment of sealing (aware).
    """
    if found := check_files(manifest, {name: FileFact.of(data) for name, data in files.items()}):
        return found
    return [
        *_check_documents(task, manifest, files),
        *check_onnx_form(files[MODEL_ONNX]),
        *check_dockerfile(manifest, files[DOCKERFILE]),
        *_check_sbom(task, manifest, files),
        *_check_packages(task, manifest, files, look_up, now),
    ]


def _check_documents(
    task: SealTask, manifest: Manifest, files: Mapping[str, bytes]
) -> list[Finding]:
    schema = _read(ServedSchema, SCHEMA, files)
    baseline = _read(Baseline, BASELINE, files)
    report = _read(Report, REPORT, files)
    golden = _read(Golden, GOLDEN, files)
    found = [each for each in (schema, baseline, report, golden) if isinstance(each, Finding)]
    if isinstance(report, Report):
        found += _check_report(task, report, files[REPORT_PAGE])
        found += check_report_claims(task, manifest, report)
    if isinstance(schema, ServedSchema):
        found += [*_check_schema(task, schema, baseline), *check_schema_claims(task, schema)]
        if isinstance(golden, Golden):
            found += check_golden(schema, golden)
    return found


def _check_report(task: SealTask, report: Report, shown: bytes) -> list[Finding]:
    found = [
        finding("Gates", f"{each.metric} {each.comparison} {each.threshold}", each.value or "none")
        for each in report.gates
        if not each.passed
    ]
    if report.model != task.model:
        found.append(finding(REPORT, f"a report on '{task.model}'", f"one on '{report.model}'"))
    identity = report.dataset_fingerprint
    if identity is not None and identity != task.dataset_fingerprint:
        found.append(finding(REPORT, f"a report on {task.dataset_fingerprint}", identity))
    if shown != page(report):
        found.append(finding(REPORT_PAGE, f"the page that {REPORT} renders to", "another"))
    return found


def _check_schema(
    task: SealTask, schema: ServedSchema, baseline: Baseline | Finding
) -> list[Finding]:
    found = []
    if schema.model != task.model:
        found.append(finding(SCHEMA, f"a schema of '{task.model}'", f"one of '{schema.model}'"))
    if schema.positive is not None and schema.positive not in schema.classes:
        found.append(finding(SCHEMA, "a positive class among the classes", "another"))
    if isinstance(baseline, Baseline):
        inputs = [each.name for each in schema.features]
        counted = [each.name for each in baseline.features]
        if inputs != counted:
            found.append(
                finding(BASELINE, f"the schema's {len(inputs)} features", f"{len(counted)} others")
            )
        found += _check_predictions(schema, baseline)
    return found


def _check_predictions(schema: ServedSchema, baseline: Baseline) -> list[Finding]:
    """Return how the bins of the model's answers are not the schema's; without any nothing is."""
    region = baseline.region
    if region is not None:
        widths = {len(region.centers), len(region.scales), len(region.reaches)}
        if widths != {len(schema.features)} or min(region.scales) <= 0:
            return [finding(BASELINE, f"a region of {len(schema.features)} features", "another")]
    said = [(each.name, each.categories) for each in baseline.predictions]
    if not said or said == [(SCORE, None), (LABEL, schema.classes)]:
        return []
    expected = f"'{SCORE}', then '{LABEL}' with the schema's {len(schema.classes)} classes"
    return [finding(BASELINE, expected, "other predictions")]


def _check_sbom(task: SealTask, manifest: Manifest, files: Mapping[str, bytes]) -> list[Finding]:
    data = files[final_name(SLOT_SBOM, manifest.run_id)]
    read = read_sbom(data)
    found = check_sbom(
        read,
        model=task.model,
        run_id=manifest.run_id,
        fingerprint=task.dataset_fingerprint,
        files={each.name: each.digest for each in manifest.files},
    )
    if not isinstance(read, SBOM):
        return found
    report = _read(Report, REPORT, files)
    if not isinstance(report, Report):
        return found
    document = parse_object(data, MAX_BYTES)
    return [
        *found,
        *_left_out(read, report),
        *check_cards(task, document, report),
        *check_serving(document),
    ]


def _check_packages(
    task: SealTask,
    manifest: Manifest,
    files: Mapping[str, bytes],
    look_up: LookUp,
    now: datetime,
) -> list[Finding]:
    """Return what the policy has against the packages of the bill and of the report."""
    report = _read(Report, REPORT, files)
    also = report.packages.items() if isinstance(report, Report) else ()
    bill = read_sbom(files[final_name(SLOT_SBOM, manifest.run_id)])
    parts = list(packages_of({"components": [*bill.components]})) if isinstance(bill, SBOM) else []
    rules = task.dependencies.vulnerabilities
    known = look_up({*python_packages(parts), *also}) if rules else None
    found = check_packages(parts, task.dependencies, known, now, also=also)
    # What reviewers may lift is left to them: they can judge sealed bytes alone.
    awaited = rules is not None and rules.vex is not None
    return [one for one in found if not (awaited and one.check == VULNERABILITIES)]


def _left_out(bill: SBOM, report: Report) -> list[Finding]:
    """Return the packages of the report that the bill of materials leaves out."""
    parts = packages_of({"components": [*bill.components]})
    listed = {(canonicalize_name(name), version) for name, version in python_packages(parts)}
    return [
        finding("SBOM", f"the package '{name}' {version}, which {REPORT} has", "no such")
        for name, version in sorted(report.packages.items())
        if (canonicalize_name(name), version) not in listed
    ]


def _read(kind: type[Document], name: str, files: Mapping[str, bytes]) -> Document | Finding:
    """Return a document of the bundle, or where it is not one. Its values stay unsaid."""
    try:
        return kind.model_validate(parse_object(files[name], _MAX_DOCUMENT))
    except UnreadableJSON as error:
        return finding(name, "a JSON object", str(error))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return finding(name, f"a valid '{where}'", first["type"])
