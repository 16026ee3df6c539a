"""The Dockerfile is hardened, pinned, the same each time, and takes no injected line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hallmark.errors import ConfigurationError
from hallmark.supply_chain.dockerfile import render_dockerfile

GOOD: dict[str, Any] = {
    "run_id": "0123456789ab",
    "packages": {"Numpy": "2.4.6", "onnxruntime": "1.32.0", "hallmark-operator": "0.1.0"},
    "files": ["schema.json", "model.onnx"],
}


def instructions(text: str) -> list[list[str]]:
    """Return the instructions, continuation lines joined, as [word, rest]."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line.split(" ", 1) for line in lines if line and not line.startswith("#")]


def test_it_is_pinned_shell_free_and_not_root() -> None:
    steps = instructions(render_dockerfile(**GOOD).decode())
    assert ["FROM", "${BASE}@sha256:${BASE_SHA256}"] in steps
    run = json.loads(next(rest for word, rest in steps if word == "RUN"))
    assert run[-2:] == ["numpy==2.4.6", "onnxruntime==1.32.0"]
    assert [rest for word, rest in steps if word == "USER"][-1] == "65532:65532"
    copied = next(rest for word, rest in steps if word == "COPY").split(" ", 2)[2]
    assert json.loads(copied) == ["model.onnx", "schema.json", "/opt/model/"]
    entry = json.loads(next(rest for word, rest in steps if word == "ENTRYPOINT"))
    assert entry == ["/opt/venv/bin/python3", "-m", "hallmark_predictor"]


def test_the_order_of_the_arguments_changes_nothing() -> None:
    turned = {
        **GOOD,
        "packages": dict(reversed(GOOD["packages"].items())),
        "files": GOOD["files"][::-1],
    }
    assert render_dockerfile(**turned) == render_dockerfile(**GOOD)


def test_without_packages_there_is_nothing_to_run() -> None:
    text = render_dockerfile(**{**GOOD, "packages": {}}).decode()
    assert "RUN" not in [word for word, _ in instructions(text)]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param({"run_id": "x\nRUN evil"}, "a run id of the form", id="a line in the run id"),
        pytest.param(
            {"files": ["../etc/passwd"]}, "a file name of the form", id="a path out of the folder"
        ),
        pytest.param(
            {"files": ['a"]\nRUN evil']}, "a file name of the form", id="a line in a file name"
        ),
        pytest.param({"files": []}, "at least one file", id="no file"),
        pytest.param(
            {"packages": {'x"\n': "1"}}, "a package name of the form", id="a line in a package name"
        ),
        pytest.param(
            {"packages": {"x": '1"]\nRUN evil'}},
            "a version of 'x' of the form",
            id="a line in a version",
        ),
    ],
)
def test_it_refuses(change: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^(A|The) Dockerfile needs ") as refused:
        render_dockerfile(**{**GOOD, **change})
    assert what in str(refused.value)


def test_the_operators_own_package_is_not_among_what_is_installed() -> None:
    assert "hallmark-operator" not in render_dockerfile(**GOOD).decode()
