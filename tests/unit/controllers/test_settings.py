"""The operator's settings: from its environment, with a sentence where one does not fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hallmark.controllers.settings import Settings
from hallmark.errors import ConfigurationError


def test_settings_come_from_the_environment_and_have_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HALLMARK_NAMESPACE", "x")
    monkeypatch.setenv("HALLMARK_HEALTH_PORT", "1234")
    monkeypatch.setenv("HALLMARK_METRICS_PORT", "")
    found = Settings.from_environment()
    assert (found.namespace, found.health_port, found.metrics_port) == ("x", 1234, 9090)
    assert found.audit_log == Path("/var/lib/hallmark/logs/secure_mlops.log")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param("HALLMARK_RESYNC_SECONDS", "often", id="a word for a number"),
        pytest.param("HALLMARK_RESYNC_SECONDS", "0", id="no time at all"),
        pytest.param("HALLMARK_HEARTBEAT_SECONDS", "inf", id="time without an end"),
        pytest.param("HALLMARK_HEALTH_PORT", "65536", id="a port that cannot be"),
        pytest.param("HALLMARK_METRICS_PORT", "tcp://10.0.0.1:9090", id="a Service's variable"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=variable) as refused:
        Settings.from_environment()
    assert repr(value) in str(refused.value)


def test_the_page_on_architecture_has_each_variable_with_its_default() -> None:
    page = Path(__file__).parents[3].joinpath("docs/architecture.md").read_text("utf-8")
    shown = dict(re.findall(r"^\| `HALLMARK_(\w+)` \| (.+?) \|", page, re.MULTILINE))
    assert shown == {
        name.upper(): f"`{field.default}`" if field.default != "" else "empty"
        for name, field in Settings.model_fields.items()
    }
