"""``report.html``: the report on one page for people, the same bytes for the same report.

Self-contained: its policy forbids everything but its own style, so that it can be opened from
anywhere without trust. Every text is escaped; every chart has the same numbers in a table.
"""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from hallmark.api.report import Report
from hallmark.reporting import assay, data
from hallmark.reporting.parts import count, number, visible

TEMPLATES = Environment(
    loader=PackageLoader("hallmark.reporting"),
    autoescape=True,
    finalize=visible,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(count=count, number=number)


def page(report: Report) -> bytes:
    """Return the page of a report, UTF-8."""
    fairness = assay.fairness(report)
    text = TEMPLATES.get_template("page.html").render(
        report=report,
        gates=assay.gates(report.gates),
        metrics=assay.metrics(report),
        calibration=assay.calibration(report.calibration),
        attributes=[found for found in fairness if " x " not in found.attribute],
        pairs=[found for found in fairness if " x " in found.attribute],
        proxies=assay.proxies(report.proxies),
        robustness=assay.robustness(report.robustness),
        quality=data.quality(report),
        counted=data.counted(report, report.data) if report.data else None,
        measured=data.measured(report),
        leakage=data.leakage(report.data.leakage) if report.data else None,
        personal=data.personal(report.pii),
        origin=assay.origin(report),
        parameters=assay.named(("parameter", "value"), report.parameters),
        packages=assay.named(("package", "version"), report.packages),
    )
    return text.encode()
