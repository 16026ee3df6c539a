"""The Dockerfile of an image that serves one model by itself: verified, and without a download."""

from __future__ import annotations

import re

from hallmark.api.files import SERVED_FILES, SLOT_SBOM, final_name
from hallmark.errors import ConfigurationError

TRUST = "trust.json"
"""Beside the served files in the image: whose seal and approvals count there."""
MODEL_FOLDER = "/opt/model"
_RUN_ID = re.compile(r"[a-f0-9]{12}")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}")

_TEMPLATE = """\
# Serves the model of run {run_id} by itself. 'hallmark image' writes the files that it copies.
# BASE is Hallmark's predictor image; it and the model are named by digest (64 hex digits):
#   docker build --build-arg BASE=<registry>/hallmark-predictor --build-arg BASE_SHA256=<hex> \\
#     --build-arg MANIFEST_SHA256=<hex> .
ARG BASE
ARG BASE_SHA256
FROM ${{BASE}}@sha256:${{BASE_SHA256}}
ARG MANIFEST_SHA256
LABEL dev.hallmark.run-id="{run_id}" \\
      dev.hallmark.dataset="{dataset}" \\
      dev.hallmark.sbom="{sbom}" \\
      dev.hallmark.manifest="sha256:${{MANIFEST_SHA256}}"
COPY --chown=0:0 --chmod=0444 [{copies}, "{folder}/"]
USER 65532:65532
# The packages of the image are those that the bill of materials lists, or there is no image.
RUN ["/opt/venv/bin/python3", "-m", "hallmark_predictor.contents", "{folder}/{bill}"]
EXPOSE 8080
HEALTHCHECK CMD ["/opt/venv/bin/python3", "-m", "hallmark_predictor.health"]
ENTRYPOINT ["/opt/venv/bin/python3", "-m", "hallmark_predictor", \\
            "--bundle={folder}", "--trust={folder}/{trust}"]
CMD []
"""


def render_dockerfile(*, run_id: str, dataset: str, sbom: str) -> bytes:
    """Return the Dockerfile's bytes: the same for the same arguments.

    It starts from the predictor's image by digest, needs no shell and no network, and runs as uid
    65532, also while it is built.

    Args:
        run_id: 12 hex digits.
        dataset: The fingerprint of the rows.
        sbom: The digest of the bill of materials.

    Raises:
        ConfigurationError: One of them has another form, and could hold another instruction.
    """
    _require(_RUN_ID, "run id", run_id)
    _require(_DIGEST, "fingerprint", dataset)
    _require(_DIGEST, "digest", sbom)
    bill = final_name(SLOT_SBOM, run_id)
    return _TEMPLATE.format(
        run_id=run_id,
        dataset=dataset,
        sbom=sbom,
        copies=", ".join(f'"{name}"' for name in sorted(context_files(run_id))),
        folder=MODEL_FOLDER,
        bill=bill,
        trust=TRUST,
    ).encode()


def context_files(run_id: str) -> list[str]:
    """Return the names of the files that the Dockerfile copies."""
    return [*SERVED_FILES, final_name(SLOT_SBOM, run_id), TRUST]


def _require(pattern: re.Pattern[str], what: str, text: str) -> None:
    if not pattern.fullmatch(text):
        raise ConfigurationError(
            f"The Dockerfile needs a {what} of the form {pattern.pattern}; found {text[:64]!r}."
        )
