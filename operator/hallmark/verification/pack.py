"""An evidence pack: what auditors ask for, each point verified, declared or not covered. Pure.

A point is verified where links of the chain hold that prove it, declared where somebody only said
it, and not covered where nothing here speaks of it. The points are the sections of Annex IV of
Regulation (EU) 2024/1689 and of the Federal Reserve's SR 11-7, in our own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hallmark.verification.links import Link, State, Subject


class Standing(StrEnum):
    """How a point stands."""

    VERIFIED = "verified"
    DECLARED = "declared"
    NOT_COVERED = "not covered"


@dataclass(frozen=True)
class Point:
    """A section of a rule, and what in the chain speaks of it.

    Args:
        rule: which.
        section: its number.
        asks: what it asks for.
        links: the links that must hold for it to be verified.
        files: names of files in a version's bundle that say it.
        declared: whether those files only tell what somebody declared.
        remark: what is missing, or where it is said.
    """

    rule: str
    section: str
    asks: str
    links: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    declared: bool = False
    remark: str = ""


ANNEX_IV = "EU AI Act, Annex IV"
SR_11_7 = "SR 11-7"
_BY_HAND = "To be written by the provider."

POINTS: tuple[Point, ...] = (
    Point(ANNEX_IV, "1", "Description of the system: purpose, provider, version",
          ("artifacts", "signature", "record"), ("manifest.json",), declared=True,
          remark="The version is verified; the intended purpose is the provider's word."),
    Point(ANNEX_IV, "2(a)-(c)", "Development: methods, design choices, architecture",
          ("run", "provenance"), ("report.json", "manifest.json")),
    Point(ANNEX_IV, "2(d)", "Data: provenance, selection, labelling, cleaning",
          ("dataset", "run"), ("report.json", "baseline.json"),
          remark="Fingerprint, schema, quality and personal-data decisions; not how it was got."),
    Point(ANNEX_IV, "2(e)", "Human oversight", ("decision", "approval"), (),
          remark="Who approved which bytes, and why."),
    Point(ANNEX_IV, "2(f)", "Predetermined changes", (), (), remark=_BY_HAND),
    Point(ANNEX_IV, "2(g)", "Validation and testing: metrics, robustness, discrimination",
          ("gates", "artifacts"), ("report.json", "report.html")),
    Point(ANNEX_IV, "2(h)", "Cybersecurity", ("signature", "SBOM", "artifacts"), ("sbom",)),
    Point(ANNEX_IV, "3", "Monitoring, functioning and control; accuracy for groups",
          ("gates", "rollout", "drift"), ("report.json",)),
    Point(ANNEX_IV, "4", "Why the metrics are appropriate", (), (), remark=_BY_HAND),
    Point(ANNEX_IV, "5", "Risk management system", (), (), remark=_BY_HAND),
    Point(ANNEX_IV, "6", "Changes through the lifecycle", ("log", "rollout", "stage"), ()),
    Point(ANNEX_IV, "7", "Standards applied", (), (), remark=_BY_HAND),
    Point(ANNEX_IV, "8", "EU declaration of conformity", (), (), remark=_BY_HAND),
    Point(ANNEX_IV, "9", "Post-market monitoring", ("drift", "rollback", "log"), (),
          remark="Drift and rollbacks as recorded; the plan is the provider's."),
    Point(SR_11_7, "IV", "Development, implementation and use: documentation and testing",
          ("dataset", "run", "gates"), ("report.json", "report.html")),
    Point(SR_11_7, "V.1", "Validation: conceptual soundness", (), (), remark=_BY_HAND),
    Point(SR_11_7, "V.2", "Validation: ongoing monitoring", ("drift", "rollout", "stage"),
          ("baseline.json",)),
    Point(SR_11_7, "V.3", "Validation: outcomes analysis", ("gates",), ("report.json",),
          remark="On the test split, before use; outcomes in use are not here."),
    Point(SR_11_7, "V.4", "Independence of validation", ("decision", "approval"), (),
          remark="Nobody approves what he asked for."),
    Point(SR_11_7, "VI.1", "Governance: policies and controls", ("policy",), ()),
    Point(SR_11_7, "VI.2", "Model inventory", ("complete", "record"), ("registry",)),
    Point(SR_11_7, "VI.3", "Documentation and an audit trail", ("log", "record"), ("log",)),
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """A point, how it stands for one version, and why."""

    point: Point
    standing: Standing
    why: str
    files: tuple[str, ...] = field(default=())


def answers(subjects: Iterable[Subject], files: Sequence[str]) -> Iterator[Answer]:
    """Yield how each point stands.

    Args:
        subjects: of the version, its deployments and the whole, as the verifier found them.
        files: the paths of the files that belong to the version.
    """
    found = [link for subject in subjects for link in subject.links]
    for point in POINTS:
        mine = [link for link in found if _is_named(link.name, point.links)]
        named = tuple(name for name in files if _is_of(name, point.files))
        yield _answer(point, mine, named)


def _answer(point: Point, mine: Sequence[Link], files: tuple[str, ...]) -> Answer:
    if not point.links:
        return Answer(point, Standing.NOT_COVERED, point.remark, files)
    short = [link for link in mine if link.state is not State.HOLDS]
    missing = [name for name in point.links if not any(_is_named(m.name, (name,)) for m in mine)]
    if missing:
        why = f"Nothing here is about: {', '.join(missing)}."
        return Answer(point, Standing.NOT_COVERED, why, files)
    if short:
        why = f"{short[0].name}: {short[0].said}"
        return Answer(point, Standing.DECLARED, why, files)
    standing = Standing.DECLARED if point.declared else Standing.VERIFIED
    return Answer(point, standing, point.remark, files)


def _is_named(name: str, wanted: Sequence[str]) -> bool:
    return name.partition(" ")[0] in wanted


def _is_of(path: str, wanted: Sequence[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(
        name == one
        or (one == "sbom" and name.startswith("sbom_"))
        or (one == "registry" and path == "models/registry.json")
        or (one == "log" and path.startswith("logs/"))
        for one in wanted
    )


def page(model: str, version: str, found: Sequence[Answer], digest: str | None) -> str:
    """Return the pack's first page, as Markdown."""
    lines = [
        f"# Evidence on {model}, version {version}",
        "",
        f"Made from the export {digest or 'without an index'}. *Verified*: links of the chain hold "
        "that prove it (`verification.json`). *Declared*: somebody said it, or a link is not "
        "proved. *Not covered*: nothing here speaks of it. This is no legal advice, and no "
        "statement of conformity.",
    ]
    for rule in dict.fromkeys(answer.point.rule for answer in found):
        lines += [
            "",
            f"## {rule}",
            "",
            "| section | asks for | here | why | files |",
            "| --- | --- | --- | --- | --- |",
        ]
        for answer in found:
            if answer.point.rule == rule:
                files = ", ".join(f"`{name}`" for name in answer.files)
                why = answer.why.replace("|", "/").replace("\n", " ")
                lines.append(
                    f"| {answer.point.section} | {answer.point.asks} | "
                    f"**{answer.standing}** | {why} | {files} |"
                )
    return "\n".join(lines) + "\n"
