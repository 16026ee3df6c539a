"""An evidence pack: what auditors ask for, each point verified, declared or not covered. Pure.

A point is verified where links of the chain hold that prove it, declared where somebody only said
it, and not covered where nothing here speaks of it. The points are the sections of Annex IV of
Regulation (EU) 2024/1689 and of the Federal Reserve's SR 11-7, in our own words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from typing import Any

from hallmark.api.model_version import ModelVersion
from hallmark.api.report import Report
from hallmark.api.texts import clip
from hallmark.supply_chain.model_card import USE_CASES, card_words
from hallmark.verification.links import Link, State, Subject


class Standing(StrEnum):
    """How a point stands."""

    VERIFIED = "verified"
    DECLARED = "declared"
    NOT_COVERED = "not covered"


class Lacking(StrEnum):
    """What a version may have nothing of, so that a point does not stand; and in which words."""

    PURPOSE = "The sealed model card names no use case."
    GROUPS = "Groups of people were not compared: the run names no sensitive attribute."
    ROBUSTNESS = "Robustness was not measured."
    REQUESTER = "Who asked for it is only declared: he may have been the one who approved it."


@dataclass(frozen=True)
class Point:
    """A section of a rule, and what in the chain speaks of it.

    Args:
        rule: which.
        section: its number.
        asks: what it asks for.
        links: the links that must hold for it to be verified.
        files: names of files in the pack that say it.
        declared: whether those files only tell what somebody declared.
        remark: what is missing, or where it is said.
        also: links that speak of it where they are there.
        without: what it cannot stand without: without its requester a point is declared, without
            anything else not covered.
    """

    rule: str
    section: str
    asks: str
    links: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    declared: bool = False
    remark: str = ""
    also: tuple[str, ...] = ()
    without: tuple[Lacking, ...] = ()


ANNEX_IV = "EU AI Act, Annex IV"
SR_11_7 = "SR 11-7"
_BY_HAND = "To be written by the provider."

POINTS: tuple[Point, ...] = (
    Point(ANNEX_IV, "1", "Description of the system: version, software that it needs",
          ("artifacts", "signature", "SBOM"), ("manifest.json", "sbom"),
          remark="Provider, hardware and instructions are to be written by the provider."),
    Point(ANNEX_IV, "1", "Description of the system: intended purpose, users",
          ("SBOM",), ("sbom",), declared=True, without=(Lacking.PURPOSE,),
          remark="The author's words in the model card, which is sealed."),
    Point(ANNEX_IV, "2(a)-(c)", "Development: methods, design choices, architecture",
          ("run", "provenance"), ("report.json", "manifest.json", "provenance")),
    Point(ANNEX_IV, "2(d)", "Data: provenance, selection, labelling, cleaning",
          ("dataset", "run"), ("report.json", "baseline.json"),
          remark="Fingerprint, schema, quality and personal-data decisions; not how it was got."),
    Point(ANNEX_IV, "2(e)", "Human oversight", ("decision", "approval"), ("registry", "log"),
          remark="Who decided on which bytes, and why."),
    Point(ANNEX_IV, "2(f)", "Predetermined changes", remark=_BY_HAND),
    Point(ANNEX_IV, "2(g)", "Validation and testing: metrics, robustness",
          ("gates", "artifacts"), ("report.json", "report.html"), without=(Lacking.ROBUSTNESS,)),
    Point(ANNEX_IV, "2(g)", "Validation and testing: discrimination",
          ("gates", "artifacts"), ("report.json", "report.html"), without=(Lacking.GROUPS,)),
    Point(ANNEX_IV, "2(h)", "Cybersecurity", ("signature", "SBOM", "artifacts"), ("sbom",)),
    Point(ANNEX_IV, "3", "Monitoring, functioning and control",
          ("gates", "rollout", "drift"), ("report.json", "log"), also=("quality", "stage")),
    Point(ANNEX_IV, "3", "Accuracy for groups of people", ("gates", "artifacts"),
          ("report.json",), also=("quality",), without=(Lacking.GROUPS,)),
    Point(ANNEX_IV, "4", "Why the metrics are appropriate", remark=_BY_HAND),
    Point(ANNEX_IV, "5", "Risk management system", remark=_BY_HAND),
    Point(ANNEX_IV, "6", "Changes through the lifecycle", ("log", "rollout", "stage"),
          ("registry", "log")),
    Point(ANNEX_IV, "7", "Standards applied", remark=_BY_HAND),
    Point(ANNEX_IV, "8", "EU declaration of conformity", remark=_BY_HAND),
    Point(ANNEX_IV, "9", "Post-market monitoring", ("drift", "rollback", "log"), ("log",),
          also=("quality",), remark="As recorded; the plan is the provider's."),
    Point(SR_11_7, "IV", "Development, implementation and use: documentation and testing",
          ("dataset", "run", "gates"), ("report.json", "report.html")),
    Point(SR_11_7, "V.1", "Validation: conceptual soundness", remark=_BY_HAND),
    Point(SR_11_7, "V.2", "Validation: ongoing monitoring", ("drift", "rollout", "stage"),
          ("baseline.json", "log")),
    Point(SR_11_7, "V.3", "Validation: outcomes analysis", ("gates",), ("report.json",),
          also=("quality",), remark="On the test split; of outcomes in use what is on record."),
    Point(SR_11_7, "V.4", "Independence of validation", ("decision", "approval"),
          ("registry", "log"), without=(Lacking.REQUESTER,),
          remark="Nobody approves what he asked for."),
    Point(SR_11_7, "VI.1", "Governance: policies and controls", ("policy",), ("registry",)),
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


def lacking_in(
    version: ModelVersion, report: Report | None, bill: Mapping[str, Any]
) -> set[Lacking]:
    """Return what a version has nothing of.

    Args:
        version: the version.
        report: the sealed one; None where it is not there, which its own links tell.
        bill: the bill of materials, with the words of the model's author.
    """
    has = {
        Lacking.PURPOSE: any(topic == USE_CASES for topic, _ in card_words(bill)),
        Lacking.GROUPS: report is not None and bool(report.fairness),
        Lacking.ROBUSTNESS: report is not None and report.robustness is not None,
        Lacking.REQUESTER: version.spec.requested_by.authenticated,
    }
    return {one for one, there in has.items() if not there}


def answers(
    subjects: Iterable[Subject], files: Sequence[str], lacking: Collection[Lacking] = ()
) -> Iterator[Answer]:
    """Yield how each point stands.

    Args:
        subjects: of the version, its deployments and the whole, as the verifier found them.
        files: the paths of the files that belong to the version.
        lacking: what the version has nothing of.
    """
    found = [link for subject in subjects for link in subject.links]
    for point in POINTS:
        named = tuple(name for name in files if _is_of(name, point.files))
        yield Answer(point, *_standing(point, found, lacking), named)


def _standing(
    point: Point, found: Sequence[Link], lacking: Collection[Lacking]
) -> tuple[Standing, str]:
    """Return how a point stands, and why: of links that hold what they say."""
    if not point.links:
        return Standing.NOT_COVERED, point.remark
    mine = [link for link in found if _is_named(link.name, point.links + point.also)]
    missing = [name for name in point.links if not any(_is_named(m.name, (name,)) for m in mine)]
    if missing:
        return Standing.NOT_COVERED, f"Nothing here is about: {', '.join(missing)}."
    for state, standing in _SHORT.items():
        short = next((link for link in mine if link.state is state), None)
        if short is not None:
            return standing, f"{short.name} ({state}): {short.said}"
    without = [one for one in point.without if one in lacking]
    if any(one is not Lacking.REQUESTER for one in without):
        return Standing.NOT_COVERED, " ".join(without)
    told = [f"{link.name}: {clip(link.said, _SAID)}" for link in mine[:_LINKS]]
    told += [f"and {len(mine) - _LINKS} more"] if len(mine) > _LINKS else []
    why = " ".join([point.remark, *without, "; ".join(told)]).strip()
    return (Standing.DECLARED if point.declared or without else Standing.VERIFIED), why


_SHORT = {State.BROKEN: Standing.NOT_COVERED, State.OPEN: Standing.DECLARED}
"""What a link makes of a point that does not hold; the worst first."""
_LINKS, _SAID = 6, 160
"""So many links are quoted, and so much of each: verification.json has all."""


def _is_named(name: str, wanted: Sequence[str]) -> bool:
    return name.partition(" ")[0] in wanted


def _is_of(path: str, wanted: Sequence[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(
        name == one
        or (one == "sbom" and name.startswith("sbom_"))
        or (one == "registry" and path == "models/registry.json")
        or (one == "log" and path.startswith("logs/"))
        or (one == "provenance" and "/provenance/" in path)
        for one in wanted
    )


def page(
    model: str,
    version: str,
    found: Sequence[Answer],
    subjects: Iterable[Subject],
    digest: str | None,
) -> str:
    """Return the pack's first page, as Markdown.

    Args:
        model: the model's name.
        version: namespace and name of the version.
        found: how each point stands.
        subjects: as of ``answers``; what they say of approval and traffic comes first.
        digest: of the export, or None where it has no index.
    """
    links = [(subject, link) for subject in subjects for link in subject.links]
    lines = [
        f"# Evidence on {model}, version {version}",
        "",
        *(
            f"- {subject.kind} {subject.name}, {link.name} ({link.state}): {_cell(link.said)}"
            for subject, link in links
            if link.name in {"approval", "rollout"} or link.state is State.BROKEN
        ),
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
                lines.append(
                    f"| {answer.point.section} | {answer.point.asks} | "
                    f"**{answer.standing}** | {_cell(answer.why)} | {files} |"
                )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return words, whoever wrote them, as one line that is no markup."""
    return escape(clip(text, 2048), quote=False).replace("|", "/").replace("`", "'")
