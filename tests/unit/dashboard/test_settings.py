"""The dashboard's settings, and what it starts with."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hallmark_dashboard.settings import session_key, settings_from


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, 8000, id="nothing"),
        pytest.param({"HALLMARK_DASHBOARD_PORT": "9000"}, 9000, id="a port"),
        pytest.param({"HALLMARK_DASHBOARD_PORT": ""}, 8000, id="an empty variable"),
        pytest.param(
            {"HALLMARK_DASHBOARD_SERVICE_HOST": "10.0.0.1"}, 8000, id="a Service's variables"
        ),
    ],
)
def test_settings_come_from_the_environment(environment: dict[str, str], expected: int) -> None:
    assert settings_from(environment).port == expected


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "http", "a port from 0 to 65535"),
        ("PORT", "tcp://10.0.0.1:80", "a port from 0 to 65535"),
        ("PORT", "٣", "a port from 0 to 65535"),
        ("URL", "hallmark.example.org", "scheme and host"),
        ("URL", "https://x/path", "scheme and host"),
        ("PROT", "1", "expected one of"),
        ("OIDC_ISSUER", "https://x", "both or none"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(Exception, match=words) as refused:
        settings_from({f"HALLMARK_DASHBOARD_{name}": value})
    assert name.partition("_")[0] in str(refused.value)


def test_the_cookies_key_has_its_length(tmp_path: Path) -> None:
    assert session_key(tmp_path / "none") is None
    (tmp_path / "key").write_bytes(b"k" * 32)
    assert session_key(tmp_path / "key") == b"k" * 32
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(Exception, match="32 random bytes"):
        session_key(tmp_path / "key")


LOAD = """
import importlib.metadata, re, sys

class OnlyPinned:
    packages = importlib.metadata.packages_distributions()
    pinned = {*sys.argv[1:], "hallmark-operator"}

    def find_spec(self, name, path=None, target=None):
        found = self.packages.get(name.partition(".")[0], ())
        names = {re.sub(r"[-_.]+", "-", one).lower() for one in found}
        if names and not names & self.pinned:
            raise ModuleNotFoundError(f"no module named {name!r}", name=name)

sys.meta_path.insert(0, OnlyPinned())
import hallmark_dashboard.__main__
print(sorted({"sklearn", "kopf", "typer", "polars"} & sys.modules.keys()))
"""


def test_the_dashboard_starts_with_what_its_image_holds() -> None:
    root = Path(__file__).parents[3]
    lock = (root / "requirements" / "dashboard.txt").read_text()
    pinned = re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE)
    command = [sys.executable, "-c", LOAD, *pinned]

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
