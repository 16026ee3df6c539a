"""Runs the served form on the golden rows and compares with what training recorded.

``check_apart`` does it in a process of its own, with limits and without the parent's environment,
so that no file can take the sealing Job down with it. The parent holds the key: it is closed to
this process (``handing_over``). Nothing is ever unpickled.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from pydantic import TypeAdapter

from hallmark.api.files import GOLDEN, MODEL_ONNX, SCHEMA
from hallmark.api.findings import Finding
from hallmark.api.served import Golden, ServedSchema
from hallmark.files import read_whole
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.onnx_form import check_onnx_form

MAX_TOLERANCE = 1e-4
"""A golden file may not ask for a looser comparison than this."""
TIMEOUT = 60.0
"""Seconds that the check may take."""

_MEMORY = 4 * 1024**3
_FINDINGS = TypeAdapter(list[Finding])


def check_golden(schema: ServedSchema, golden: Golden) -> list[Finding]:
    """Return how golden rows and answers do not fit the schema or one another."""
    width, classes = len(schema.features), len(schema.classes)
    rows = len(golden.rows)
    found = []
    if wrong := sum(len(row) != width for row in golden.rows):
        found.append(finding("Golden", f"rows of {width} features", f"{wrong} other rows"))
    if len(golden.probabilities) != rows:
        found.append(finding("Golden", f"{rows} answers", f"{len(golden.probabilities)}"))
    if wrong := sum(len(row) != classes for row in golden.probabilities):
        found.append(finding("Golden", f"answers for {classes} classes", f"{wrong} others"))
    if not 0 < golden.tolerance <= MAX_TOLERANCE:
        found.append(
            finding("Golden", f"a tolerance of at most {MAX_TOLERANCE}", f"{golden.tolerance}")
        )
    return found


def check_served_form(onnx: bytes, schema: ServedSchema, golden: Golden) -> list[Finding]:
    """Return how the served form differs from what training recorded; empty if it does not.

    Args:
        onnx: The bytes of ``model.onnx``.
        schema: Names its input and output.
        golden: Rows (n, features) and the estimator's probabilities (n, classes).
    """
    if found := check_onnx_form(onnx) + check_golden(schema, golden):
        return found
    import numpy as np

    rows = np.array(golden.rows, dtype=np.float32)  # None becomes NaN
    expected = np.array(golden.probabilities, dtype=np.float64)
    try:
        answers = np.asarray(_answers(onnx, schema, rows), dtype=np.float64)
    except Exception as error:  # Whatever the runtime says of a strange file.
        return [finding("Served form", "answers to the golden rows", type(error).__name__)]
    if answers.shape != expected.shape:
        return [
            finding("Served form", f"answers of shape {expected.shape}", f"shape {answers.shape}")
        ]
    difference = float(np.abs(answers - expected).max())
    if not difference <= golden.tolerance:  # NaN is not small either
        return [
            finding(
                "Served form",
                f"the estimator's probabilities within {golden.tolerance}",
                f"a difference of {difference:.3g}",
            )
        ]
    return []


def _answers(onnx: bytes, schema: ServedSchema, rows: object) -> object:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    return session.run([schema.probabilities_name], {schema.input_name: rows})[0]


def check_apart(
    onnx: bytes, schema: bytes, golden: bytes, *, timeout: float = TIMEOUT
) -> list[Finding]:
    """Do ``check_served_form`` in a child process, and take its failure for a refusal.

    Args:
        onnx: The bytes of ``model.onnx``.
        schema: The bytes of ``schema.json``, which were found to be valid.
        golden: The bytes of ``golden.json``, which were found to be valid.
        timeout: Seconds after which the child is stopped.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, data in ((MODEL_ONNX, onnx), (SCHEMA, schema), (GOLDEN, golden)):
            (Path(folder) / name).write_bytes(data)
        try:
            child = subprocess.run(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "hallmark.supply_chain.served_check", folder],
                capture_output=True,
                env={"PYTHONPATH": ":".join(each for each in sys.path if each)},
                timeout=timeout,
                check=False,
                # None is inheritable; and a process that is closed to others cannot list its own.
                close_fds=False,
            )
        except subprocess.TimeoutExpired:
            return [finding("Served form", f"answers within {timeout:g} s", "none")]
    try:
        return _FINDINGS.validate_json(child.stdout)
    except ValueError:
        return [
            finding("Served form", "answers to the golden rows", f"exit code {child.returncode}")
        ]


def main(folder: str) -> None:
    """Check the three files in ``folder`` and write the findings to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    root = Path(folder)
    found = check_served_form(
        read_whole(root / MODEL_ONNX, _MEMORY),
        ServedSchema.model_validate_json(read_whole(root / SCHEMA, _MEMORY)),
        Golden.model_validate_json(read_whole(root / GOLDEN, _MEMORY)),
    )
    sys.stdout.buffer.write(_FINDINGS.dump_json(found, by_alias=True))


if __name__ == "__main__":
    main(sys.argv[1])
