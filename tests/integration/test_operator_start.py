"""An operator that cannot work ends at once and says what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.operator_process import write_key
from tests.integration.operator_world import kubeconfig

__all__ = ["kubeconfig"]


def start(folder: Path, kubeconfig: str) -> tuple[int, str]:
    """Run an operator until it ends; return its exit code and what it wrote."""
    command = ["-m", "kopf", "run", "--module", "hallmark.controllers", "--all-namespaces"]
    environment = {
        **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "PYTHONPATH"}},
        "KUBECONFIG": kubeconfig,
        "HALLMARK_AUDIT_LOG": str(folder / "audit.log"),
        "HALLMARK_AUDIT_KEY": str(folder / "private.pem"),
        "HALLMARK_HEALTH_PORT": "0",
        "HALLMARK_METRICS_PORT": "0",
    }
    ended = subprocess.run(
        [sys.executable, *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return ended.returncode, ended.stderr


def with_a_wrong_token(kubeconfig: str, folder: Path) -> str:
    config = yaml.safe_load(Path(kubeconfig).read_text())
    config["users"][0]["user"] = {"token": "nobody's"}
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return str(path)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        pytest.param("key", "hallmark keys init", id="it has no audit key"),
        pytest.param("kubeconfig", "KUBECONFIG", id="it has no credentials"),
        pytest.param("token", "Expected to list", id="its credentials do not hold"),
    ],
)
def test_the_start_ends_with_a_sentence(
    tmp_path: Path, kubeconfig: str, trouble: str, words: str
) -> None:
    if trouble != "key":
        write_key(tmp_path / "private.pem", ec.generate_private_key(ec.SECP256R1()))
    configs = {"kubeconfig": str(tmp_path), "token": with_a_wrong_token(kubeconfig, tmp_path)}
    code, text = start(tmp_path, configs.get(trouble, kubeconfig))
    assert code != 0
    assert words in text
