"""The Dockerfile is hardened, pinned, the same each time, and takes no injected line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from hallmark.errors import ConfigurationError
from hallmark.supply_chain.dockerfile import render_dockerfile
from tests.examples import examples

GOOD = {
    "run_id": "0123456789ab",
    "dataset": f"sha256:{'1' * 64}",
    "sbom": f"sha256:{'2' * 64}",
}


def instructions(text: str) -> list[list[str]]:
    """Return the instructions, continuation lines joined, as [word, rest]."""
    whole = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [line.split(" ", 1) for line in whole.replace("\\\n", " ").splitlines() if line]


def test_it_is_pinned_shell_free_and_never_root() -> None:
    steps = instructions(render_dockerfile(**GOOD).decode())
    words = [word for word, _ in steps]
    assert ["FROM", "${BASE}@sha256:${BASE_SHA256}"] in steps
    assert [rest for word, rest in steps if word == "USER"] == ["65532:65532"]
    assert words.index("USER") < words.index("RUN")
    run = json.loads(next(rest for word, rest in steps if word == "RUN"))
    assert run[1:3] == ["-m", "hallmark_predictor.contents"]
    copied = json.loads(next(rest for word, rest in steps if word == "COPY").split(" ", 2)[2])
    assert copied == [
        "baseline.json",
        "model.onnx",
        "sbom_0123456789ab.cdx.json",
        "schema.json",
        "trust.json",
        "/opt/model/",
    ]
    entry = json.loads(next(rest for word, rest in steps if word == "ENTRYPOINT"))
    assert entry[:3] == ["/opt/venv/bin/python3", "-m", "hallmark_predictor"]
    assert ["CMD", "[]"] in steps
    label = next(rest for word, rest in steps if word == "LABEL")
    assert all(digest in label for digest in GOOD.values())


@given(
    name=st.sampled_from(sorted(GOOD)),
    head=st.text(max_size=3),
    tail=st.one_of(
        st.sampled_from(
            ["\n", '"', "$(id)", "\nRUN evil", '" evil="', "\\\n", "A", "`id`", "${X}"]
        ),
        st.text(min_size=1, max_size=5),
    ),
)
@examples(100)
def test_what_is_no_digest_gets_no_line(name: str, head: str, tail: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^The Dockerfile needs a "):
        render_dockerfile(**{**GOOD, name: head + GOOD[name] + tail})
